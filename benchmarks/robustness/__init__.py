"""Campaigns against the product: what it is given, and what is done to it, is meant to break it."""

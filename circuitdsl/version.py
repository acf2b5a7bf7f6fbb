"""The version, in one place, where the build reads it; and the packages whose versions count beside it."""

__version__ = "0.2.0"

RUNNING = ("torch", "transformer-lens", "transformers", "numpy")
"""Packages by whose versions a model computes what it computes."""

"""How the tests' Ray clusters begin."""

from __future__ import annotations

BARE = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
"""A head without what only people and autoscalers look at: each is a Python of its own that has Ray to import."""

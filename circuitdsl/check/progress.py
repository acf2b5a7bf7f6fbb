"""How far a check is, for whoever waits for it. No torch."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Told of work done, work expected (in prompts through the model) and what is being done."""


def unwatched(done: int, total: int, what: str) -> None:
    """Progress that nobody watches."""

"""How far a check is, for whoever waits for it. No torch."""

from __future__ import annotations

from collections.abc import Callable

from circuitdsl.visible import visible

Progress = Callable[[int, int, str], None]
"""Told of work done, work expected (in prompts through the model) and what is being done."""


OPENING = "opening the model"
"""What is being done before anything is told."""


def known(done: int, total: int) -> bool:
    """Whether it is known how much is to come: not where undecided claims asked for more than was planned."""
    return done < total


def described(done: int, total: int, what: str) -> str:
    """What is being done, for people; what it is about may be foreign text."""
    return f"{visible(what)}: prompts through the model{'' if known(done, total) else ', more than planned'}"


def unwatched(done: int, total: int, what: str) -> None:
    """Progress that nobody watches."""

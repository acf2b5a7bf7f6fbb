"""A component at a position of the prompt: what a circuit is made of."""

from __future__ import annotations

from dataclasses import dataclass

from circuitdsl.components.base import Component


@dataclass(frozen=True, order=True)
class Position:
    """A named position with an offset, ``S1+1``; the name ``all`` stands for every position."""

    name: str
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.name}{self.offset:+d}" if self.offset else self.name


ALL = Position("all")
END = Position("END")
"""The last token of a prompt, where the answer is predicted."""


@dataclass(frozen=True)
class Node:
    """A component at a position."""

    component: Component
    position: Position

    def __str__(self) -> str:
        return f"{self.component} at {self.position}"

"""Single prompts of a circuit: what the circuit alone does on them, and where its heads look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class HeadLook:
    """Where a head looks from a position of one prompt: what it pays to each token from ``first`` on, 0 to 1."""

    head: str
    query: str
    roles: tuple[str, ...]
    first: int
    paid: tuple[float, ...]

    def to_dict(self) -> dict[str, object]:
        return {
            "head": self.head,
            "from": self.query,
            "roles": list(self.roles),
            "first": self.first,
            "paid": [round(each, 6) for each in self.paid],
        }


@dataclass(frozen=True)
class SinglePrompt:
    """A prompt with its metric in the model and with the circuit alone; None where that could not be read.

    ``tokens`` are its tokens as text, ``positions`` the token indices of named positions. ``looks``: of a few prompts,
    where the circuit's heads look.
    """

    text: str
    template: str
    tokens: tuple[str, ...]
    positions: Mapping[str, tuple[int, ...]]
    in_model: float | None
    alone: float | None
    looks: tuple[HeadLook, ...] = ()

    def to_dict(self) -> dict[str, object]:
        return {
            "prompt": self.text,
            "template": self.template,
            "tokens": list(self.tokens),
            "positions": {name: list(indices) for name, indices in self.positions.items()},
            "in_model": self.in_model,
            "alone": self.alone,
            "looks": [look.to_dict() for look in self.looks],
        }


@dataclass(frozen=True)
class Examples:
    """Single prompts of a circuit, of ``count`` that were read.

    ``worst`` are those of the worse half on which the circuit alone falls furthest below the model, furthest first;
    ``typical`` is the one that stands in the middle of all, or the first where the circuit alone could not be had.
    """

    count: int
    worst: tuple[SinglePrompt, ...]
    typical: SinglePrompt

    def to_dict(self) -> dict[str, object]:
        return {
            "count": self.count,
            "worst": [prompt.to_dict() for prompt in self.worst],
            "typical": self.typical.to_dict(),
        }

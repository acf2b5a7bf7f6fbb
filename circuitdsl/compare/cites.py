"""The sources that two circuits, their roles and the block that compares them cite, each once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from circuitdsl.language.circuit import Circuit, Comparison


@dataclass(frozen=True)
class Citing:
    """Where a source is cited: in a circuit, by itself or by one of its ``role``s, or in the block that compares."""

    block: Literal["compare", "left", "right"]
    role: str | None = None

    def to_dict(self) -> dict[str, object]:
        return {"in": self.block, "role": self.role}


@dataclass(frozen=True)
class Cited:
    """A source as the files give it, and all that cite it."""

    text: str
    by: tuple[Citing, ...]

    def to_dict(self) -> dict[str, object]:
        return {"text": self.text, "by": [citing.to_dict() for citing in self.by]}


def cited(left: Circuit, right: Circuit, block: Comparison | None) -> tuple[Cited, ...]:
    """Every source once, in the order of first mention: the block's, then those of the left and the right circuit."""
    found: dict[str, tuple[Citing, ...]] = {}
    for text, citing in _cites(left, right, block):
        found[text] = (*found.get(text, ()), citing)
    return tuple(Cited(text, by) for text, by in found.items())


def _cites(left: Circuit, right: Circuit, block: Comparison | None) -> Iterator[tuple[str, Citing]]:
    if block is not None:
        yield from ((cite, Citing("compare")) for cite in block.cites)
    sides: tuple[tuple[Literal["left", "right"], Circuit], ...] = (("left", left), ("right", right))
    for side, circuit in sides:
        yield from ((cite, Citing(side)) for cite in circuit.cites)
        yield from ((cite, Citing(side, role.name)) for role in circuit.roles for cite in role.cites)

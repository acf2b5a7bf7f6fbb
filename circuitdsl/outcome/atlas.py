"""Any number of circuits side by side: what every two share, and what each does for every task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from circuitdsl.compare.overlap import Overlap
from circuitdsl.display import Displayed
from circuitdsl.judge.estimates import Estimate
from circuitdsl.language.circuit import Circuit
from circuitdsl.outcome.circuit import Performance
from circuitdsl.outcome.frames import frame
from circuitdsl.outcome.ran import Ran

if TYPE_CHECKING:
    from pandas import DataFrame

    from circuitdsl.compare.atlas import Pair  # which needs scipy


@dataclass(frozen=True)
class AtlasCell:
    """A circuit on a task, by their places: its faithfulness kept alone, and the change when it is knocked out.

    Both are shares of the task's metric. An estimate that could not be had is NOTHING, with the reason in ``note``.
    """

    circuit: int
    task: int
    faithfulness: Estimate
    knockout: Estimate
    note: str = ""


@dataclass(frozen=True)
class AtlasFunction(Ran):
    """What was measured for an atlas.

    ``performance`` says of each task whether the model does it. ``confidence`` is that of all intervals of one
    measurement together, ``each`` that of one interval (Bonferroni).
    """

    performance: tuple[Performance, ...]
    cells: tuple[AtlasCell, ...]
    confidence: float
    each: float
    model: str
    fingerprint: str
    processing: str
    notes: tuple[str, ...] = ()

    def cell(self, circuit: int, task: int) -> AtlasCell:
        """The cell of a circuit on a task."""
        return next(cell for cell in self.cells if (cell.circuit, cell.task) == (circuit, task))

    def to_dict(self, names: tuple[str, ...]) -> dict[str, object]:
        return {
            "model": self.model,
            "fingerprint": self.fingerprint,
            "processing": self.processing,
            "confidence": {"together": self.confidence, "each": self.each},
            "performance": {name: found.to_dict() for name, found in zip(names, self.performance, strict=True)},
            "cells": [
                {
                    "circuit": names[cell.circuit],
                    "task": names[cell.task],
                    "faithfulness": cell.faithfulness.to_dict(),
                    "knockout": cell.knockout.to_dict(),
                    "note": cell.note,
                }
                for cell in self.cells
            ],
            "notes": list(self.notes),
            **self.ran_dict(),
        }


@dataclass(frozen=True, repr=False)
class Atlas(Displayed):
    """Any number of circuits, every two of them compared, and what each does for every task if it was measured.

    ``order`` has the places of the circuits, those that are alike together.
    """

    circuits: tuple[Circuit, ...]
    pairs: tuple[Pair, ...]
    order: tuple[int, ...]
    function: AtlasFunction | None = None
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What its circuits are called, in their order."""
        return tuple(circuit.name for circuit in self.circuits)

    def pair(self, one: int, other: int) -> Pair:
        """The pair of two places, in either order."""
        left, right = sorted((one, other))
        return next(pair for pair in self.pairs if (pair.left, pair.right) == (left, right))

    def rows(self) -> Iterator[dict[str, object]]:
        """A row a pair of circuits: what they share of heads, nodes and edges, and what chance would give."""
        for pair in self.pairs:
            kinds = {"heads": pair.heads, "nodes": pair.nodes, "edges": pair.edges}
            yield {
                "left": self.names[pair.left],
                "right": self.names[pair.right],
                **{f"shared_{kind}": len(overlap.shared) for kind, overlap in kinds.items()},
                **{f"{kind}_of_smaller": overlap.of_smaller for kind, overlap in kinds.items()},
                "chance": pair.chance_share,
                "p_value": pair.chance.p_value if pair.chance is not None else None,
                "p_holm": pair.p_holm,
            }

    def to_frame(self) -> DataFrame:
        """The rows as a pandas frame. Raises InputError where pandas is not installed."""
        return frame(self.rows())

    def to_dict(self) -> dict[str, object]:
        """Its JSON, as docs/atlas.schema.json has it."""
        names = self.names
        return {
            "schema": "circuitdsl/atlas/1",
            "circuits": [
                {
                    "name": circuit.name,
                    "file": circuit.file,
                    "model": circuit.model,
                    "task": str(circuit.task),
                    "heads": len(circuit.heads),
                    "nodes": len(circuit.nodes),
                }
                for circuit in self.circuits
            ],
            "order": [names[place] for place in self.order],
            "pairs": [_pair_dict(pair, names) for pair in self.pairs],
            "function": self.function.to_dict(names) if self.function is not None else None,
            "notes": list(self.notes),
        }


def _pair_dict(pair: Pair, names: tuple[str, ...]) -> dict[str, object]:
    return {
        "left": names[pair.left],
        "right": names[pair.right],
        "heads": {
            **_overlap_dict(pair.heads),
            "chance": pair.chance_share,
            "p_value": pair.chance.p_value if pair.chance is not None else None,
            "p_holm": pair.p_holm,
            "ceiling": pair.ceiling,
        },
        "nodes": _overlap_dict(pair.nodes),
        "edges": _overlap_dict(pair.edges),
    }


def _overlap_dict(overlap: Overlap) -> dict[str, object]:
    return {
        "left": overlap.left,
        "right": overlap.right,
        "shared": list(overlap.shared),
        "of_smaller": overlap.of_smaller,
        "jaccard": overlap.jaccard,
    }

"""What two circuits and their parts do on both tasks: the table of function beside the table of structure.

Five parts (each circuit, what both share, what only one has), kept alone (faithfulness) and knocked out, on both
tasks. From the knockouts of the whole circuits follows the dissociation, from their faithfulness the transfer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from circuitdsl.compare.structure import Structure
from circuitdsl.display import Displayed
from circuitdsl.judge.estimates import Estimate
from circuitdsl.measures.comparisons import Part, Side
from circuitdsl.outcome.frames import frame

if TYPE_CHECKING:
    from pandas import DataFrame

    from circuitdsl.compare.curve import Curve  # which needs scipy


@dataclass(frozen=True)
class Cell:
    """One part on one circuit's task: its faithfulness when it is kept alone, and the change when it is knocked out.

    ``heads`` counts its components. An estimate that could not be had is None, with the reason in ``note``.
    """

    part: Part
    task: Side
    heads: int
    faithfulness: Estimate
    knockout: Estimate
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        return {
            "part": self.part,
            "task": self.task,
            "heads": self.heads,
            "faithfulness": self.faithfulness.to_dict(),
            "knockout": self.knockout.to_dict(),
            "note": self.note,
        }


Dissociated = Literal["double", "left only", "right only", "none", "undecided"]


@dataclass(frozen=True)
class Dissociation:
    """Whether each circuit's knockout hurts its own task more than the other one's.

    ``left`` and ``right`` are loss on the own task less loss on the other's, ``smaller`` the smaller of both and
    ``interaction`` their mean. ``kind`` says which of the two have a whole interval above zero. ``random`` is the
    smaller way of pairs of random circuits of the same size in each layer: their mean, with the range of the middle 90%
    of them;
    ``p_value`` is the share of pairs, the real one counted in, that reach the real one's.
    """

    left: Estimate
    right: Estimate
    smaller: Estimate
    interaction: Estimate
    kind: Dissociated
    random: Estimate
    pairs: int
    p_value: float | None
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        estimates = {
            name: getattr(self, name).to_dict() for name in ("left", "right", "smaller", "interaction", "random")
        }
        return {**estimates, "kind": self.kind, "pairs": self.pairs, "p_value": self.p_value, "note": self.note}


@dataclass(frozen=True)
class Function:
    """What two circuits do for each other's tasks. ``left`` and ``right`` are their names."""

    left: str
    right: str
    tasks: tuple[str, str]
    cells: tuple[Cell, ...]
    dissociation: Dissociation
    notes: tuple[str, ...]

    def cell(self, part: Part, task: Side) -> Cell:
        """The cell of a part on a task."""
        return next(cell for cell in self.cells if (cell.part, cell.task) == (part, task))

    def to_dict(self) -> dict[str, object]:
        """``transfer`` names what was kept and on whose task, as in ``transfer(a -> b)``."""
        return {
            "transfer": {
                "left_to_right": self.cell("left", "right").faithfulness.to_dict(),
                "right_to_left": self.cell("right", "left").faithfulness.to_dict(),
            },
            "function": {
                "tasks": list(self.tasks),
                "cells": [cell.to_dict() for cell in self.cells],
                "dissociation": self.dissociation.to_dict(),
                "notes": list(self.notes),
            },
        }


@dataclass(frozen=True, repr=False)
class FunctionalComparison(Displayed):
    """All that is known of how two tasks share a circuit; ``to_dict`` is the contract's "comparisons" entry."""

    structure: Structure
    function: Function
    curves: tuple[Curve, ...]
    notes: tuple[str, ...] = ()  # curves that could not be had, and why

    def rows(self) -> Iterator[dict[str, object]]:
        """A row a part and task: its faithfulness when it is kept alone, and the change when it is knocked out."""
        function = self.function
        names = {"left": function.left, "right": function.right}
        for cell in function.cells:
            yield {
                "part": names.get(cell.part, cell.part),
                "task": names[cell.task],
                "heads": cell.heads,
                **{f"faithfulness_{key}": value for key, value in cell.faithfulness.to_dict().items()},
                **{f"knockout_{key}": value for key, value in cell.knockout.to_dict().items()},
            }

    def to_frame(self) -> DataFrame:
        """The rows as a pandas frame. Raises InputError where pandas is not installed."""
        return frame(self.rows())

    def to_dict(self) -> dict[str, object]:
        """Its JSON: the structure, and ``function`` and ``curves`` beside it."""
        structure = self.structure.to_dict()
        return {
            **structure,
            **self.function.to_dict(),
            "curves": [curve.to_dict() for curve in self.curves],
            "notes": [*self.structure.notes, *self.notes],
        }

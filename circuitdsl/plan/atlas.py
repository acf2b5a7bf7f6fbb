"""The jobs of an atlas: every circuit on every task, its heads kept alone and knocked out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from circuitdsl.language.circuit import Circuit
from circuitdsl.measures.comparisons import grafted, need_one_model
from circuitdsl.plan.circuit import performance_job
from circuitdsl.plan.function import PartPlan, part_plan
from circuitdsl.plan.job import Started


@dataclass(frozen=True)
class CellPlan:
    """A circuit on a task, by their places in the atlas."""

    circuit: int
    task: int
    part: PartPlan


@dataclass(frozen=True)
class AtlasPlan:
    """What comparing any number of circuits of one model in function runs, ``performance`` for each task.

    ``cells`` are those of all circuits on all tasks. A circuit stands at its own positions on its own task, and at
    all positions on another, as in ``transfer``.
    """

    circuits: tuple[Circuit, ...]
    performance: tuple[Started, ...]
    cells: tuple[CellPlan, ...]

    def jobs(self) -> Iterator[Started]:
        """All of them, task by task."""
        for task, performance in enumerate(self.performance):
            yield performance
            for cell in self.on_task(task):
                yield from cell.part.jobs

    def on_task(self, task: int) -> tuple[CellPlan, ...]:
        """The cells of all circuits on one task."""
        return tuple(cell for cell in self.cells if cell.task == task)


def plan_atlas(circuits: Sequence[Circuit]) -> AtlasPlan:
    """Start every job of an atlas. Raises CannotMeasure for circuits of several models."""
    for circuit in circuits:
        need_one_model(circuits[0], circuit)
    places = product(range(len(circuits)), repeat=2)
    return AtlasPlan(
        tuple(circuits),
        tuple(Started(performance_job(circuit)) for circuit in circuits),
        tuple(CellPlan(circuit, task, _part(circuits, circuit, task)) for task, circuit in places),
    )


def _part(circuits: Sequence[Circuit], circuit: int, task: int) -> PartPlan:
    source, onto = circuits[circuit], circuits[task]
    placed = source if circuit == task else grafted(source, onto, ())
    return part_plan(placed, placed.name, placed.name)

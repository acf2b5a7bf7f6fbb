"""The jobs of an atlas: every circuit on every task, its heads kept alone and knocked out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from circuitdsl.language.circuit import Circuit, Nodes, Term
from circuitdsl.measures.comparisons import grafted, need_one_model
from circuitdsl.measures.measurement import Request
from circuitdsl.plan.circuit import performance_job
from circuitdsl.plan.job import Job, Started
from circuitdsl.plan.terms import term_job


@dataclass(frozen=True)
class CellPlan:
    """A circuit on a task, by their places in the atlas: kept alone, and knocked out."""

    circuit: int
    task: int
    kept: Started
    removed: Started


@dataclass(frozen=True)
class AtlasPlan:
    """What comparing any number of circuits of one model in function runs, ``performance`` for each task.

    ``cells`` are those of all circuits that have heads. A circuit stands at its own positions on its own task, and at
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
                yield from (cell.kept, cell.removed)

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
        tuple(_cell(circuits, circuit, task) for task, circuit in places if circuits[circuit].nodes),
    )


def _cell(circuits: Sequence[Circuit], circuit: int, task: int) -> CellPlan:
    source, onto = circuits[circuit], circuits[task]
    placed = source if circuit == task else grafted(source, onto, ())
    removed = Term("knockout", (("heads", Nodes(placed.name, placed.nodes)),))
    return CellPlan(circuit, task, *(Started(_job(placed, term)) for term in (Term("faithfulness"), removed)))


def _job(placed: Circuit, term: Term) -> Job:
    request = Request(placed, placed.method, term, parts=False)
    return term_job((placed.name, "atlas", term.measure), "part", request, f"{term.measure} of {placed.name}")

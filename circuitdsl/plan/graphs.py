"""The jobs of circuits that are judged as a whole, by their edges: what each keeps of the metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from circuitdsl.language.circuit import Circuit, Term
from circuitdsl.measures.measurement import Request
from circuitdsl.plan.circuit import performance_job
from circuitdsl.plan.job import Started
from circuitdsl.plan.terms import term_job


@dataclass(frozen=True)
class GraphsPlan:
    """What is run of circuits of one model, task and method: whether the model does the task, and what each keeps."""

    circuits: tuple[Circuit, ...]
    performance: Started
    whole: tuple[Started, ...]

    def jobs(self) -> Iterator[Started]:
        yield self.performance
        yield from self.whole


def plan_graphs(circuits: Sequence[Circuit]) -> GraphsPlan:
    """Start the faithfulness of every circuit, and nothing of its edges one by one."""
    whole = (
        term_job((each.name, "whole"), "whole", Request(each, each.method, Term("faithfulness")), "what its edges keep")
        for each in circuits
    )
    return GraphsPlan(tuple(circuits), Started(performance_job(circuits[0])), tuple(map(Started, whole)))

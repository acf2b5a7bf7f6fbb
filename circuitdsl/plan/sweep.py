"""The jobs of a sweep: a term measured for each of its senders alone, and whether the model does the task."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from circuitdsl.components import Head, Node, can_carry
from circuitdsl.errors import InputError
from circuitdsl.language.circuit import Circuit, LogitsReceiver, Nodes, Path, Term
from circuitdsl.language.sweep import Sweep
from circuitdsl.measures.measurement import Request
from circuitdsl.measures.registry import measure_infos
from circuitdsl.plan.circuit import performance_job
from circuitdsl.plan.job import Job, Started
from circuitdsl.plan.terms import term_job


@dataclass(frozen=True)
class SeriesPlan:
    """One term of a sweep, for each sender alone. ``left_out`` are those that write after what they are to reach.

    Senders are raced where the figure is a change of the metric, for which there is a floor.
    """

    term: Term
    senders: Mapping[Node, Started]
    left_out: tuple[Node, ...]


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep runs. ``circuit`` has its model, its task and its method, and nothing else."""

    circuit: Circuit
    performance: Started
    series: tuple[SeriesPlan, ...]

    @property
    def senders(self) -> int:
        """How many senders are measured: all of them are corrected for each other."""
        return sum(len(series.senders) for series in self.series)

    def jobs(self) -> Iterator[Started]:
        """All of them, in the order in which a plan lists them."""
        yield self.performance
        for series in self.series:
            yield from series.senders.values()


def plan_sweep(sweep: Sweep) -> SweepPlan:
    """Start every job of a sweep. Raises InputError for a term that is no figure of a sender that it names."""
    return plan_terms(sweep.circuit, sweep.terms)


def plan_terms(circuit: Circuit, terms: Iterable[Term]) -> SweepPlan:
    """Start every job of some terms of a circuit. Raises as :func:`plan_sweep` does."""
    return SweepPlan(circuit, Started(performance_job(circuit)), tuple(_series(circuit, term) for term in terms))


def _series(circuit: Circuit, term: Term) -> SeriesPlan:
    (name, argument), *rest = term.arguments
    assert isinstance(argument, Nodes | Path), "a sweep has terms of heads and of paths only"
    nodes = argument.nodes if isinstance(argument, Nodes) else argument.senders.nodes
    if isinstance(argument, Nodes):
        _check_kinds(term, nodes)
    found: dict[Node, Started] = {}
    left_out: list[Node] = []
    for node in nodes:
        own = Nodes(str(node.component), (node,))
        if isinstance(argument, Path):
            if not reaches(node, argument, circuit):
                left_out.append(node)
                continue
            own = replace(argument, senders=own)
        found[node] = Started(_sender_job(circuit, term, replace(term, arguments=((name, own), *rest)), node))
    return SeriesPlan(term, found, tuple(left_out))


def _sender_job(circuit: Circuit, whole: Term, term: Term, node: Node) -> Job:
    request = Request(circuit, circuit.method, term, parts=False)
    info = measure_infos()[term.measure]
    changes = info.unit == "share" and info.limits == (-math.inf, math.inf)
    return replace(term_job((str(whole), str(node)), "sweep", request, str(node)), raced=changes)


def _check_kinds(term: Term, nodes: tuple[Node, ...]) -> None:
    others = [str(node.component) for node in nodes if not isinstance(node.component, Head)]
    if measure_infos()[term.measure].parameters[0].only_heads and others:
        raise InputError(f"{term.measure} is a figure of attention heads, and {others[0]} is none", "leave it out")


def reaches(node: Node, path: Path, circuit: Circuit) -> bool:
    """Whether something reads what this sender writes."""
    if isinstance(path.receivers, LogitsReceiver):
        return True
    parallel = circuit.geometry.parallel_attn_mlp
    return any(can_carry(node.component, each.component, parallel) for each in path.receivers.nodes)

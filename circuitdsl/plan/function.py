"""The jobs of a comparison in function: parts of two circuits on both tasks, their dissociation, and rankings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from circuitdsl.components import Component
from circuitdsl.language.circuit import Circuit, Nodes, Term
from circuitdsl.measures.comparisons import (
    KINDS,
    PARTS,
    SIDES,
    Align,
    Kind,
    Part,
    Side,
    grafted,
    need_one_model,
    random_pairs,
    real_pair,
    ways,
)
from circuitdsl.measures.measurement import CannotMeasure, Request
from circuitdsl.plan.job import Job, Started
from circuitdsl.plan.ranking import Ranking
from circuitdsl.plan.terms import term_job


@dataclass(frozen=True)
class PartPlan:
    """A part as a circuit of a task, kept alone and removed; None for a part without components."""

    circuit: Circuit
    kept: Started | None
    removed: Started | None

    @property
    def jobs(self) -> tuple[Started, ...]:
        return tuple(job for job in (self.kept, self.removed) if job)


@dataclass(frozen=True)
class FunctionPlan:
    """What comparing two circuits of one model in function runs.

    ``parts`` are those of both tasks; ``dissociation`` measures the two circuits and ``randoms`` pairs of random ones,
    ``note`` says why there are none; ``rankings`` are the left and the right circuit's, by kind of curve.
    """

    left: Circuit
    right: Circuit
    align: tuple[tuple[str, str], ...]
    rankings: Mapping[Kind, tuple[Ranking, Ranking]]
    parts: Mapping[Side, Mapping[Part, PartPlan]]
    dissociation: Started
    randoms: int
    note: str

    def jobs(self) -> Iterator[Started]:
        """All of them, in the order in which they are run."""
        for both in self.rankings.values():
            yield from (ranking.started for ranking in both)
        for parts in self.parts.values():
            yield from (job for part in parts.values() for job in part.jobs)
        yield self.dissociation


def plan_function(left: Circuit, right: Circuit, align: Align = (), kinds: Iterable[Kind] = KINDS) -> FunctionPlan:
    """Start every job of a comparison in function. Raises CannotMeasure for circuits of two models."""
    need_one_model(left, right)
    pairs = tuple(align)
    try:
        randoms, note = tuple(random_pairs(left, right, pairs)), ""
    except CannotMeasure as reason:
        randoms, note = (), str(reason)
    compared = (real_pair(left, right, pairs), *randoms)
    key = (f"{left.name} with {right.name}", "dissociation")
    job = Job(key, "part", right.model, right.method, right.geometry, lambda: ways(left, right, compared), key[-1])
    return FunctionPlan(
        left,
        right,
        pairs,
        {kind: (Ranking(left, kind), Ranking(right, kind)) for kind in kinds},
        {
            side: {
                part: part_plan(part_on(part, side, left, right, pairs), key[0], f"{part} on {side}") for part in PARTS
            }
            for side in SIDES
        },
        Started(job),
        len(randoms),
        note,
    )


def part_plan(circuit: Circuit, *owner: str) -> PartPlan:
    """A part kept alone and removed; ``owner`` tells its jobs from others of the plan."""
    if not circuit.nodes:
        return PartPlan(circuit, None, None)
    removed = Term("knockout", (("heads", Nodes(circuit.name, circuit.nodes)),))
    return PartPlan(circuit, *(Started(_part_job(circuit, term, owner)) for term in (Term("faithfulness"), removed)))


def _part_job(circuit: Circuit, term: Term, owner: tuple[str, ...]) -> Job:
    request = Request(circuit, circuit.method, term, parts=False)
    return term_job((*owner, term.measure), "part", request, " ".join((*owner[1:], term.measure)))


def part_on(part: Part, side: Side, left: Circuit, right: Circuit, align: Align) -> Circuit:
    """A part as a circuit of the left or the right one's task.

    What that task's own circuit has stands at its own positions; the rest as ``grafted`` places it.
    """
    own, other = (left, right) if side == "left" else (right, left)
    ours, theirs = (set(components_of(circuit)) for circuit in (left, right))
    wanted: dict[Part, set[Component]] = {
        "left": ours,
        "right": theirs,
        "shared": ours & theirs,
        "left only": ours - theirs,
        "right only": theirs - ours,
    }
    stands_at_home = part in ("shared", side, f"{side} only")
    return _restricted(own if stands_at_home else grafted(other, own, align), wanted[part])


def components_of(circuit: Circuit) -> tuple[Component, ...]:
    """The components of a circuit, each once."""
    return tuple(dict.fromkeys(node.component for node in circuit.nodes))


def _restricted(circuit: Circuit, wanted: set[Component]) -> Circuit:
    roles = (
        replace(role, nodes=tuple(node for node in role.nodes if node.component in wanted)) for role in circuit.roles
    )
    return replace(circuit, roles=tuple(role for role in roles if role.nodes), claims=())

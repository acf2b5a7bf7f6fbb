"""Senders patched into inputs, from one counterfactual or another: what all questions of a stage have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from circuitdsl.check.bench import Bench
from circuitdsl.components import Node
from circuitdsl.draft.entry import Nothing, Rule
from circuitdsl.draft.packs import LOOKS
from circuitdsl.draft.places import Places
from circuitdsl.judge.race import early_looks, race
from circuitdsl.judge.verdicts import p_value
from circuitdsl.language.circuit import AGAINST, Against, Bound, Circuit, LogitsReceiver, Nodes, Path, Receivers, Term
from circuitdsl.measures.measurement import Failure, Measurement, data_of
from circuitdsl.outcome.draft import DraftRole, Into
from circuitdsl.plan.job import Started

PATH = "path"

AT_ONCE = 256
"""Senders that are run at once, over all inputs of a stage: what is common to them is run once."""


class Way(NamedTuple):
    """An input, and the counterfactual that what is sent there is patched from."""

    into: Into
    against: str


@dataclass(frozen=True)
class Tried:
    """A sender of a stage with what was measured, and its p-value of "within the floor"."""

    sender: Node
    way: Way
    measured: Measurement
    value: float
    p_value: float | None


@dataclass(frozen=True)
class Scope:
    """What is looked for, and how: heads and, with ``mlps``, these; patched from each of the counterfactuals
    ``against``; at ``places``; at most so many ``stages`` back. F is surely ``least`` or more (``entry.Nothing``)."""

    circuit: Circuit
    rule: Rule
    stages: int
    mlps: bool
    against: tuple[str, ...]
    least: float
    places: Places


def path_of(into: Into, roles: dict[str, DraftRole], nodes: Nodes) -> Path:
    """From some senders into an input of a role, read where the senders stand, or into the logits."""
    if not into.role:
        return Path(nodes, LogitsReceiver())
    assert into.place is not None, "an input of a role is read at a position"
    readers = tuple(Node(node.component, into.place) for node in roles[into.role].nodes)
    return Path(nodes, Receivers(into.role, readers, into.input))


def effect(way: Way, nodes: Nodes, roles: dict[str, DraftRole], circuit: Circuit) -> Term:
    """The effect of some senders; its term names the counterfactual where it is not the method's."""
    against = () if way.against == circuit.method.against else ((AGAINST, Against(way.against)),)
    return Term("effect", ((PATH, path_of(way.into, roles, nodes)), *against))


def raced(jobs: Sequence[Started], scope: Scope, bench: Bench) -> dict[Started, Measurement | Failure]:
    """The jobs on all prompts, but for those that fewer prompts tell to be within the floor, by which none enters.

    There is no race for the largest effects, which enter whatever they are.
    """
    prompts, looks, nothing = looks_of(scope, bench)

    def settled(left: Sequence[Started], count: int) -> frozenset[Started]:
        found = measured_at(left, count, bench)
        return frozenset(job for job, m in found.items() if isinstance(m, Measurement) and nothing(bench.weighed(m)))

    return measured_at(race(jobs, prompts, looks if scope.rule.kind == "fdr" else (), settled).rest, prompts, bench)


def looks_of(scope: Scope, bench: Bench) -> tuple[int, tuple[int, ...], Nothing]:
    """How many prompts there are, on how many senders are looked at before, and what tells that one does nothing."""
    method = scope.circuit.method
    prompts = len(bench.session.prompts(data_of(scope.circuit), method.prompts_first))
    looks = tuple(early_looks(prompts))
    return prompts, looks, Nothing(scope.least * method.floor, len(looks) + LOOKS)


def measured_at(jobs: Sequence[Started], count: int, bench: Bench) -> dict[Started, Measurement | Failure]:
    return {job: m for group in _batched(jobs, AT_ONCE) for job, m in bench.measure(group, count).items()}


def _batched(jobs: Iterable[Started], size: int) -> Iterator[list[Started]]:
    """Jobs in groups of a size."""
    left = iter(jobs)
    while group := list(islice(left, size)):
        yield group


def tried_of(node: Node, way: Way, result: Measurement, circuit: Circuit, bench: Bench) -> Tried:
    weighed, floor = bench.weighed(result), circuit.method.floor
    return Tried(node, way, result, weighed.value, p_value(weighed, Bound("outside", -floor, floor)))

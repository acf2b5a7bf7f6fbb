"""Senders patched into inputs, from one counterfactual or another: what all questions of a stage have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from circuitdsl.check.bench import Bench
from circuitdsl.components import Node
from circuitdsl.draft.entry import Nothing, Rule, change
from circuitdsl.draft.figures import named, started
from circuitdsl.draft.packs import LOOKS, SIZED, packed, settled_together
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
    """The jobs on all prompts, but for those that fewer prompts tell to be within the floor, by which none enters."""
    prompts, looks, nothing = looks_of(scope, bench)

    def settled(left: Sequence[Started], count: int) -> frozenset[Started]:
        found = measured_at(left, count, scope, bench)
        return frozenset(job for job, m in found.items() if isinstance(m, Measurement) and nothing(bench.weighed(m)))

    return measured_at(race(jobs, prompts, looks, settled).rest, prompts, scope, bench)


@dataclass(frozen=True)
class Packs:
    """Senders of a stage, each alone or several as one, by their jobs, of which those that surely do nothing together
    are found in packs."""

    jobs: Mapping[Started, tuple[tuple[Node, ...], Way]]
    roles: dict[str, DraftRole]
    scope: Scope
    bench: Bench

    def sizes(self) -> dict[Started, float]:
        """By how much each changes the metric on the first prompts, of those that can be measured."""
        found = measured_at(self.jobs, SIZED, self.scope, self.bench)
        sizes = {job: change(self.bench.weighed(m)) for job, m in found.items() if isinstance(m, Measurement)}
        return sizes | {job: 0.0 for job, m in found.items() if isinstance(m, Failure) and m.kind == "unchanged"}

    def settled(self, sizes: Mapping[Started, float]) -> frozenset[Started]:
        """Those that the fewest prompts which are looked at tell to be within the floor; none without a look."""
        _, looks, nothing = looks_of(self.scope, self.bench)
        if not looks:
            return frozenset()

        def of(found: Measurement | Failure) -> bool:
            if isinstance(found, Failure):
                return found.kind == "unchanged"
            return nothing(self.bench.weighed(found))

        def among(packs: Sequence[tuple[Started, ...]]) -> list[tuple[Started, ...]]:
            asked = {started(self._term(pack), self.scope.circuit): pack for pack in packs}
            found = measured_at(asked, looks[0], self.scope, self.bench)
            return [pack for job, pack in asked.items() if of(found[job])]

        ways = {job: way for job, (_, way) in self.jobs.items()}
        return settled_together(packed(sizes, ways, nothing.least), among)

    def _term(self, pack: tuple[Started, ...]) -> Term:
        """The effect of a pack, patched as one."""
        (way,) = {self.jobs[job][1] for job in pack}
        return effect(way, named(node for job in pack for node in self.jobs[job][0]), self.roles, self.scope.circuit)


def looks_of(scope: Scope, bench: Bench) -> tuple[int, tuple[int, ...], Nothing]:
    """How many prompts there are, on how many senders are looked at before, and what tells that one does nothing. The
    largest enter whatever they are, without a look before."""
    method = scope.circuit.method
    prompts = len(bench.session.prompts(data_of(scope.circuit), method.prompts_first))
    looks = early_looks(prompts) if scope.rule.kind == "fdr" else ()
    return prompts, looks, Nothing(scope.least * method.floor, len(looks) + LOOKS)


def measured_at(
    jobs: Iterable[Started], count: int, scope: Scope, bench: Bench
) -> dict[Started, Measurement | Failure]:
    """Jobs on the first ``count`` prompts: from one number that is looked at to the next, for runs that all share are
    kept by the prompts that they were made for, and would be made again for others."""
    found: dict[Started, Measurement | Failure] = {}
    steps = [step for step in (SIZED, *looks_of(scope, bench)[1]) if step < count]
    for group in _batched(jobs, AT_ONCE):
        for step in (*steps, count):
            found |= bench.measure(group, step)
    return found


def _batched(jobs: Iterable[Started], size: int) -> Iterator[list[Started]]:
    """Jobs in groups of a size."""
    left = iter(jobs)
    while group := list(islice(left, size)):
        yield group


def tried_of(node: Node, way: Way, result: Measurement, circuit: Circuit, bench: Bench) -> Tried:
    weighed, floor = bench.weighed(result), circuit.method.floor
    return Tried(node, way, result, weighed.value, p_value(weighed, Bound("outside", -floor, floor)))

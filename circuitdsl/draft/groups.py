"""Heads that matter only together: none of them is told from the floor by itself, and as one they are.

1. Into every input that is looked into, the heads of one layer that did not enter alone are patched as one, those that
   surely do nothing by themselves among them. All such layers of a stage are corrected for each other (false discovery
   rate), so that of those found beyond the floor few are not. Layers that surely do nothing together need no look each
   (``packs``): the sums of what their heads do alone on a few prompts say which are asked together.
2. Of a layer that is, every head is patched alone. Its members are those that surely change the metric the way the
   layer does, by more than their share of the floor: the floor divided by the heads that were patched, for if no head
   did more than that, and effects add up, the layer would not reach the floor. The heads of a layer are corrected for
   each other by the same rate times the share of layers that were found, which makes it one of all members, on average
   over the layers that were found (Benjamini and Bogomolov 2014).
3. The members as one are to be beyond the floor, too. They were chosen on the same prompts, so that this is a check and
   no test: the judging prompts, on which they are claimed as one, decide.

That a member does more than the floor is not said, nor that none does: one that was nearly told alone may carry a
group, and as no group of one is listed, the others of such a group are wrong more often than the rate says. Groups of
several layers are not found, nor heads that undo each other, nor heads of which each does nothing without the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from circuitdsl.check.bench import Bench
from circuitdsl.components import Head, Node
from circuitdsl.draft.figures import named, started
from circuitdsl.draft.patching import Packs, Scope, Tried, Way, effect, looks_of, measured_at, raced, tried_of
from circuitdsl.judge.verdicts import false_discovery, p_value
from circuitdsl.language.circuit import Bound
from circuitdsl.measures.measurement import Failure, Measurement
from circuitdsl.outcome.draft import DraftRole, Into
from circuitdsl.plan.job import Started

FEWEST = 2
"""Members of a group."""


@dataclass(frozen=True)
class Group:
    """Members with what was measured of each, and of all ``together``; ``p_adjusted`` is that of their being within the
    floor as one, corrected for all layers of the stage."""

    members: tuple[Tried, ...]
    together: Measurement
    p_adjusted: float

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(each.sender for each in self.members)


Layer = tuple[Way, tuple[Node, ...]]
"""Heads of one layer that did not enter alone, and the way that they were patched."""


Sizes = Mapping[tuple[Node, Way], float]
"""By how much senders change the metric alone, on the first few prompts."""


def groups(
    senders: Mapping[Way, Collection[Node]], sizes: Sizes, roles: dict[str, DraftRole], scope: Scope, bench: Bench
) -> tuple[Group, ...]:
    """The groups among ``senders``, those of each way that did not enter alone; no two have a member in common.

    Their ``sizes`` say which layers are asked together, and decide nothing.
    """
    layers = [(way, some) for way in senders for some in layers_of(senders[way])]
    return _Grouping(roles, scope, bench).groups(layers, sizes)


@dataclass(frozen=True)
class _Grouping:
    """Finds the groups of a stage."""

    roles: dict[str, DraftRole]
    scope: Scope
    bench: Bench

    def groups(self, layers: Sequence[Layer], sizes: Sizes) -> tuple[Group, ...]:
        found = self._beyond(layers, sizes)
        level = self.scope.rule.share * len(found) / max(1, len(layers))
        chosen = self._members(found, level)
        as_one = [self._job(members[0].way, [each.sender for each in members]) for members in chosen]
        measured = measured_at(as_one, looks_of(self.scope, self.bench)[0], self.scope, self.bench)
        known = [
            (some, m) for some, job in zip(chosen, as_one, strict=True) if not isinstance(m := measured[job], Failure)
        ]
        adjusted = false_discovery([self._p_value(m) for _, m in known], len(layers))
        entering = zip(known, adjusted, strict=True)
        return apart(Group(some, m, p) for (some, m), p in entering if p is not None and p <= self.scope.rule.share)

    def _beyond(self, layers: Sequence[Layer], sizes: Sizes) -> dict[Layer, bool]:
        """The layers that are surely beyond the floor as one, and whether they raise the metric."""
        asked = {self._job(way, nodes): (way, nodes) for way, nodes in layers}
        packs = Packs({job: (nodes, way) for job, (way, nodes) in asked.items()}, self.roles, self.scope, self.bench)
        together = packs.settled(
            {
                job: sum(sizes[node, way] for node in nodes)
                for job, (way, nodes) in asked.items()
                if all((node, way) in sizes for node in nodes)
            }
        )
        measured = raced([job for job in asked if job not in together], self.scope, self.bench)
        found = {job: m for job, m in measured.items() if isinstance(m, Measurement)}
        adjusted = false_discovery([self._p_value(m) for m in found.values()], len(layers))
        return {
            asked[job]: self.bench.weighed(m).value < 0
            for (job, m), p in zip(found.items(), adjusted, strict=True)
            if p is not None and p <= self.scope.rule.share
        }

    def _members(self, layers: Mapping[Layer, bool], level: float) -> list[tuple[Tried, ...]]:
        """Of each layer the heads that surely do their share of the floor, if there are several."""
        alone = {layer: {self._job(layer[0], [node]): node for node in layer[1]} for layer in layers}
        every = [job for jobs in alone.values() for job in jobs]
        measured = measured_at(every, looks_of(self.scope, self.bench)[0], self.scope, self.bench)
        chosen = [
            self._doing_their_share(layer, {node: measured[job] for job, node in alone[layer].items()}, raises, level)
            for layer, raises in layers.items()
        ]
        return [members for members in chosen if len(members) >= FEWEST]

    def _doing_their_share(
        self, layer: Layer, measured: Mapping[Node, Measurement | Failure], raises: bool, level: float
    ) -> tuple[Tried, ...]:
        (way, nodes), circuit, bench = layer, self.scope.circuit, self.bench
        tried = [tried_of(node, way, m, circuit, bench) for node, m in measured.items() if isinstance(m, Measurement)]
        least = circuit.method.floor / len(nodes)
        share = Bound("<", high=-least) if raises else Bound(">", low=least)
        adjusted = false_discovery([p_value(bench.weighed(each.measured), share) for each in tried], len(nodes))
        return tuple(each for each, p in zip(tried, adjusted, strict=True) if p is not None and p <= level)

    def _job(self, way: Way, nodes: Sequence[Node]) -> Started:
        return started(effect(way, named(nodes), self.roles, self.scope.circuit), self.scope.circuit)

    def _p_value(self, measured: Measurement) -> float | None:
        floor = self.scope.circuit.method.floor
        return p_value(self.bench.weighed(measured), Bound("outside", -floor, floor))


def apart(found: Iterable[Group]) -> tuple[Group, ...]:
    """Groups into one input that have no member in common: where several counterfactuals find one, the surest group."""
    taken: set[tuple[Node, Into]] = set()
    left: list[Group] = []
    for group in sorted(found, key=lambda each: each.p_adjusted):
        own = {(each.sender, each.way.into) for each in group.members}
        if taken.isdisjoint(own):
            left.append(group)
            taken |= own
    return tuple(left)


def layers_of(nodes: Collection[Node]) -> Iterator[tuple[Node, ...]]:
    """The heads of each layer that has several."""
    found: dict[int, list[Node]] = {}
    for node in nodes:
        if isinstance(node.component, Head):
            found.setdefault(node.component.layer, []).append(node)
    yield from (tuple(some) for some in found.values() if len(some) >= FEWEST)

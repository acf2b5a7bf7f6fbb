"""Heads that matter only together: none of them is told from the floor by itself, and as one they are.

1. Into every input that is looked into, the heads of one layer that did not enter alone are patched as one, those that
   surely do nothing by themselves among them. All such layers of a stage are corrected for each other (false discovery
   rate), so that of those found beyond the floor few are not.
2. Of a layer that is, every head is patched alone. Its members are those that surely change the metric the way the
   layer does, by more than their share of the floor: the floor divided by the heads of the layer, for if no head did
   more than that, the layer would not reach the floor. They are corrected for each other by the same rate.
3. The members as one have to be surely beyond the floor. They enter as one, and the judging prompts decide on them as
   one.

So a group that is listed is beyond the floor, and each member of it does its share; that it does more than the floor is
not said. Heads of one layer that undo each other are not found, nor groups over several layers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from circuitdsl.check.bench import Bench
from circuitdsl.components import Head, Node
from circuitdsl.draft.figures import started
from circuitdsl.draft.patching import Scope, Tried, Way, effect, looks_of, measured_at, raced, tried_of
from circuitdsl.judge.verdicts import false_discovery, p_value
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.circuit import Bound, Nodes
from circuitdsl.measures.measurement import Measurement
from circuitdsl.outcome.draft import DraftRole, Into
from circuitdsl.plan.job import Started

FEWEST = 2
"""Members of a group."""


@dataclass(frozen=True)
class Group:
    """Members with what was measured of each, and of all ``together``; ``p_adjusted`` is that of their layer."""

    members: tuple[Tried, ...]
    together: Measurement
    p_adjusted: float

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(each.sender for each in self.members)


def groups(
    senders: Mapping[Way, Collection[Node]], roles: dict[str, DraftRole], scope: Scope, bench: Bench
) -> Iterator[Group]:
    """The groups among ``senders``, those of each way that did not enter alone."""
    layers = {(way, layer): nodes for way, some in senders.items() for layer, nodes in _by_layer(some).items()}

    def job(way: Way, nodes: Sequence[Node]) -> Started:
        named = Nodes(" ".join(map(str, nodes)), tuple(nodes))
        return started(effect(way, named, roles, scope.circuit), scope.circuit)

    asked = {job(way, nodes): (way, nodes) for (way, _), nodes in layers.items()}
    found = {j: bench.weighed(m) for j, m in raced(tuple(asked), scope, bench).items() if isinstance(m, Measurement)}
    floor, share = scope.circuit.method.floor, scope.rule.share
    adjusted = false_discovery([p_value(each, Bound("outside", -floor, floor)) for each in found.values()], len(asked))
    prompts, *_ = looks_of(scope, bench)
    for (of_layer, weighed), p in zip(found.items(), adjusted, strict=True):
        if p is None or p > share:
            continue
        way, nodes = asked[of_layer]
        alone = {job(way, [node]): node for node in nodes}
        known = {j: m for j, m in measured_at(tuple(alone), prompts, bench).items() if isinstance(m, Measurement)}
        tried = [tried_of(alone[j], way, m, scope.circuit, bench) for j, m in known.items()]
        members = _members(tried, weighed, floor / len(nodes), share, bench)
        if len(members) < FEWEST:
            continue
        as_one = job(way, [one.sender for one in members])
        (together,) = measured_at((as_one,), prompts, bench).values()
        if isinstance(together, Measurement) and _is_beyond(bench.weighed(together), floor, share):
            yield Group(members, together, p)


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


def _by_layer(nodes: Collection[Node]) -> dict[int, list[Node]]:
    """The heads of each layer that has several."""
    found: dict[int, list[Node]] = {}
    for node in nodes:
        if isinstance(node.component, Head):
            found.setdefault(node.component.layer, []).append(node)
    return {layer: some for layer, some in found.items() if len(some) >= FEWEST}


def _members(tried: Sequence[Tried], layer: Weighed, least: float, share: float, bench: Bench) -> tuple[Tried, ...]:
    """Those that surely change the metric the way their layer does, by more than the least."""
    way = Bound("<", high=-least) if layer.value < 0 else Bound(">", low=least)
    adjusted = false_discovery([p_value(bench.weighed(each.measured), way) for each in tried])
    return tuple(each for each, p in zip(tried, adjusted, strict=True) if p is not None and p <= share)


def _is_beyond(weighed: Weighed, floor: float, share: float) -> bool:
    p = p_value(weighed, Bound("outside", -floor, floor))
    return p is not None and p <= share

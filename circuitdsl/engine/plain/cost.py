"""What worlds cost the plain engine: a forward pass each, more for a path that ends at an input, and shared caches."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import assert_never

from circuitdsl.actions import ByCleanRun
from circuitdsl.components import Geometry, Head
from circuitdsl.engine.base import SKETCH, SharedRun
from circuitdsl.engine.plain.arrivals import Arrivals, frozen_in, travels
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Corrupted,
    EdgesKept,
    FromCounterfactual,
    Intervened,
    Isolated,
    Mean,
    Patched,
    Resample,
    Sketched,
    Source,
    World,
    Zero,
)
from circuitdsl.tasks import Layout


class PlainCost:
    """Every cache and every mean is made once for a model and some data."""

    def shared(self, worlds: Iterable[World]) -> frozenset[SharedRun]:
        caches = frozenset[Hashable]().union(*map(_caches, worlds))
        return frozenset(SharedRun(run, once=True, over=run if isinstance(run, Mean) else None) for run in caches)

    def own(self, worlds: Iterable[World], layouts: Sequence[Layout], geometry: Geometry) -> dict[World, float]:
        return {world: passes(world, geometry) for world in worlds}


def passes(world: World, geometry: Geometry) -> int:
    """Forward passes over each prompt that a world needs, shared caches not counted.

    A path that ends at an input takes two, and one more for each head whose own copy of a shared key or value it
    patches, and for each further point whose features, errors or frozen neurons receive.
    """
    match world:
        case Patched(receivers=receivers) if receivers:
            reading = {node.component for node, which in receivers if which in ("k", "v")}
            copied = sum(isinstance(each, Head) and len(each.group(geometry)) > 1 for each in reading)
            return len(travels(world, frozen_in(world, geometry))) + 1 + copied
        case EdgesKept(edges=edges):
            return Arrivals.of(edges).copies
        case Sketched():
            return 0
        case _:
            return 1


def _caches(world: World) -> frozenset[Hashable]:
    """The caches over the prompts, and the means, that a world reads, by what tells them apart; each costs one pass."""
    match world:
        case Patched(counterfactual=name, under=under):
            found = frozenset[Hashable]({"clean cache", f"{name} cache"})
            return found if under is None else found | _caches(under) | {under}
        case Ablated(source=source) | Isolated(source=source):
            return _cache_of(source)
        case Sketched(source=source):
            return _cache_of(source).union(SKETCH)
        case Intervened(sources=sources, actions=actions):
            freezes = any(action.takes == ByCleanRun() for action in actions)
            needed = frozenset[Hashable]({"clean cache"} if freezes else ())
            return needed.union(*(_cache_of(source) for source in sources if source is not None))
        case Clean() | Corrupted() | EdgesKept():
            return frozenset()
        case _:
            assert_never(world)


def _cache_of(source: Source) -> frozenset[Hashable]:
    match source:
        case Zero():
            return frozenset()
        case Mean() | Resample():
            return frozenset({source})
        case FromCounterfactual(counterfactual=name):
            return frozenset({f"{name} cache"})
        case _:
            assert_never(source)

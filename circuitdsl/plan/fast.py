"""What worlds will cost the fast engine, foretold without a model or a tokenizer.

The unit is the one in which the engine counts its work: forward passes over all prompts, a run of some tokens through
some layers counting as that part of one. Where tokens stand is taken from typical prompts (``tasks.Layout``) and every
rule of which tokens and layers are run is that of ``engine.fast``; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from circuitdsl.language.circuit import ALL, Component, Head, Mlp, Node, Position
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Corrupted,
    FromCounterfactual,
    Intervened,
    Isolated,
    Mean,
    Patched,
    Resample,
    Source,
    World,
)
from circuitdsl.tasks import Layout

ALMOST = 1.5
"""Isolated circuits run over the tokens of a larger one if these are no more than so many times their own."""

Tokens = tuple[frozenset[int], ...]
"""Indices of tokens in each of some typical prompts."""


@dataclass(frozen=True)
class Change:
    """Where a world is edited: at ``point`` of the engine's course through the layers, as ``nodes`` say.

    A layer has two points: 2 x layer before its attention, and one more before its outputs; the embeddings' is -1.
    """

    point: int
    nodes: frozenset[Node]


@dataclass(frozen=True)
class Prompts:
    """Typical prompts, side by side as the engine pads them, and the number of layers that they run through."""

    layouts: tuple[Layout, ...]
    layers: int

    @cached_property
    def length(self) -> int:
        return max(layout.length for layout in self.layouts)

    def tokens(self, positions: Iterable[Position]) -> Tokens:
        """The tokens at any of some positions; a prompt that lacks one of them has fewer."""
        wanted = frozenset(positions)
        return tuple(frozenset(i for position in wanted for i in _indices(each, position)) for each in self.layouts)

    def only(self, tokens: Tokens) -> float:
        """The share of a whole run's tokens that these and END are."""
        ends = self.tokens([_END])
        return max(len(some | end) for some, end in zip(tokens, ends, strict=True)) / self.length

    def onward(self, tokens: Tokens) -> float:
        """The share from the first of these up to END."""
        ends = (max(end) for end in self.tokens([_END]))
        reach = (end - min(some, default=end) + 1 for some, end in zip(tokens, ends, strict=True))
        return max(reach) / self.length

    def deep(self, changes: Sequence[Change]) -> float:
        """The share of the layers from the first change on."""
        first = max(min((change.point for change in changes), default=0), 0) // 2
        return (self.layers - first) / self.layers


_END = Position("END")


def _indices(layout: Layout, position: Position) -> Iterable[int]:
    if position == ALL:
        return range(layout.length)
    found = (index + position.offset for index in layout.positions.get(position.name, ()))
    return (index for index in found if 0 <= index < layout.length)


# --- runs that many worlds share -------------------------------------------------------------------


def shared_runs(worlds: Iterable[World]) -> frozenset[Hashable]:
    """The whole runs that worlds of one round share, each by what tells it apart.

    A ``Mean`` is among them by itself: it is made once for all rounds.
    """
    found: set[Hashable] = set()
    for world in worlds:
        match world:
            case Corrupted(counterfactual=name):
                found.add(FromCounterfactual(name))
            case Clean():
                found.add("clean")
            case Ablated(source=source):
                found |= {"clean", source}
            case Isolated(source=source, mlps=mlps):
                found |= {"clean", source, (source, mlps)}  # the last is the run that keeps nothing
            case Patched(counterfactual=name, under=under):
                found |= {"clean", FromCounterfactual(name), *shared_runs([under] if under else [])}
            case Intervened(sources=sources):
                found |= {"clean", *(source for source in sources if source is not None)}
    return frozenset(run for run in found if not _is_free(run))


def _is_free(run: Hashable) -> bool:
    return isinstance(run, Source) and not isinstance(run, Mean | Resample | FromCounterfactual)


# --- runs of single worlds -------------------------------------------------------------------------


def own_runs(worlds: Iterable[World], prompts: Prompts) -> dict[World, float]:
    """What each world of a round costs beyond the shared runs. Two worlds that come to the same run count it once."""
    costs: dict[World, float] = {}
    paths: dict[Hashable, list[Patched]] = {}
    circuits: dict[Hashable, list[Isolated]] = {}
    bases: dict[Intervened, Patched] = {}  # the first of the worlds that an intervention is run for
    for world in worlds:
        match world:
            case Clean() | Corrupted():
                costs[world] = 0.0
            case Ablated() | Intervened():
                costs[world] = _recomputed_cost(world, prompts)
            case Patched(under=under):
                if under is not None:
                    bases.setdefault(under, world)
                paths.setdefault((world.receivers, world.strict, world.under), []).append(world)
            case Isolated():
                circuits.setdefault((world.source, world.mlps), []).append(world)
    for group in paths.values():
        costs |= _path_costs(group, prompts)
    for under, first in bases.items():
        costs[first] += _recomputed_cost(under, prompts)
    for group in circuits.values():
        costs |= _circuit_costs(group, prompts)
    return costs


def _recomputed_cost(world: Ablated | Intervened, prompts: Prompts) -> float:
    changes = _changes(world)
    positions = (node.position for change in changes for node in change.nodes)
    return prompts.onward(prompts.tokens(positions)) * prompts.deep(changes)


def _changes(world: Ablated | Intervened) -> tuple[Change, ...]:
    if isinstance(world, Ablated):
        return _outputs(world.nodes)
    attending = [node for action in world.actions if action.kind == "attend" for node in action.nodes]
    others = [node for action in world.actions if action.kind != "attend" for node in action.nodes]
    patterns = (Change(2 * _layer(node.component), frozenset({node})) for node in attending)
    return (*patterns, *_outputs(others))


def _outputs(nodes: Iterable[Node]) -> tuple[Change, ...]:
    """Replaced outputs: one change for all heads of a layer, one for its MLP."""
    together: dict[tuple[type[Component], int], set[Node]] = {}
    for node in nodes:
        together.setdefault((type(node.component), _layer(node.component)), set()).add(node)
    return tuple(Change(2 * layer + 1 if layer >= 0 else -1, frozenset(some)) for (_, layer), some in together.items())


def _layer(component: Component) -> int:
    return component.layer if isinstance(component, Head | Mlp) else -1


def _path_costs(worlds: Sequence[Patched], prompts: Prompts) -> dict[World, float]:
    """Of worlds with the same receivers: on from the first sender that can be seen where they read."""
    receivers = worlds[0].receivers
    last = max((_reads_at(node, which) for node, which in receivers), default=2 * prompts.layers)
    received = prompts.tokens([node.position for node, _ in receivers] or [_END])
    costs: dict[World, float] = {}
    runs: set[Hashable] = set()
    for world in worlds:
        seen = tuple(
            change
            for change in _outputs(world.senders)
            if change.point <= last and _meet(prompts.tokens(node.position for node in change.nodes), received)
        )
        run = (world.counterfactual, frozenset(seen))
        known = not seen or run in runs
        costs[world] = 0.0 if known else prompts.onward(received) * prompts.deep(seen)
        runs.add(run)
    return costs


def _reads_at(receiver: Node, which: str) -> int:
    layer = _layer(receiver.component)
    return 2 * layer if which else 2 * layer + 1


def _meet(some: Tokens, others: Tokens) -> bool:
    return any(one & other for one, other in zip(some, others, strict=True))


def _circuit_costs(worlds: Sequence[Isolated], prompts: Prompts) -> dict[World, float]:
    """Of isolated circuits on the same replaced model: on from the first layer in which a world keeps something, over
    the tokens of what is kept and END."""
    kept = {world: prompts.tokens(node.position for node in world.kept) for world in worlds}
    costs: dict[World, float] = {}
    groups: list[Tokens] = []
    for world, tokens in sorted(kept.items(), key=lambda item: -_count(item[1])):
        joined = next((g for g in groups if _count(g) <= ALMOST * _count(tokens) and _within(tokens, g)), None)
        if joined is None:
            groups.append(tokens)
        layers = (_layer(node.component) for node in world.kept if world.mlps or isinstance(node.component, Head))
        first = min((max(layer, 0) for layer in layers), default=prompts.layers - 1)
        share = prompts.only(tokens if joined is None else joined)
        costs[world] = share * (prompts.layers - first) / prompts.layers
    return costs


def _count(tokens: Tokens) -> int:
    return sum(map(len, tokens))


def _within(some: Tokens, others: Tokens) -> bool:
    return all(one <= other for one, other in zip(some, others, strict=True))

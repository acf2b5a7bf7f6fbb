"""What worlds will cost the fast engine, estimated without a model or a tokenizer.

The unit is the one in which the engine counts its work: forward passes over all prompts, a run of some tokens through
some layers counting as that part of one. Where tokens stand is taken from typical prompts (``tasks.Layout``).

The order of computation (``hook_points``) and what the engine covers (``coverage``) are the engine's own. Which tokens
and layers a world is run on, and which worlds share a run, the engine decides on tensors (``region.only``,
``region.onward``, ``work``), so that those rules are written a second time here, without torch:
tests/plan/test_plan_fast.py, which compares plans with what checks have run, keeps the two together.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import assert_never

from circuitdsl.components import ALL, Geometry, Node, Position
from circuitdsl.engine.base import SKETCH, SharedRun
from circuitdsl.engine.fast.coverage import covers_world
from circuitdsl.engine.fast.hook_points import (
    after_all,
    before_attention,
    first_layer,
    heads_lead_to,
    last_step_to,
    layer_of,
    step_of,
)
from circuitdsl.engine.fast.outside import Outside
from circuitdsl.engine.plain.cost import PlainCost
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
    Sketched,
    World,
    Zero,
)
from circuitdsl.tasks import Layout

Tokens = tuple[frozenset[int], ...]
"""Indices of tokens in each of some typical prompts."""


@dataclass(frozen=True)
class EditedAt:
    """A step of the engine's order of computation (``hook_points``) in which a world is edited, and the nodes there."""

    step: int
    nodes: frozenset[Node]


@dataclass(frozen=True)
class Prompts:
    """Typical prompts, side by side as the engine pads them, and the shape of the model that they run through."""

    layouts: tuple[Layout, ...]
    geometry: Geometry

    @property
    def layers(self) -> int:
        return self.geometry.n_layers

    @cached_property
    def length(self) -> int:
        return max(layout.length for layout in self.layouts)

    def tokens(self, positions: Iterable[Position]) -> Tokens:
        """The tokens at any of some positions; a prompt that lacks one of them has fewer."""
        distinct = frozenset(positions)
        if distinct not in self._known:
            self._known[distinct] = tuple(
                frozenset(i for position in distinct for i in _indices(each, position)) for each in self.layouts
            )
        return self._known[distinct]

    @cached_property
    def _known(self) -> dict[frozenset[Position], Tokens]:
        """The tokens of sets of positions: worlds ask for the same ones, and a file has a layout a line."""
        return {}

    @cached_property
    def ends(self) -> Tokens:
        """The token of each prompt after which the output is read."""
        found = (max(_indices(each, Position(each.read)), default=each.length - 1) for each in self.layouts)
        return tuple(frozenset({end}) for end in found)

    def only(self, tokens: Tokens) -> float:
        """The share of a whole run's tokens that these and the one that is read are."""
        return max(len(some | end) for some, end in zip(tokens, self.ends, strict=True)) / self.length

    def onward(self, tokens: Tokens) -> float:
        """The share from the first of these up to the one that is read, at which every run ends."""
        reach = (max(end) - min(some | end) + 1 for some, end in zip(tokens, self.ends, strict=True))
        return max(reach) / self.length

    def deep(self, edited: Sequence[EditedAt]) -> float:
        """The share of the layers from the first edit on."""
        first = first_layer(min((each.step for each in edited), default=0))
        return (self.layers - first) / self.layers


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
            case Sketched(source=source):
                found |= {source, *SKETCH}
            case Isolated(source=source):
                found |= {"clean", source, Outside.of(world)}  # the last is the run that keeps nothing
            case Patched(counterfactual=name, under=under):
                found |= {"clean", FromCounterfactual(name), *shared_runs([under] if under else [])}
            case Intervened(sources=sources):
                found |= {"clean", *(source for source in sources if source is not None)}
            case EdgesKept():
                pass  # the plain engine's
            case _:
                assert_never(world)
    return frozenset(run for run in found if not _is_free(run))


def _is_free(run: Hashable) -> bool:
    """Whether it is a source that takes no run: zeros."""
    return isinstance(run, Zero)


# --- runs of single worlds -------------------------------------------------------------------------


class FastCost:
    """As ``engine.base.Cost`` has it. Means are made once for all rounds, every other shared run once a round.

    Worlds that name components or actions which the engine does not cover cost what they do the plain engine.
    """

    def shared(self, worlds: Iterable[World]) -> frozenset[SharedRun]:
        ours, theirs = _divided(worlds)
        runs = (
            SharedRun(run, once=True, over=run) if isinstance(run, Mean) else SharedRun(run, once=False)
            for run in shared_runs(ours)
        )
        return frozenset(runs) | PlainCost().shared(theirs)

    def own(self, worlds: Iterable[World], layouts: Sequence[Layout], geometry: Geometry) -> dict[World, float]:
        ours, theirs = _divided(worlds)
        return own_runs(ours, Prompts(tuple(layouts), geometry)) | PlainCost().own(theirs, layouts, geometry)


def _divided(worlds: Iterable[World]) -> tuple[list[World], list[World]]:
    """The worlds that the fast engine covers, and the others."""
    ours: list[World] = []
    theirs: list[World] = []
    for world in worlds:
        (ours if covers_world(world) else theirs).append(world)
    return ours, theirs


def own_runs(worlds: Iterable[World], prompts: Prompts) -> dict[World, float]:
    """What each world of a round costs beyond the shared runs. Two worlds that come to the same run count it once."""
    costs: dict[World, float] = {}
    paths: dict[Hashable, list[Patched]] = {}
    circuits: dict[Outside, list[Isolated]] = {}
    bases: dict[Intervened, Patched] = {}  # the first of the worlds that an intervention is run for
    for world in worlds:
        match world:
            case Clean() | Corrupted() | Sketched() | EdgesKept():  # the last is the plain engine's
                costs[world] = 0.0
            case Ablated() | Intervened():
                costs[world] = _recomputed_cost(world, prompts)
            case Patched(under=under):
                if under is not None:
                    bases.setdefault(under, world)
                paths.setdefault((world.receivers, world.strict, world.under), []).append(world)
            case Isolated():
                circuits.setdefault(Outside.of(world), []).append(world)
            case _:
                assert_never(world)
    for group in paths.values():
        costs |= _path_costs(group, prompts)
    for under, first in bases.items():
        costs[first] += _recomputed_cost(under, prompts)
    for outside, group in circuits.items():
        costs |= _circuit_costs(group, outside, prompts)
    return costs


def _recomputed_cost(world: Ablated | Intervened, prompts: Prompts) -> float:
    edited = _edited(world)
    positions = (node.position for each in edited for node in each.nodes)
    return prompts.onward(prompts.tokens(positions)) * prompts.deep(edited)


def _edited(world: Ablated | Intervened) -> tuple[EditedAt, ...]:
    if isinstance(world, Ablated):
        return _outputs(world.nodes)
    attending = [node for action in world.actions if action.of_pattern for node in action.nodes]
    others = [node for action in world.actions if not action.of_pattern for node in action.nodes]
    patterns = (EditedAt(before_attention(node.component.layer), frozenset({node})) for node in attending)
    return (*patterns, *_outputs(others))


def _outputs(nodes: Iterable[Node]) -> tuple[EditedAt, ...]:
    """Replaced outputs by hook point: all heads of a layer together, its MLP by itself."""
    together: dict[str, set[Node]] = {}
    for node in nodes:
        together.setdefault(node.component.output, set()).add(node)
    return tuple(EditedAt(step_of(name), frozenset(some)) for name, some in together.items())


@dataclass(frozen=True)
class _Way:
    """Receivers that one frozen pass leads to (``work``), at the tokens ``received``: from senders at the tokens
    ``reached`` in no later step than the ``last``. ``heads``: the layer whose heads compute again on it, if any."""

    heads: int | None
    received: Tokens
    reached: Tokens
    last: int


def _path_costs(worlds: Sequence[Patched], prompts: Prompts) -> dict[World, float]:
    """Of worlds with the same receivers: on from the first sender whose change can reach them, and, where heads compute
    again on the way, up to these over the tokens of senders too."""
    receivers = worlds[0].receivers
    received = prompts.tokens(node.position for node, _ in receivers) if receivers else prompts.ends
    ways = _ways(receivers, prompts)
    costs: dict[World, float] = {}
    runs: set[Hashable] = set()
    for world in worlds:
        arriving = tuple(
            sent
            for sent in _outputs(world.senders)
            if any(sent.step <= way.last and _meet(_sent([sent], prompts), way.reached) for way in ways)
        )
        run = (world.counterfactual, frozenset(arriving))
        if not arriving or run in runs:
            costs[world] = 0.0
        else:
            again = sum(_through_heads(way, arriving, prompts) for way in ways)
            costs[world] = prompts.onward(received) * prompts.deep(arriving) + again
        runs.add(run)
    return costs


def _through_heads(way: _Way, arriving: Sequence[EditedAt], prompts: Prompts) -> float:
    """What a way takes on which the heads of a layer compute again."""
    if way.heads is None:
        return 0.0
    tokens = tuple(some | others for some, others in zip(way.received, _sent(arriving, prompts), strict=True))
    first = first_layer(min(each.step for each in arriving))
    return prompts.only(tokens) * max(0, way.heads + 1 - first) / prompts.layers


def _sent(edited: Iterable[EditedAt], prompts: Prompts) -> Tokens:
    return prompts.tokens(node.position for each in edited for node in each.nodes)


def _ways(receivers: Iterable[tuple[Node, str]], prompts: Prompts) -> list[_Way]:
    found: dict[int | None, list[tuple[str, Node]]] = {}
    for node, which in receivers:
        name = node.component.receives(which)
        found.setdefault(layer_of(name) if heads_lead_to(name) else None, []).append((name, node))
    ways: list[_Way] = []
    for heads, some in found.items():
        tokens = prompts.tokens(node.position for _, node in some)
        reached = tokens if heads is None else tuple(frozenset(range(max(each, default=-1) + 1)) for each in tokens)
        ways.append(_Way(heads, tokens, reached, max(last_step_to(name) for name, _ in some)))
    return ways or [_Way(None, prompts.ends, prompts.ends, after_all(prompts.layers))]


def _meet(some: Tokens, others: Tokens) -> bool:
    return any(one & other for one, other in zip(some, others, strict=True))


def _circuit_costs(worlds: Sequence[Isolated], outside: Outside, prompts: Prompts) -> dict[World, float]:
    """Of isolated circuits on the same replaced model: on from the first layer in which a world keeps something, over
    the tokens of what is kept and the one that is read; over all from the first on where heads are not replaced."""
    names = frozenset(outside.names(prompts.geometry))
    region = prompts.only if outside.stays(prompts.geometry) else prompts.onward
    kept = {
        world: prompts.tokens(node.position for node in world.kept if node.component.output in names)
        for world in worlds
    }
    costs: dict[World, float] = {}
    for world, tokens in kept.items():
        layers = (node.component.layer for node in world.kept if node.component.output in names)
        first = min((max(layer, 0) for layer in layers), default=prompts.layers - 1)
        costs[world] = region(tokens) * (prompts.layers - first) / prompts.layers
    return costs

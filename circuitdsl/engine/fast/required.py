"""The activations that worlds require of the runs that they share: at which hook points, and at which tokens there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import torch
from torch import Tensor

from circuitdsl.actions import Action
from circuitdsl.components import Head, Node
from circuitdsl.engine import hook_names
from circuitdsl.engine.fast.cached import Required, joined
from circuitdsl.engine.fast.hook_points import first_layer, heads_lead_to, layer_of, residual, step_of
from circuitdsl.engine.fast.outside import Outside
from circuitdsl.engine.fast.worlds import Places, keys_and_values
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Corrupted,
    EdgesKept,
    FromCounterfactual,
    Intervened,
    Isolated,
    Patched,
    Sketched,
    Source,
    World,
)


def required_of_clean(world: World, places: Places) -> Required:
    """What a world requires of the clean run, beside what its readings do. Raises CannotMeasure."""
    edited = _edited(world, places)
    if not edited:
        return {}
    start = first_layer(min(map(step_of, edited)))
    match world:
        case Ablated(nodes=nodes):
            return joined(edited, _onward(start, nodes, places))
        case Intervened(actions=actions):
            return joined(edited, _onward(start, (node for action in actions for node in action.nodes), places))
        case Patched(under=under):
            # Where an intervention has not reached, the run that is patched is the clean one.
            edited = edited if under is None else joined(edited, required_of_clean(under, places))
            return joined(edited, required_of_patched(world, places))
        case Isolated():  # it is stacked on the run that keeps nothing
            return edited
        case Clean() | Corrupted() | Sketched() | EdgesKept():  # the last is the plain engine's
            return {}
        case _:
            assert_never(world)


def required_of_patched(world: Patched, places: Places) -> Required:
    """What path patching requires of the run that it patches, the clean one or one under an intervention.

    Raises CannotMeasure.
    """
    layers = range(places.geometry.n_layers)
    senders = _outputs(world.senders, places)
    names = {node.component.receives(which) for node, which in world.receivers}
    ends = set(map(layer_of, names))
    received = _tokens((node for node, _ in world.receivers), places)
    # Heads that compute again bring along what was sent at other tokens.
    run = received | _tokens(world.senders, places) if any(map(heads_lead_to, names)) else received
    # A pass may begin at any sender: those before it need not stand where anything is received.
    begins = {max(layer_of(name), 0) for name in senders}
    frozen: Required = dict.fromkeys(
        [*map(residual, begins | ends), *map(hook_names.z, layers[min(begins | ends) :])], run | _end(places)
    )
    if not world.receivers:
        return frozen
    beyond: Required = dict.fromkeys(map(residual, ends), _from_first(received, places))
    return joined(joined(frozen, beyond), dict.fromkeys(keys_and_values(layers[min(ends) :])))


def required_of_sources(world: World, places: Places) -> dict[Source, Required]:
    """What a world requires of each source of replaced activations. Raises CannotMeasure."""
    match world:
        case Ablated(source=source) | Sketched(source=source) | Isolated(source=source):
            return {source: _edited(world, places)}
        case Patched(counterfactual=name, under=under):
            found = {} if under is None else required_of_sources(under, places)
            source = FromCounterfactual(name)
            return found | {source: joined(found.get(source, {}), _edited(world, places))}
        case Intervened(actions=actions, sources=sources):
            found: dict[Source, Required] = {}
            for action, source in zip(actions, sources, strict=True):
                if source is not None:
                    found[source] = joined(found.get(source, {}), _acted(action, places))
            return found
        case Clean() | Corrupted() | EdgesKept():  # the last is the plain engine's
            return {}
        case _:
            assert_never(world)


def _edited(world: World, places: Places) -> Required:
    """Where a world replaces activations; of path patching, at the senders."""
    match world:
        case Ablated(nodes=nodes) | Sketched(nodes=nodes) | Patched(senders=nodes):
            return _outputs(nodes, places)
        case Isolated():
            return dict.fromkeys(Outside.of(world).names(places.geometry))
        case Intervened(actions=actions):
            found: Required = {}
            for action in actions:
                found = joined(found, _acted(action, places))
            return found
        case Clean() | Corrupted() | EdgesKept():  # the last is the plain engine's
            return {}
        case _:
            assert_never(world)


def _acted(action: Action, places: Places) -> Required:
    if not action.of_pattern:
        return _outputs(action.nodes, places)
    return {n.component.pattern: None for n in action.nodes if isinstance(n.component, Head)}


def _outputs(nodes: Iterable[Node], places: Places) -> Required:
    found: Required = {}
    for node in nodes:
        found = joined(found, {node.component.output: places.where(node.position).planned})
    return found


def _onward(start: int, nodes: Iterable[Node], places: Places) -> Required:
    """What a run requires that computes everything again from a layer and from the first of these tokens on."""
    begin: Required = {residual(start): _from_first(_tokens(nodes, places), places)}
    return joined(begin, dict.fromkeys(keys_and_values(range(start, places.geometry.n_layers))))


def _tokens(nodes: Iterable[Node], places: Places) -> Tensor:
    tokens = torch.zeros_like(places.batch.real)
    for node in nodes:
        tokens = tokens | places.where(node.position).planned
    return tokens


def _from_first(tokens: Tensor, places: Places) -> Tensor:
    return ((tokens.cumsum(1) > 0) & places.batch.real) | _end(places)


def _end(places: Places) -> Tensor:
    mask = torch.zeros_like(places.batch.real)
    return mask.scatter(1, places.batch.ends[:, None], True)

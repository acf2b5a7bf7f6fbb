"""What worlds will read of the runs that they share: at which points, and there at which tokens."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from circuitdsl.engine import hooks
from circuitdsl.engine.fast.held import Wanted, joined
from circuitdsl.engine.fast.points import layer_of, parts_at, residual
from circuitdsl.engine.fast.worlds import Places, everything, keys_and_values
from circuitdsl.language.circuit import Action, Head, Node, Position
from circuitdsl.measures.experiments import Ablated, FromCounterfactual, Intervened, Isolated, Patched, Source, World


def of_clean(world: World, places: Places) -> Wanted:
    """What a world reads of the clean run. Raises CannotMeasure."""
    edited = _edited(world, places)
    if not edited:
        return {}
    start = max(min(map(parts_at, edited)), 0) // 2
    match world:
        case Ablated(nodes=nodes):
            return joined(edited, _onward(start, nodes, places))
        case Intervened(actions=actions):
            return joined(edited, _onward(start, (node for action in actions for node in action.nodes), places))
        case Patched(under=None):
            return joined(edited, of_patched(world, places))
        case Patched(under=Intervened() as under):
            # Where the intervention has not reached, the run that is patched is the clean one.
            return joined(joined(edited, of_clean(under, places)), of_patched(world, places))
        case _:
            return edited


def of_patched(world: Patched, places: Places) -> Wanted:
    """What path patching reads of the run that it patches, the clean one or one under an intervention. Raises
    CannotMeasure."""
    layers = range(places.geometry.n_layers)
    senders = _outputs(world.senders, places)
    ends = {layer_of(hooks.receiver(node, which)) for node, which in world.receivers}
    received = _tokens((node for node, _ in world.receivers), places)
    # A stack may begin at any sender: those before it need not stand where anything is received.
    begins = {max(layer_of(name), 0) for name in senders}
    names = [*map(residual, begins), *map(hooks.z, layers[min(begins | ends) :])]
    on_the_way: Wanted = dict.fromkeys(names, received | _end(places))
    if not world.receivers:
        return on_the_way
    beyond: Wanted = dict.fromkeys(map(residual, ends), _from_first(received, places))
    return joined(joined(on_the_way, beyond), dict.fromkeys(keys_and_values(layers[min(ends) :])))


def of_sources(world: World, places: Places) -> dict[Source, Wanted]:
    """What a world reads of each source of replaced activations. Raises CannotMeasure."""
    match world:
        case Ablated(source=source) | Isolated(source=source):
            return {source: _edited(world, places)}
        case Patched(counterfactual=name, under=under):
            found = {} if under is None else of_sources(under, places)
            source = FromCounterfactual(name)
            return found | {source: joined(found.get(source, {}), _edited(world, places))}
        case Intervened(actions=actions, sources=sources):
            found: dict[Source, Wanted] = {}
            for action, source in zip(actions, sources, strict=True):
                if source is not None:
                    found[source] = joined(found.get(source, {}), _acted(action, places))
            return found
        case _:
            return {}


def _edited(world: World, places: Places) -> Wanted:
    """Where a world replaces activations; of path patching, at the senders."""
    match world:
        case Ablated(nodes=nodes) | Patched(senders=nodes):
            return _outputs(nodes, places)
        case Isolated(mlps=mlps):
            return dict.fromkeys(everything(mlps, places.geometry))
        case Intervened(actions=actions):
            found: Wanted = {}
            for action in actions:
                found = joined(found, _acted(action, places))
            return found
        case _:
            return {}


def _acted(action: Action, places: Places) -> Wanted:
    if action.kind != "attend":
        return _outputs(action.nodes, places)
    return {hooks.pattern(n.component.layer): None for n in action.nodes if isinstance(n.component, Head)}


def _outputs(nodes: Iterable[Node], places: Places) -> Wanted:
    found: Wanted = {}
    for node in nodes:
        found = joined(found, {hooks.output(node.component): places.where(node.position)})
    return found


def _onward(start: int, nodes: Iterable[Node], places: Places) -> Wanted:
    """What a run needs that computes everything again from a layer and from the first of these tokens on."""
    begin: Wanted = {residual(start): _from_first(_tokens(nodes, places), places)}
    return joined(begin, dict.fromkeys(keys_and_values(range(start, places.geometry.n_layers))))


def _tokens(nodes: Iterable[Node], places: Places) -> Tensor:
    tokens = torch.zeros_like(places.batch.real)
    for node in nodes:
        tokens = tokens | places.where(node.position)
    return tokens


def _from_first(tokens: Tensor, places: Places) -> Tensor:
    return ((tokens.cumsum(1) > 0) & places.batch.real) | _end(places)


def _end(places: Places) -> Tensor:
    return places.where(Position("END"))

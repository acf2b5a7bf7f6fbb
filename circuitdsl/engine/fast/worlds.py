"""From worlds to edits: what each changes, where, and which activations of other runs it needs for that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from circuitdsl.engine import hooks
from circuitdsl.engine.batch import Batch, mask_of
from circuitdsl.engine.fast.architecture import Network
from circuitdsl.engine.fast.edits import Edit
from circuitdsl.engine.fast.held import Held
from circuitdsl.engine.fast.points import keys_at, values_at
from circuitdsl.engine.interventions import attend
from circuitdsl.language.circuit import Action, Component, Head, Mlp, Node, PosEmbed, Position
from circuitdsl.language.environment import Geometry
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Corrupted,
    FromCounterfactual,
    Intervened,
    Isolated,
    Patched,
    Source,
    World,
)

# --- before anything runs --------------------------------------------------------------------------


def components(world: World) -> frozenset[Component]:
    """Everything in the model that a world names."""
    match world:
        case Ablated(nodes=nodes) | Isolated(kept=nodes):
            return frozenset(node.component for node in nodes)
        case Patched(senders=senders, receivers=receivers, under=under):
            named = frozenset(node.component for node in (*senders, *(node for node, _ in receivers)))
            return named if under is None else named | components(under)
        case Intervened(actions=actions):
            return frozenset(node.component for action in actions for node in action.nodes)
        case Clean() | Corrupted():
            return frozenset()


def exists(component: Component, network: Network) -> bool:
    """Whether the network has such a component to be patched."""
    match component:
        case Mlp(layer=layer):
            return network.blocks[layer].mlp is not None
        case PosEmbed():
            return network.positions is not None
        case _:
            return True


def everything(mlps: bool, geometry: Geometry) -> tuple[str, ...]:
    """The points that an isolated circuit replaces where it keeps nothing."""
    return hooks.heads_and_mlps(geometry) if mlps else tuple(map(hooks.z, range(geometry.n_layers)))


def keys_and_values(layers: Iterable[int]) -> frozenset[str]:
    """The points of the keys and values that attention uses in some layers."""
    return frozenset(name for layer in layers for name in (keys_at(layer), values_at(layer)))


# --- over a batch of prompts -----------------------------------------------------------------------


@dataclass(frozen=True)
class Places:
    """Masks of nodes over one batch. A position is looked up in the prompts once, however many nodes stand there."""

    batch: Batch
    geometry: Geometry
    known: dict[Position, Tensor] = field(default_factory=dict)

    def where(self, position: Position) -> Tensor:
        """[prompts, tokens]. Raises CannotMeasure."""
        if position not in self.known:
            self.known[position] = mask_of(self.batch, position)
        return self.known[position]

    def outputs(self, nodes: Iterable[Node]) -> dict[str, Tensor]:
        """Where the nodes' outputs stand, by hook point."""
        return self._masks((node, hooks.output(node.component), self.geometry.n_heads) for node in nodes)

    def inputs(self, receivers: Iterable[tuple[Node, str]]) -> dict[str, Tensor]:
        """Where the receivers' inputs stand; a key or value belongs to its group of heads."""
        geometry = self.geometry
        return self._masks(
            (node, hooks.receiver(node, which), geometry.n_kv_heads if which in ("k", "v") else geometry.n_heads)
            for node, which in receivers
        )

    def _masks(self, marks: Iterable[tuple[Node, str, int]]) -> dict[str, Tensor]:
        result: dict[str, Tensor] = {}
        for node, name, columns in marks:
            where, component = self.where(node.position), node.component
            if not isinstance(component, Head):
                result[name] = result[name] | where[..., None] if name in result else where[..., None]
                continue
            if name not in result:
                result[name] = torch.zeros((*where.shape, columns, 1), dtype=torch.bool, device=where.device)
            result[name][..., component.index * columns // self.geometry.n_heads, 0] |= where
        return result


Values = Mapping[str, Tensor | Held]
"""What is put in by hook point: held by token, or a tensor that broadcasts to every token."""


def edits_of(
    world: World, places: Places, values: Callable[[Source], Values], clean: Mapping[str, Held]
) -> tuple[Edit, ...]:
    """A world's edits in their order; of path patching, those at the senders alone. Raises CannotMeasure."""
    match world:
        case Ablated(nodes=nodes, source=source):
            return _replaced(nodes, source, places.outputs(nodes), values(source))
        case Isolated(source=source):
            return _replaced(world.kept, source, _outside(world, places), values(source))
        case Patched(senders=senders, counterfactual=name):
            source = FromCounterfactual(name)
            return _replaced(senders, source, places.outputs(senders), values(source))
        case Intervened(actions=actions, sources=sources):
            pairs = zip(actions, sources, strict=True)
            return tuple(edit for action, source in pairs for edit in _acts(action, source, places, values, clean))
        case Clean() | Corrupted():
            return ()


def _replaced(
    nodes: Iterable[Node], source: Source | None, masks: Mapping[str, Tensor], values: Values
) -> tuple[Edit, ...]:
    """Edits known by the nodes at each point, and by the source (None for the clean run)."""
    keys: dict[str, frozenset[Node]] = {}
    for node in nodes:
        name = hooks.output(node.component)
        keys[name] = keys.get(name, frozenset()) | {node}
    return tuple(Edit(name, (keys.get(name), source), mask, values[name]) for name, mask in masks.items())


def _outside(world: Isolated, places: Places) -> dict[str, Tensor]:
    """Where the outputs of everything outside the kept nodes stand."""
    geometry, real = places.geometry, places.batch.real
    kept = places.outputs(world.kept)
    shapes = {hooks.z(layer): (*real.shape, geometry.n_heads, 1) for layer in range(geometry.n_layers)}
    points = {
        name: real[..., None, None].expand(shapes[name]) if name in shapes else real[..., None]
        for name in everything(world.mlps, geometry)
    }
    return {name: mask & ~kept[name] if name in kept else mask for name, mask in points.items()}


def _acts(
    action: Action,
    source: Source | None,
    places: Places,
    values: Callable[[Source], Values],
    clean: Mapping[str, Held],
) -> tuple[Edit, ...]:
    where = places.outputs(action.nodes)
    if action.kind == "attend":
        writes = attend(action, places.batch, places.geometry)
        return tuple(Edit(w.name, action, w.mask.to(w.new(w.mask).device), w.new(w.mask)) for w in writes)
    if action.kind == "scale":
        zero = torch.zeros((), device=places.batch.tokens.device)
        return tuple(Edit(name, action, mask, zero, action.factor) for name, mask in where.items())
    if action.kind == "freeze":
        return _replaced(action.nodes, None, where, clean)
    return () if source is None else _replaced(action.nodes, source, where, values(source))


def touched(edits: Iterable[Edit], batch: Batch) -> Tensor:
    """The tokens [prompts, tokens] at which anything is edited."""
    tokens = torch.zeros_like(batch.real)
    for edit in edits:
        tokens |= edit.tokens
    return tokens


def union(masks: Iterable[Tensor], batch: Batch) -> Tensor:
    """The tokens [prompts, tokens] at which any mask [prompts, tokens, ...] is true."""
    tokens = torch.zeros_like(batch.real)
    for mask in masks:
        tokens |= mask.flatten(2).any(-1)
    return tokens

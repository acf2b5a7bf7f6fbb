"""TransformerLens's hook points by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from circuitdsl.components import Component, Dictionary, Geometry, Neuron, OfDictionary, all_mlps
from circuitdsl.engine.named import components
from circuitdsl.measures.experiments import Isolated, World

if TYPE_CHECKING:
    from torch import Tensor

Activations = Mapping[str, "Tensor"]
"""Activations by hook point."""

FIRST_BLOCK = "blocks.0.hook_resid_post"
"""The residual stream [prompts, length, d_model] after the first layer."""

EMBEDDINGS = ("hook_embed", "hook_pos_embed")
"""The embeddings of tokens and of positions: [prompts, length, d_model]."""


def z(layer: int) -> str:
    """Outputs of a layer's heads before W_O: [prompts, length, heads, d_head]."""
    return f"blocks.{layer}.attn.hook_z"


def pattern(layer: int) -> str:
    """Attention probabilities: [prompts, heads, query, key]."""
    return f"blocks.{layer}.attn.hook_pattern"


def all_heads(geometry: Geometry) -> tuple[str, ...]:
    """The hook points of the outputs of every head, one a layer."""
    return tuple(map(z, range(geometry.n_layers)))


def all_mlp_outputs(geometry: Geometry) -> tuple[str, ...]:
    """The hook points of the outputs of every MLP; none in an attention-only model."""
    return tuple(mlp.output for mlp in all_mlps(geometry))


def heads_and_mlps(geometry: Geometry) -> tuple[str, ...]:
    """The hook points of the outputs of every head and MLP."""
    return all_heads(geometry) + all_mlp_outputs(geometry)


def replaced_outside(mlps: bool, geometry: Geometry) -> tuple[str, ...]:
    """The hook points that an isolated circuit replaces where it keeps nothing: of all heads, and MLPs if ``mlps``."""
    return heads_and_mlps(geometry) if mlps else all_heads(geometry)


def neurons_of(components: Iterable[Component]) -> dict[str, str]:
    """Of the MLPs that neurons among these are part of: their hook points, and those of all their neurons."""
    return {component.mlp: component.output for component in components if isinstance(component, Neuron)}


def further(worlds: Iterable[World], geometry: Geometry) -> frozenset[str]:
    """The hook points of components that worlds name, other than embeddings, heads and MLPs; and of all features and
    errors that they replace."""
    worlds = tuple(worlds)
    named = frozenset(component.output for world in worlds for component in components(world))
    kept = (world.features for world in worlds if isinstance(world, Isolated) and world.features)
    parts = (name for features in kept for each in features.dictionaries for name in (each.features, each.error))
    return named.union(parts) - {*EMBEDDINGS, *heads_and_mlps(geometry)}


def dictionaries(worlds: Iterable[World]) -> frozenset[Dictionary]:
    """The dictionaries whose features or errors worlds name or replace."""
    worlds = tuple(worlds)
    named = (component for world in worlds for component in components(world))
    kept = (world.features for world in worlds if isinstance(world, Isolated) and world.features)
    replaced = frozenset(dictionary for features in kept for dictionary in features.dictionaries)
    return replaced | {component.dictionary for component in named if isinstance(component, OfDictionary)}


def norm_scales(geometry: Geometry) -> tuple[str, ...]:
    """The hook points of the scales that norms divide by; a model has those of its norms."""
    blocks = [f"blocks.{layer}.{norm}.hook_scale" for layer in range(geometry.n_layers) for norm in ("ln1", "ln2")]
    return ("embed_ln.hook_scale", *blocks, "ln_final.hook_scale")

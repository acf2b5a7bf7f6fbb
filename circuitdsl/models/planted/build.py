"""From plans of heads and neurons to weights, and from weights to a TransformerLens model."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from circuitdsl.components import Head
from circuitdsl.models.planted.plans import PlantedModel
from circuitdsl.models.planted.vocabulary import word_tokenizer
from circuitdsl.models.planted.wiring import (
    TEXTURES,
    Direction,
    HeadPlan,
    NeuronPlan,
    Wire,
    clock_features,
    murmurs,
    texture,
)

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

Features = Mapping[str, int]
"""The coordinate of every feature in the residual stream."""


def build(planted: PlantedModel) -> TransformerBridge:
    """The planted model as a TransformerLens model: no norms; MLPs with ReLU, if it has any; no biases but theirs."""
    from transformer_lens.config import TransformerBridgeConfig
    from transformer_lens.model_bridge.sources.native import boot as boot_native

    geometry = planted.geometry
    config = TransformerBridgeConfig(
        d_model=geometry.d_model,
        d_head=geometry.d_head,
        n_layers=geometry.n_layers,
        n_ctx=geometry.n_ctx,
        n_heads=geometry.n_heads,
        d_vocab=geometry.d_vocab,
        d_mlp=geometry.d_mlp,
        act_fn="relu" if planted.mlps else "gelu_new",
        normalization_type=None,
        architecture="TransformerLensNative",
        attn_only=not planted.mlps,
        seed=0,
        model_name=geometry.model,
    )
    tokenizer = word_tokenizer(planted.vocabulary, geometry.model)
    bridge = boot_native(config, tokenizer=tokenizer)
    weights = planted_weights(planted)
    with torch.no_grad():
        for name, parameter in bridge.named_parameters():
            parameter.copy_(weights[name.replace("_original_component.", "")])
    return bridge


def planted_weights(planted: PlantedModel) -> dict[str, torch.Tensor]:
    """Every parameter of the model by its name, without TransformerLens's wrappers, as [output, input]."""
    geometry, features = planted.geometry, {name: number for number, name in enumerate(planted.features)}
    weights = {
        "tok_embed.weight": _embedding(planted, features),
        "pos.weight": torch.stack([_vector(tuple(clock_features(p).items()), features) for p in range(geometry.n_ctx)]),
        "head.weight": _unembedding(planted, features),
    }
    width = geometry.n_heads * geometry.d_head
    for layer in range(geometry.n_layers):
        plans = [planted.heads[Head(layer, index)] for index in range(geometry.n_heads)]
        for name, parts in _attention(plans, geometry.d_head, features).items():
            weights[f"layers.{layer}.attn.{name}.weight"] = parts
        for name in "qkv":
            weights[f"layers.{layer}.attn.{name}.bias"] = torch.zeros(width)
        weights[f"layers.{layer}.attn.o.bias"] = torch.zeros(geometry.d_model)
    for layer, plans in enumerate(planted.mlps):
        weights |= {f"layers.{layer}.mlp.{name}": each for name, each in _mlp(plans, geometry.d_mlp, features).items()}
    return weights


def _vector(direction: Direction, features: Features) -> torch.Tensor:
    vector = np.zeros(len(features), dtype=np.float32)  # single entries of a tensor take much longer
    for name, weight in direction:
        vector[features[name]] += np.float32(weight)
    return torch.from_numpy(vector)


def _embedding(planted: PlantedModel, features: Features) -> torch.Tensor:
    """[d_vocab, d_model]: a token's own word, its kind, what it asks, and a texture of its own."""
    rng = random.Random(1)
    vocabulary = planted.vocabulary
    rows = []
    for token, loudness in zip(vocabulary.tokens, vocabulary.loudness, strict=True):
        written = {texture(number): rng.gauss(0, 1) for number in range(TEXTURES)}
        written |= dict.fromkeys(planted.token_features(token), 1.0)
        if (word := f"word:{token}") in features:
            written[word] = loudness
        rows.append(_vector(tuple(written.items()), features))
    return torch.stack(rows)


def _unembedding(planted: PlantedModel, features: Features) -> torch.Tensor:
    """[d_vocab, d_model]: a token's logit is its feature in the space ``answer``, 0 if it has none."""
    answers = [f"answer:{token}" for token in planted.vocabulary.tokens]
    return torch.stack([_vector(((answer, 1.0),) if answer in features else (), features) for answer in answers])


def _attention(plans: Sequence[HeadPlan], d_head: int, features: Features) -> dict[str, torch.Tensor]:
    """Weights q, k, v [heads * d_head, d_model] and o [d_model, heads * d_head] of one layer."""
    blocks: dict[str, list[torch.Tensor]] = {"q": [], "k": [], "v": [], "o": []}
    for plan in plans:
        queries, keys = _factors(plan.scores, d_head, features)
        reads, writes = _factors(plan.writes, d_head, features)
        blocks["q"].append(queries * math.sqrt(d_head))  # attention divides scores by it
        blocks["k"].append(keys)
        blocks["v"].append(reads)
        blocks["o"].append(writes)
    joined = {name: torch.cat(parts) for name, parts in blocks.items()}
    return joined | {"o": joined["o"].T.contiguous()}


def _mlp(plans: Sequence[NeuronPlan], d_mlp: int, features: Features) -> dict[str, torch.Tensor]:
    """Weights and biases of one MLP; its last neurons are silent where another layer's has more."""
    reads, writes = torch.zeros(2, d_mlp, len(features))
    biases = torch.zeros(d_mlp)
    for row, plan in enumerate((*murmurs(), *plans)):
        reads[row], writes[row] = _vector(plan.reads, features), _vector(plan.writes, features)
        biases[row] -= plan.threshold
    return {
        "fc_in.weight": reads,
        "fc_in.bias": biases,
        "fc_out.weight": writes.T.contiguous(),
        "fc_out.bias": torch.zeros(len(features)),
    }


def _factors(wires: Sequence[Wire], d_head: int, features: Features) -> tuple[torch.Tensor, torch.Tensor]:
    """Sources and targets of the wires, one a row, filled up to [d_head, d_model]."""
    factors = torch.zeros(2, d_head, len(features))
    for row, wire in enumerate(wires):
        factors[0, row] = _vector(wire.source, features)
        factors[1, row] = _vector(wire.target, features)
    return factors[0], factors[1]

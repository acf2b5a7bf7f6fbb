"""Models of public shapes with random weights, and prompts of random tokens laid out like IOI's."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from circuitdsl.components import Geometry
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.experiments import Data
from circuitdsl.models import Model
from circuitdsl.tasks.prompts import Prompt

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel

DATA = Data(TaskRef("random"), 0, False)
COUNTERFACTUAL = "abc"
ANSWER, WRONG = 5, 7  # tokens whose logits' difference every case reads


@dataclass(frozen=True)
class Shape:
    """A model of GPT-2's architecture."""

    layers: int
    heads: int
    width: int
    vocabulary: int = 50257


SHAPES = {
    "tiny": Shape(4, 4, 64, 512),
    "small": Shape(12, 12, 768),
    "medium": Shape(24, 16, 1024),
}


def model_of(name: str, device: str = "cpu") -> Model:
    """A model of the named shape, on a device."""
    return shaped(SHAPES[name], name, device)


def shaped(shape: Shape, name: str, device: str = "cpu") -> Model:
    """A model of any shape, under a name of its own, on a device."""
    from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_from_module

    network = network_of(shape)
    torch.nn.Module.to(network, torch.device(device))
    bridge = build_bridge_from_module(
        network,
        architecture="GPT2LMHeadModel",
        hf_config=network.config,
        tokenizer=None,
        dtype=torch.float32,
    )
    bridge.requires_grad_(False)
    d_head = shape.width // shape.heads
    geometry = Geometry(
        name,
        shape.layers,
        shape.heads,
        shape.heads,
        shape.width,
        d_head,
        4 * shape.width,
        shape.vocabulary,
        network.config.n_positions,
    )
    return Model(f"{name}-shaped", bridge, geometry, None, "none")


def network_of(shape: Shape) -> GPT2LMHeadModel:
    """Hugging Face's model of a shape; the same weights every time."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(n_layer=shape.layers, n_head=shape.heads, n_embd=shape.width, vocab_size=shape.vocabulary)
    return GPT2LMHeadModel(config).eval()


def prompts_of(count: int, length: int, vocabulary: int) -> tuple[Prompt, ...]:
    """Prompts of equal length with the positions IO, S1, S1+1, S2 and END."""
    rng = random.Random(0)

    def row() -> tuple[int, ...]:
        return tuple(rng.randrange(vocabulary) for _ in range(length))

    places = {"IO": (length // 8,), "S1": (length // 4,), "S2": (length * 5 // 8,), "END": (length - 1,)}
    return tuple(
        Prompt(f"prompt {i}", row(), ANSWER, (WRONG,), (ANSWER, WRONG), places, {COUNTERFACTUAL: row()}, "t")
        for i in range(count)
    )

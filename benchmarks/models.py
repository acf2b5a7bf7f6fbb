"""Models of public shapes with random weights, and prompts of random tokens laid out like IOI's."""

from __future__ import annotations

import atexit
import json
import random
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from circuitdsl.components import Dictionary, Geometry
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.experiments import Data
from circuitdsl.models import Model
from circuitdsl.models.dictionaries import SETTINGS, WEIGHTS, describe_dictionary
from circuitdsl.models.planted.vocabulary import task_vocabulary
from circuitdsl.models.word_level import BOS, PAD, UNK, by_words
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


SUPPRESSION = 8.0
"""How strongly the first head of a folder's model takes away what stands in the prompt."""


def write_folder(shape: Shape, folder: Path) -> None:
    """A model of a shape in Hugging Face's format, with a tokenizer that has the words of IOI.

    Its weights are random but for one head, which makes every word of the prompt less likely, and so S, which stands
    there twice, less likely than IO: where a model does not do the task, no heads are searched.
    """
    network = network_of(shape)
    weights = network.state_dict()
    read, write = (weights[f"transformer.h.0.attn.{name}.weight"] for name in ("c_attn", "c_proj"))
    own, values = shape.width // shape.heads, 2 * shape.width
    read[:, :own] = 0  # its queries, so that it looks everywhere
    read[:, values : values + own] = torch.eye(shape.width, own)
    write[:own] = -SUPPRESSION * torch.eye(own, shape.width)
    network.save_pretrained(folder)
    by_words((PAD, BOS, UNK, *task_vocabulary().tokens), network.config.n_positions).save_pretrained(folder)


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


WIDER = 4
"""How many times as many features a dictionary has as the stream is wide."""


@cache
def dictionary_of(geometry: Geometry, layer: int) -> Dictionary:
    """A sparse autoencoder of random weights for what a layer's heads write together; its folder goes with the process.

    Half of its features are active, far more than in a trained one: which they are makes no difference to the cost.
    """
    folder = Path(mkdtemp(prefix="circuitdsl-benchmark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    width, count = geometry.d_model, WIDER * geometry.d_model
    generator = torch.Generator().manual_seed(layer)
    encoder = torch.randn(width, count, generator=generator)
    weights = {
        "W_enc": encoder,
        "b_enc": torch.zeros(count),
        "W_dec": (encoder / encoder.norm(dim=0)).T.contiguous(),
        "b_dec": torch.zeros(width),
    }
    settings = {"architecture": "standard", "d_in": width, "d_sae": count, "normalize_activations": "none"}
    (folder / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
    save_file(weights, folder / WEIGHTS)
    info = describe_dictionary(str(folder))
    return Dictionary("attn_out", layer, count, info.fingerprint, name=f"a{layer}", folder=info.folder)

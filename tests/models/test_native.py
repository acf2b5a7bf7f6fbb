"""TransformerLens's own models from a folder: what they compute is what their weights and settings say."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from circuitdsl.engine.fast.engine import engine_for
from circuitdsl.language.environment import UnknownName
from circuitdsl.models import ModelError, geometry_of, open_model
from circuitdsl.models.folders import MINI

torch.set_num_threads(1)

LAYERS, HEADS, WIDTH, D_HEAD, D_MLP, WORDS, LONGEST = 2, 3, 12, 4, 20, 208, 32
TOKENS = torch.tensor([[5, 6, 7, 8, 5, 6]])
ATTENTION_ONLY: dict[str, Any] = {
    "n_layers": LAYERS,
    "n_heads": HEADS,
    "d_model": WIDTH,
    "d_head": D_HEAD,
    "d_mlp": D_MLP,
    "d_vocab": WORDS,
    "n_ctx": LONGEST,
    "act_fn": "relu",
    "attn_only": True,
    "normalization_type": None,
}
TOY = ATTENTION_ONLY | {"attn_only": False}


def weights_of(config: dict[str, Any]) -> dict[str, Tensor]:
    """A state dict as HookedTransformer wrote it."""
    draw = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return 0.5 * torch.randn(*shape, generator=draw)

    weights = {
        "embed.W_E": normal(WORDS, WIDTH),
        "pos_embed.W_pos": normal(LONGEST, WIDTH),
        "unembed.W_U": normal(WIDTH, WORDS),
        "unembed.b_U": normal(WORDS),
    }
    for layer in range(LAYERS):
        at = f"blocks.{layer}"
        weights |= {f"{at}.attn.W_{each}": normal(HEADS, WIDTH, D_HEAD) for each in "QKV"}
        weights |= {f"{at}.attn.b_{each}": normal(HEADS, D_HEAD) for each in "QKV"}
        weights |= {f"{at}.attn.W_O": normal(HEADS, D_HEAD, WIDTH), f"{at}.attn.b_O": normal(WIDTH)}
        weights |= {f"{at}.attn.mask": torch.ones(LONGEST, LONGEST).tril().bool(), f"{at}.attn.IGNORE": torch.ones(1)}
        if not config["attn_only"]:
            weights |= {f"{at}.mlp.W_in": normal(WIDTH, D_MLP), f"{at}.mlp.b_in": normal(D_MLP)}
            weights |= {f"{at}.mlp.W_out": normal(D_MLP, WIDTH), f"{at}.mlp.b_out": normal(WIDTH)}
    return weights


def by_hand(weights: dict[str, Tensor], tokens: Tensor, config: dict[str, Any]) -> Tensor:
    """Logits [1, n, words] by the formulas of Elhage et al. 2021, with biases."""
    length = tokens.shape[1]
    x = weights["embed.W_E"][tokens[0]] + weights["pos_embed.W_pos"][:length]
    later = torch.ones(length, length).triu(1).bool()
    for layer in range(LAYERS):
        at = f"blocks.{layer}"
        added = weights[f"{at}.attn.b_O"].clone().expand(length, WIDTH).clone()
        for head in range(HEADS):
            q, k, v = (x @ weights[f"{at}.attn.W_{e}"][head] + weights[f"{at}.attn.b_{e}"][head] for e in "QKV")
            pattern = (q @ k.T / math.sqrt(D_HEAD)).masked_fill(later, -math.inf).softmax(-1)
            added += pattern @ v @ weights[f"{at}.attn.W_O"][head]
        x = x + added
        if not config["attn_only"]:
            inside = (x @ weights[f"{at}.mlp.W_in"] + weights[f"{at}.mlp.b_in"]).relu()
            x = x + inside @ weights[f"{at}.mlp.W_out"] + weights[f"{at}.mlp.b_out"]
    return (x @ weights["unembed.W_U"] + weights["unembed.b_U"])[None]


def saved(folder: Path, config: dict[str, Any], weights: dict[str, Tensor], pickled: bool = False) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((MINI / name).read_bytes())
    if pickled:
        torch.save(weights, folder / "model_final.pth")
    else:
        save_file(weights, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(("config", "pickled"), [(ATTENTION_ONLY, False), (ATTENTION_ONLY, True), (TOY, False)])
def test_a_folder_computes_what_its_weights_say(tmp_path, config, pickled):
    weights = weights_of(config)
    model = open_model(saved(tmp_path / "m", config, weights, pickled))
    with torch.no_grad():
        torch.testing.assert_close(model.bridge(TOKENS), by_hand(weights, TOKENS, config), atol=1e-4, rtol=1e-4)
    assert geometry_of(model.name) == model.geometry
    assert model.geometry.d_mlp == (0 if config["attn_only"] else D_MLP)
    assert engine_for(model).name == "fast"


def test_what_a_bridge_saves_is_opened_too(tmp_path):
    weights = weights_of(TOY)
    bridge = open_model(saved(tmp_path / "theirs", TOY, weights)).bridge
    again = open_model(saved(tmp_path / "ours", TOY, dict(bridge.state_dict())))
    with torch.no_grad():
        assert torch.equal(again.bridge(TOKENS), bridge(TOKENS))


def test_weights_that_are_missing_or_left_over_are_named(tmp_path):
    weights = weights_of(TOY)
    del weights["blocks.1.mlp.b_in"]
    weights["blocks.2.mlp.b_in"] = torch.zeros(D_MLP)
    with pytest.raises(ModelError) as error:
        open_model(saved(tmp_path / "m", TOY, weights))
    assert "missing are blocks.1.mlp.in.bias; of no part of the model are blocks.2.mlp.in.bias" in error.value.message


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"attention_dir": "bidirectional"}, "attention_dir: bidirectional"),  # Tracr's are, unless they are causal
        ({"use_attn_scale": False}, "use_attn_scale: False"),
        ({"parallel_attn_mlp": True}, "parallel_attn_mlp: True"),
        ({"positional_embedding_type": "shortformer"}, "positional_embedding_type: shortformer"),
        ({"d_vocab_out": 3}, "other than its d_vocab"),
        ({"n_heads": 0}, "n_heads: 0"),
    ],
)
def test_what_the_native_model_does_not_compute_is_refused_before_it_is_opened(tmp_path, setting, says):
    folder = saved(tmp_path / "m", TOY | setting, {})
    with pytest.raises(UnknownName, match=says):
        geometry_of(str(folder))
    with pytest.raises(ModelError, match=says):
        open_model(folder)

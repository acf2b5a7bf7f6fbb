"""The geometry of models by name: from plans, folders, the Hugging Face cache and a table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from circuitdsl.components import Geometry
from circuitdsl.language.environment import UnknownName
from circuitdsl.models import geometry_of, model_names, open_model

GPT2 = {"model_type": "gpt2", "n_layer": 3, "n_head": 4, "n_embd": 32, "n_inner": None, "vocab_size": 99}
LLAMA = {
    "model_type": "llama",
    "num_hidden_layers": 5,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "hidden_size": 64,
    "head_dim": 16,
    "intermediate_size": 160,
    "vocab_size": 500,
    "max_position_embeddings": 256,
}
NEOX = {
    "model_type": "gpt_neox",
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 16,
    "intermediate_size": 64,
    "vocab_size": 50,
    "max_position_embeddings": 32,
}


def folder(path: Path, config: object) -> str:
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config), encoding="utf-8")
    return str(path)


def test_a_gpt2_folder(tmp_path):
    name = folder(tmp_path, GPT2 | {"n_positions": 64})
    assert geometry_of(name) == Geometry(name, 3, 4, 4, 32, 8, 128, 99, 64)


def test_a_llama_folder_with_grouped_queries(tmp_path):
    name = folder(tmp_path, LLAMA)
    assert geometry_of(name) == Geometry(name, 5, 8, 2, 64, 16, 160, 500, 256)


@pytest.mark.parametrize(("change", "longest"), [({"seq_length": 64}, 64), ({}, 2048)])
def test_a_bloom_folder_with_its_old_names_and_without_a_longest_prompt(tmp_path, change, longest):
    old = {"model_type": "bloom", "n_layer": 3, "num_attention_heads": 4, "n_embed": 32, "vocab_size": 99}
    name = folder(tmp_path, old | change)
    assert geometry_of(name) == Geometry(name, 3, 4, 4, 32, 8, 128, 99, longest)


@pytest.mark.parametrize(("change", "parallel"), [({}, True), ({"use_parallel_residual": False}, False)])
def test_parallel_blocks(tmp_path, change, parallel):
    assert geometry_of(folder(tmp_path, NEOX | change)).parallel_attn_mlp is parallel


def test_a_downloaded_model_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    stored = tmp_path / "models--someone--model"
    folder(stored / "snapshots" / "abc123", LLAMA)
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text("abc123")
    assert geometry_of("someone/model").n_layers == 5


def test_well_known_names_need_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert geometry_of("gpt2") == Geometry("gpt2", 12, 12, 12, 768, 64, 3072, 50257, 1024)
    assert geometry_of("pythia-70m").parallel_attn_mlp
    assert geometry_of("gpt2-medium").n_layers == 24


@pytest.mark.parametrize("name", ["x" * 5000, "~nobody_of_this_name/model", "a\0b", ""])
def test_names_that_no_file_can_have_are_unknown(name):
    with pytest.raises(UnknownName):
        geometry_of(name)


def test_an_unknown_name_says_what_is_known():
    with pytest.raises(UnknownName) as error:
        geometry_of("gtp2")
    assert {"gpt2", "mini", "planted-ioi"} <= set(error.value.known)
    assert "config.json" in error.value.remedy


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{ not json", "cannot be read"),
        ("[1, 2]", "is not a model's configuration"),
        ({"model_type": "gpt2", "n_head": 4, "n_embd": 32}, "has none of num_hidden_layers, n_layer"),
        (GPT2 | {"n_layer": "3", "n_positions": 64}, "has none of num_hidden_layers, n_layer"),
    ],
)
def test_a_broken_configuration_says_what_is_wrong(tmp_path, config, message):
    with pytest.raises(UnknownName) as error:
        geometry_of(folder(tmp_path, config))
    assert message in error.value.message
    assert str(tmp_path) in error.value.message


@pytest.mark.parametrize("name", [name for name, _ in model_names() if name.startswith("planted") or name == "mini"])
def test_the_geometry_of_shipped_models_is_that_of_the_open_model(name):
    assert geometry_of(name) == open_model(name).geometry


def test_no_model_library_is_loaded_for_a_geometry():
    code = (
        "import sys; from circuitdsl.models import geometry_of, model_names; model_names();"
        "[geometry_of(name) for name in ('planted-reuse', 'mini', 'gpt2')];"
        "print([m for m in ('torch', 'transformers', 'transformer_lens') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"

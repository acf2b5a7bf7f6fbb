"""A model is what it says: whole, of numbers, computed as Hugging Face computes it, and told from every other."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from folders_of_models import copied, weights_of, with_weights
from torch import Tensor
from transformers import AutoModelForCausalLM

from circuitdsl.models import ModelError, Opening, geometry_of, open_model
from circuitdsl.models.folders import MINI

torch.set_num_threads(1)

Weights = dict[str, Tensor]
ONE = "transformer.h.2.mlp.c_fc.weight"
IDS = {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
COMMON = IDS | {
    "vocab_size": 208,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
}
SMALL = {
    "llama": ("LlamaConfig", COMMON | {"tie_word_embeddings": False}),
    "mistral": ("MistralConfig", COMMON | {"num_key_value_heads": 1}),
    "phi": ("PhiConfig", COMMON),
    "gpt_neox": ("GPTNeoXConfig", COMMON),
    "mpt": ("MptConfig", IDS | {"d_model": 16, "n_layers": 2, "n_heads": 2, "vocab_size": 208, "max_seq_len": 64}),
    "bloom": ("BloomConfig", IDS | {"vocab_size": 208, "hidden_size": 16, "n_layer": 2, "n_head": 2}),
}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Callable[[str], Path]:
    """A folder of a family's small random model, with mini's tokenizer."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            made[family] = tmp_path_factory.mktemp(family)
            kind, settings = SMALL[family]
            torch.manual_seed(0)
            model = AutoModelForCausalLM.from_config(
                getattr(transformers, kind)(**settings, **({} if family == "mpt" else {"initializer_range": 0.4}))
            )
            for weight in model.parameters():
                weight.data += 0.3 * torch.randn_like(weight)
            model.save_pretrained(made[family])
            for name in ("tokenizer.json", "tokenizer_config.json"):
                (made[family] / name).write_bytes((MINI / name).read_bytes())
        return made[family]

    return folder


def refused(folder: Path) -> ModelError:
    with pytest.raises(ModelError) as error:
        open_model(folder)
    assert error.value.remedy
    return error.value


# --- whole ---------------------------------------------------------------------------------------------

LACKING: dict[str, tuple[dict[str, Any], Callable[[Weights], Weights], tuple[str, ...]]] = {
    "one missing": (
        {},
        lambda w: {key: value for key, value in w.items() if key != ONE},
        ("1 that the model has are not in its files", ONE),
    ),
    "compiled": (
        {},
        lambda w: {f"_orig_mod.{key}": value for key, value in w.items()},
        ("53 that the model has are not in its files", "_orig_mod.transformer.h.0"),
    ),
    "one too many": ({}, lambda w: w | {"score.weight": torch.zeros(3)}, ("no part of the model", "score.weight")),
    "another shape": (
        {},
        lambda w: w | {ONE: torch.zeros(3, 4)},
        ("another shape", f"{ONE} is [3, 4] and should be [128, 512]"),
    ),
    "a layer fewer": ({"n_layer": 3}, lambda w: w, ("no part of the model", "transformer.h.3.")),
    "a layer more": ({"n_layer": 5}, lambda w: w, ("not in its files", "transformer.h.4.")),
    "an unembedding of its own": ({"tie_word_embeddings": False}, lambda w: w, ("not in its files", "lm_head.weight")),
}


@pytest.mark.parametrize("case", LACKING)
def test_weights_that_are_missing_left_over_or_misshapen_are_named(case, tmp_path):
    config, change, says = LACKING[case]
    error = refused(with_weights(copied(tmp_path / "m", **config), change))
    assert "are not those that its config.json describes" in error.message
    assert all(each in error.message for each in says)


def test_a_llama_without_its_unembedding_is_refused(small, tmp_path):
    def without(weights: Weights) -> Weights:
        return {key: value for key, value in weights.items() if "lm_head" not in key}

    folder = with_weights(copied(tmp_path / "m", small("llama")), without)
    assert "lm_head.weight" in refused(folder).message


def test_masks_and_tables_of_old_checkpoints_are_no_weights(small, tmp_path):
    def masks(weights: Weights) -> Weights:
        bias = {f"transformer.h.{layer}.attn.bias": torch.ones(1, 1, 96, 96) for layer in range(4)}
        return weights | bias | {f"transformer.h.{layer}.attn.masked_bias": torch.ones(1) for layer in range(4)}

    def tables(weights: Weights) -> Weights:
        return weights | {f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": torch.ones(4) for layer in (0, 1)}

    for source, change in ((MINI, masks), (small("llama"), tables)):
        folder = with_weights(copied(tmp_path / source.name, source), change)
        assert open_model(folder).identity == open_model(source).identity


def test_values_that_are_no_numbers_are_named(tmp_path):
    error = refused(with_weights(copied(tmp_path / "m"), lambda w: w | {ONE: w[ONE] * float("nan")}))
    assert "the model gives NaN" in error.message and ONE in error.message


# --- computed as Hugging Face computes it ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "config"),
    [("", {"scale_attn_weights": False}), ("bloom", {"pretraining_tp": 2, "slow_but_exact": True})],
)
def test_a_setting_that_transformerlens_does_not_know_is_found_out(small, tmp_path, family, config):
    error = refused(copied(tmp_path / "m", small(family) if family else MINI, **config))
    assert "does not compute" in error.message and "as Hugging Face does: logits differ by up to" in error.message


def rope(kind: str, **more: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 1e4} | more}


OTHERWISE: dict[str, tuple[str, dict[str, Any]]] = {
    "inverse layer": ("", {"scale_attn_by_inverse_layer_idx": True}),
    "eps": ("", {"layer_norm_epsilon": 0.1}),
    "activation": ("", {"activation_function": "relu"}),
    "theta": ("llama", rope("default", rope_theta=100.0)),
    "linear": ("llama", rope("linear", factor=4.0)),
    "llama3": (
        "llama",
        rope("llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16),
    ),
    "window": ("mistral", {"sliding_window": 4}),
    "partial": ("phi", {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.25}}),
    "sequential": ("gpt_neox", {"use_parallel_residual": False}),
    "scale": ("mpt", {"attn_config": {"softmax_scale": 0.1}}),
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_what_changes_logits_changes_what_a_model_is_known_by(case, small, tmp_path):
    """With the same weights: the results store would answer for the other one, were it known by these alone."""
    family, config = OTHERWISE[case]
    source = small(family) if family else MINI
    plain, changed = open_model(source), open_model(copied(tmp_path / "m", source, **config))
    tokens = torch.arange(8, 28)[None]
    with torch.no_grad():
        logits = [model.bridge(tokens) for model in (plain, changed)]
        expected = AutoModelForCausalLM.from_pretrained(tmp_path / "m", dtype=torch.float32)(tokens).logits
    torch.testing.assert_close(logits[1], expected, atol=1e-3, rtol=0)
    assert (logits[0] - logits[1]).abs().max() > 1e-3
    assert plain.fingerprint == changed.fingerprint
    assert plain.identity != changed.identity


def test_only_prompts_of_the_length_whose_frequencies_longrope_keeps_are_measured(small, tmp_path):
    """Beside a longer one a prompt would give other figures, and the model's buffers would be others from then on."""
    source, scaling = small("llama"), {"short_factor": [1.0] * 4, "long_factor": [8.0] * 4, "factor": 2.0}
    config = rope("longrope", original_max_position_embeddings=30, **scaling)
    model = open_model(copied(tmp_path / "m", source, **config))
    assert model.geometry.n_ctx == geometry_of(str(tmp_path / "m")).n_ctx == 30
    older = {"rope_scaling": scaling | {"type": "longrope"}, "original_max_position_embeddings": 30}
    assert geometry_of(str(copied(tmp_path / "older", source, rope_parameters=None, **older))).n_ctx == 30
    assert open_model(source).geometry.n_ctx == geometry_of(str(source)).n_ctx == 64


def test_a_model_is_known_by_its_buffers_and_its_tokenizer_too(small, tmp_path):
    model = open_model(small("llama"))
    known = model.identity
    other = open_model(small("llama"))
    for name, buffer in other.bridge.named_buffers():
        if name.endswith("inv_freq"):
            buffer *= 2
    assert other.identity != known
    spelled = copied(tmp_path / "m", small("llama"))
    text = json.loads((spelled / "tokenizer.json").read_text("utf-8"))
    text["model"]["vocab"] = {word: 207 - token for word, token in text["model"]["vocab"].items()}
    (spelled / "tokenizer.json").write_text(json.dumps(text), encoding="utf-8")
    assert open_model(spelled).identity != known


def test_a_model_is_the_same_in_another_folder_and_after_its_tokenizer_was_used(small, tmp_path):
    model = open_model(small("llama"))
    moved = open_model(copied(tmp_path / "elsewhere", small("llama"), transformers_version="4.0.0"))
    moved.tokenizer(["a b", "a"], padding=True, truncation=True, max_length=5)
    assert moved.identity == model.identity
    assert open_model(small("llama"), "fold").identity != model.identity
    assert open_model(small("llama"), opening=Opening(dtype="bfloat16")).identity != model.identity


# --- files of every kind of wrong -------------------------------------------------------------------------


class Evil:
    """What runs a command where a pickle is believed."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def evil_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    filler = torch.zeros(400_000)
    torch.save({"weights": filler, "evil": Evil(folder / "ran")}, folder / "pytorch_model.bin")


def no_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps("x" * 2_000_000))


def cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1_000_000])


def own_code(folder: Path, **config: Any) -> None:
    path = folder / "config.json"
    auto = {"auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}}
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | auto | config), encoding="utf-8")
    (folder / "mine.py").write_text(f"import os\nos.mkdir({str(folder / 'ran')!r})\n", encoding="utf-8")


def written(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


def changed(**config: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | config), encoding="utf-8")

    return change


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut short": (cut_short, "its weights file is damaged"),
    "empty": (written("model.safetensors", b""), "its files hold 0 bytes"),
    "garbage": (written("model.safetensors", b"\x07" * 2_000_000), "its weights file is damaged"),
    "a pickle with a command": (evil_pickle, "a pickle that holds more than tensors"),
    "a pickle of something else": (no_pickle, "could not be opened"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "no file named model.safetensors"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer"),
    "half a tokenizer": (written("tokenizer.json", b"{"), "could not be opened"),
    "nested too deeply": (written("config.json", b"[" * 100_000), "cannot be read"),
    "a number of 5,000 digits": (written("config.json", b'{"n_layer": ' + b"9" * 5000 + b"}"), "cannot be read"),
    "a list": (written("config.json", b"[]"), "is not a model's configuration"),
    "GPTQ": (changed(quantization_config={"quant_method": "gptq", "bits": 4}), "are quantised (gptq)"),
    "bitsandbytes": (changed(quantization_config={"load_in_4bit": True}), "are quantised (a method of its own)"),
    "no heads": (changed(n_head=0), "has none of num_attention_heads, n_head"),
    "heads that do not divide": (changed(n_head=3), "must be divisible"),
    "a thousand million layers": (changed(n_layer=10**9), "describes at least 32,768,"),
    "an unknown activation": (changed(activation_function="blorp"), "blorp"),
    "an unknown precision": (changed(dtype="float7"), "float7"),
    "an unknown family with code": (lambda folder: own_code(folder, model_type="blorp"), "is of the family blorp"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_wrong_file_is_refused_with_a_remedy_and_nothing_in_it_is_run(case, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *asked: "y")
    damage, says = DAMAGE[case]
    folder = copied(tmp_path / "m")
    damage(folder)
    error = refused(folder)
    assert says in error.message
    assert str(folder) in f"{error.message} {error.remedy}"
    assert "weights_only" not in str(error) and "trust_remote_code" not in str(error)
    assert not (folder / "ran").exists()
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_a_known_family_with_code_of_its_own_is_opened_by_the_library(tmp_path, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *asked: "y")
    folder = copied(tmp_path / "m")
    own_code(folder)
    assert open_model(folder).fingerprint == open_model("mini").fingerprint
    assert not (folder / "ran").exists()


def test_weights_in_a_pickle_of_tensors_are_read(tmp_path):
    folder = copied(tmp_path / "m", _attn_implementation="blorp", attn_implementation="flash_attention_9")
    weights = weights_of(folder)
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    assert open_model(folder).fingerprint == open_model("mini").fingerprint


@pytest.mark.parametrize(
    ("family", "config"), [("phi", {"qk_layernorm": True}), ("gpt_neox", {"attention_bias": False})]
)
def test_a_variant_that_transformerlens_cannot_wrap_is_refused(small, tmp_path, family, config):
    """With weights of its own, as such a model would have."""
    kind, settings = SMALL[family]
    made = AutoModelForCausalLM.from_config(getattr(transformers, kind)(**settings, **config))
    folder = copied(tmp_path / "m", small(family))
    (folder / "model.safetensors").unlink()
    made.save_pretrained(folder)
    assert "could not be opened" in refused(folder).message or "does not compute" in refused(folder).message

"""Dictionaries in folders: what is read of them, and that everything else is refused, by its name and with a remedy."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from circuitdsl.components import Dictionary
from circuitdsl.language.environment import UnknownName
from circuitdsl.models import describe_dictionary, dictionaries, open_dictionary
from circuitdsl.models.model import ModelError
from written_dictionaries import ARCHITECTURES, described, features_of, random_arrays, write

SAELENS_6: dict[str, Any] = {
    # As SAELens 6 writes it.
    "d_in": 8,
    "d_sae": 5,
    "dtype": "float32",
    "device": "cpu",
    "apply_b_dec_to_input": False,
    "normalize_activations": "none",
    "reshape_activations": "none",
    "metadata": {"sae_lens_version": "6.21.0", "hook_name": "blocks.7.hook_attn_out", "hook_head_index": None},
    "architecture": "jumprelu",
}
FLAT: dict[str, Any] = {
    # As SAELens 3 to 5 wrote it, training and all; the oldest name no architecture.
    "model_name": "gpt2-small",
    "hook_name": "blocks.8.hook_resid_pre",
    "hook_layer": 8,
    "hook_head_index": None,
    "d_in": 8,
    "d_sae": 5,
    "activation_fn_str": "relu",
    "activation_fn_kwargs": {},
    "apply_b_dec_to_input": True,
    "finetuning_scaling_factor": False,
    "normalize_activations": False,
    "noise_scale": 0.0,
    "l1_coefficient": 5,
}


@pytest.mark.parametrize(
    ("settings", "architecture", "trained_at", "subtracts"),
    [(SAELENS_6, "jumprelu", "blocks.7.hook_attn_out", False), (FLAT, "standard", "blocks.8.hook_resid_pre", True)],
)
def test_layouts_of_several_years_are_read(tmp_path, settings, architecture, trained_at, subtracts):
    folder = write(tmp_path / "d", random_arrays(architecture, 8, 5), **settings)
    info = describe_dictionary("d", str(tmp_path))
    assert (info.n_features, info.width, info.transcoder, info.folder) == (5, 8, False, str(folder))
    assert info.trained_at == (trained_at,) * 2 and len(info.fingerprint) == 64
    opened = open_dictionary(described(folder, "attn_out", 7))
    assert opened.settings.subtracts_b_dec == subtracts and (opened.threshold is not None) == (settings is SAELENS_6)


def test_a_transcoder_says_what_it_reads_and_writes(tmp_path):
    names = {"hook_name": "blocks.1.ln2.hook_normalized", "hook_name_out": "blocks.1.hook_mlp_out"}
    arrays = random_arrays("transcoder", 8, 5)
    for number, settings in enumerate(
        ({"architecture": "transcoder", "d_out": 8}, {"architecture": "standard", "apply_b_dec_to_input": False})
    ):
        folder = write(tmp_path / str(number), arrays, **settings, metadata=names)
        info = describe_dictionary(str(folder))
        assert info.transcoder and info.trained_at == tuple(names.values())
        assert not open_dictionary(described(folder, "mlp_out", 1)).settings.subtracts_b_dec


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_features_are_those_of_the_papers(tmp_path, architecture, dtype):
    arrays = random_arrays(architecture, 8, 20)
    folder = write(tmp_path / "d", arrays, **ARCHITECTURES[architecture])
    tensors = {name: torch.from_numpy(each).to(dtype) for name, each in arrays.items()}
    save_tensors(tensors, folder / "sae_weights.safetensors")
    opened = open_dictionary(described(folder, "mlp_out", 0))
    assert opened.W_enc.dtype == torch.float32
    x = torch.randn(7, 8, generator=torch.Generator().manual_seed(1))
    found = opened.features(x)
    rounded = {name: each.float().numpy() for name, each in tensors.items()}
    for ours, row in zip(found, x, strict=True):
        np.testing.assert_allclose(ours.numpy(), features_of(row.numpy(), rounded, architecture), atol=1e-5)
    assert 0 < (found > 0).float().mean() < 0.9


def test_the_fingerprint_is_of_all_that_features_depend_on_and_of_nothing_else(tmp_path):
    arrays = random_arrays("standard", 8, 5)

    def fingerprint(name: str, arrays: Any = arrays, **settings: object) -> str:
        return describe_dictionary(str(write(tmp_path / name, arrays, **settings))).fingerprint

    first = fingerprint("a", apply_b_dec_to_input=True)
    assert first == fingerprint("b", apply_b_dec_to_input=True, model_name="m", hook_name="blocks.1.hook_attn_out")
    changed = arrays | {"b_enc": arrays["b_enc"] + 1}
    others = [
        fingerprint("c", apply_b_dec_to_input=False),
        fingerprint("d", changed),
        fingerprint("e", architecture="topk", k=2),
        fingerprint("f", architecture="topk", k=3),
    ]
    assert len({first, *others}) == 5


# --- wrong folders -----------------------------------------------------------------------------------

Spoil = Callable[[Path], Any]


def says(**settings: object) -> Spoil:
    """cfg.json with other settings; None leaves one out."""

    def spoil(folder: Path) -> None:
        old = json.loads((folder / "cfg.json").read_text())
        kept = {name: value for name, value in (old | settings).items() if value is not None}
        (folder / "cfg.json").write_text(json.dumps(kept))

    return spoil


def holds(**arrays: np.ndarray | None) -> Spoil:
    """Other weights; None leaves one out."""

    def spoil(folder: Path) -> None:
        given = random_arrays("standard", 8, 5) | arrays
        save_file({name: each for name, each in given.items() if each is not None}, folder / "sae_weights.safetensors")

    return spoil


def file(name: str, content: bytes) -> Spoil:
    return lambda folder: (folder / name).write_bytes(content)


def no(name: str) -> Spoil:
    return lambda folder: (folder / name).unlink()


def with_nan(name: str, value: float, dtype: torch.dtype) -> Spoil:
    def spoil(folder: Path) -> None:
        tensors = {each: torch.from_numpy(array) for each, array in random_arrays("standard", 8, 5).items()}
        tensors[name].view(-1)[-1] = value
        save_tensors({each: tensor.to(dtype) for each, tensor in tensors.items()}, folder / "sae_weights.safetensors")

    return spoil


WRONG: dict[str, tuple[Spoil, str]] = {
    "no settings": (no("cfg.json"), "has no cfg.json"),
    "no weights": (no("sae_weights.safetensors"), "has no sae_weights.safetensors"),
    "settings that are no JSON": (file("cfg.json", b"{"), "cfg.json is no JSON"),
    "settings in Latin-1": (file("cfg.json", b'{"a": "\xe9"}'), "cfg.json is no JSON"),
    "settings too deep": (file("cfg.json", b"[" * 100_000), "cfg.json is no JSON"),
    "settings that are a list": (file("cfg.json", b"[1]"), "no JSON object"),
    "an architecture of others": (says(architecture="gated"), 'no architecture "gated"'),
    "batchtopk": (says(architecture="batchtopk"), 'no architecture "batchtopk"'),
    "a skip transcoder": (says(architecture="skip_transcoder"), 'no architecture "skip_transcoder"'),
    "an architecture that is a list": (says(architecture=["standard"]), "no architecture"),
    "normed inputs": (says(normalize_activations="layer_norm"), 'normalize_activations is "layer_norm"'),
    "normed inputs, as of old": (says(normalize_activations=True), "normalize_activations is true"),
    "heads apart": (says(reshape_activations="hook_z"), 'reshape_activations is "hook_z"'),
    "one head": (says(hook_head_index=3), "hook_head_index is 3"),
    "one head, nested": (says(metadata={"hook_head_index": 0}), "hook_head_index is 0"),
    "fine-tuned": (says(finetuning_scaling_factor=True), "finetuning_scaling_factor is true"),
    "rescaled": (says(rescale_acts_by_decoder_norm=True), "rescale_acts_by_decoder_norm is true"),
    "another bias": (says(use_b_dec_out=True), "use_b_dec_out is true"),
    "another activation": (says(activation_fn="tanh-relu"), 'no activation_fn "tanh-relu"'),
    "top-k of a jumprelu": (says(architecture="jumprelu", activation_fn="topk"), "its activation_fn is topk"),
    "no k": (says(architecture="topk"), "needs a whole number k"),
    "half a k": (says(architecture="topk", k=2.5), "needs a whole number k"),
    "k too large": (says(architecture="topk", k=6), "k is 6"),
    "k of zero": (says(architecture="topk", k=0), "k is 0"),
    "a bias that is a word": (says(apply_b_dec_to_input="no"), 'apply_b_dec_to_input is "no"'),
    "b_dec before a transcoder": (
        says(architecture="transcoder", apply_b_dec_to_input=True),
        "apply_b_dec_to_input is true",
    ),
    "no width": (says(d_in=None), "d_in is null"),
    "a width that is a text": (says(d_in="8"), 'd_in is "8"'),
    "no features": (says(d_sae=0), "d_sae is 0"),
    "a transcoder to elsewhere": (
        says(architecture="transcoder", d_out=9, apply_b_dec_to_input=None),
        "d_out is 9 and d_in 8",
    ),
    "another width": (says(d_in=9), "W_enc is [8, 5], and by cfg.json it should be [9, 5]"),
    "a missing tensor": (holds(b_enc=None), "has no b_enc"),
    "a missing threshold": (says(architecture="jumprelu"), "has no threshold"),
    "one tensor more": (holds(W_skip=np.zeros((8, 8), np.float32)), 'tensor "W_skip"'),
    "a transposed tensor": (holds(W_dec=np.zeros((8, 5), np.float32)), "W_dec is [8, 5]"),
    "whole numbers": (holds(b_enc=np.zeros(5, np.int64)), "of the type I64"),
    "NaN": (with_nan("W_dec", np.nan, torch.float32), '"W_dec" has NaN or infinity'),
    "infinity in bfloat16": (with_nan("b_dec", -np.inf, torch.bfloat16), '"b_dec" has NaN or infinity'),
    "more than float32 holds": (
        holds(W_enc=np.full((8, 5), -1e300)),
        '"W_enc" has a number of size 1e+300, and 1e+15 is the most',
    ),
    "more than sums in float32 hold": (with_nan("W_dec", 3e38, torch.bfloat16), '"W_dec" has a number of size'),
    "no safetensors": (file("sae_weights.safetensors", b"x" * 100), "is no safetensors file"),
    "an empty file": (file("sae_weights.safetensors", b""), "is no safetensors file"),
    "a pickle": (file("sae_weights.safetensors", pickle.dumps(print)), "is no safetensors file"),
    "a header that is too long": (file("sae_weights.safetensors", b"\xff" * 8 + b"{}"), "is no safetensors file"),
}


@pytest.fixture
def good(tmp_path):
    return write(tmp_path / "saes", random_arrays("standard", 8, 5), architecture="standard")


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_folder_is_refused_with_its_name(good, case):
    describe_dictionary(str(good))
    spoil, message = WRONG[case]
    spoil(good)
    with pytest.raises(UnknownName) as refused:
        describe_dictionary("saes", str(good.parent))
    assert message in refused.value.message and refused.value.message.startswith(("saes/", "the folder saes"))
    assert refused.value.remedy


def test_a_file_that_was_cut_short_is_refused(good):
    weights = good / "sae_weights.safetensors"
    whole = weights.read_bytes()
    for length in range(0, len(whole), 37):
        weights.write_bytes(whole[:length])
        with pytest.raises(UnknownName, match="no safetensors file"):
            describe_dictionary(str(good))


@pytest.mark.parametrize("path", ["nowhere", "saes/cfg.json", "a\0b", "x" * 5000, ""])
def test_a_path_without_a_dictionary_is_refused(good, path):
    with pytest.raises(UnknownName) as refused:
        describe_dictionary(path, str(good.parent))
    assert refused.value.remedy


def test_large_files_are_not_read(good, monkeypatch):
    monkeypatch.setattr(dictionaries, "MOST_BYTES", 100)
    with pytest.raises(UnknownName, match="more than the limit"):
        describe_dictionary(str(good))
    monkeypatch.undo()
    monkeypatch.setattr(dictionaries, "MOST_SETTINGS", 10)
    with pytest.raises(UnknownName, match="more than the limit"):
        describe_dictionary(str(good))


def test_a_dictionary_that_changed_since_it_was_read_is_not_used(good):
    dictionary = described(good, "attn_out", 0)
    assert isinstance(dictionary, Dictionary) and open_dictionary(dictionary)
    holds(b_enc=np.ones(5, np.float32))(good)
    with pytest.raises(ModelError, match="has changed since it was read"):
        open_dictionary(dictionary)
    no("cfg.json")(good)
    with pytest.raises(ModelError, match=r"has no cfg\.json"):
        open_dictionary(dictionary)


def test_a_dictionary_is_described_without_torch(good):
    program = (
        "import sys; from circuitdsl.models import describe_dictionary; "
        f"assert describe_dictionary({str(good)!r}).n_features == 5; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

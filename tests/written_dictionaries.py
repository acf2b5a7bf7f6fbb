"""Small dictionaries of random weights, written as SAELens writes them, and features of them computed by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from circuitdsl.components import Dictionary, Point
from circuitdsl.models import describe_dictionary

Arrays = Mapping[str, np.ndarray]

ARCHITECTURES: Mapping[str, Mapping[str, object]] = {
    "standard": {"architecture": "standard", "apply_b_dec_to_input": False},
    "standard, b_dec first": {"architecture": "standard", "apply_b_dec_to_input": True},
    "topk": {"architecture": "topk", "k": 3, "apply_b_dec_to_input": False},
    "topk of SAELens 5": {"architecture": "standard", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}},
    "jumprelu": {"architecture": "jumprelu", "apply_b_dec_to_input": False},
    "transcoder": {"architecture": "transcoder"},
    "jumprelu_transcoder": {"architecture": "jumprelu_transcoder", "apply_b_dec_to_input": False},
}
AUTOENCODERS = tuple(name for name in ARCHITECTURES if "transcoder" not in name)
TRANSCODERS = tuple(name for name in ARCHITECTURES if "transcoder" in name)


def random_arrays(architecture: str, width: int, count: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.5, shape).astype(np.float32)

    arrays = {"W_enc": drawn(width, count), "b_enc": drawn(count), "W_dec": drawn(count, width), "b_dec": drawn(width)}
    return arrays | ({"threshold": np.abs(drawn(count))} if "jumprelu" in architecture else {})


def write(folder: Path, arrays: Arrays, **settings: object) -> Path:
    """A folder with these weights and settings."""
    folder.mkdir(parents=True, exist_ok=True)
    width, count = arrays["W_enc"].shape
    own: dict[str, object] = {"d_in": width, "d_sae": count, "dtype": "float32", "normalize_activations": "none"}
    (folder / "cfg.json").write_text(json.dumps(own | settings))
    save_file(dict(arrays), folder / "sae_weights.safetensors")
    return folder


def random_dictionary(
    folder: Path, architecture: str, point: Point, layer: int, width: int = 16, count: int = 12, name: str = "a1"
) -> tuple[Dictionary, Arrays]:
    """A dictionary of random weights, and these."""
    arrays = random_arrays(architecture, width, count)
    return described(write(folder, arrays, **ARCHITECTURES[architecture]), point, layer, name), arrays


def described(folder: Path, point: Point, layer: int, name: str = "a1") -> Dictionary:
    """The dictionary of a folder, as a circuit declares it."""
    info = describe_dictionary(str(folder))
    return Dictionary(point, layer, info.n_features, info.fingerprint, info.transcoder, name, info.folder)


def features_of(x: np.ndarray, arrays: Arrays, architecture: str) -> np.ndarray:
    """The features of one token, x [width], written out after the papers: Bricken et al. 2023 (ReLU), Gao et al. 2024
    (top-k), Rajamanoharan et al. 2024 (JumpReLU), Dunefsky et al. 2024 (transcoders)."""
    settings: Any = ARCHITECTURES[architecture]
    first = settings.get("apply_b_dec_to_input", "transcoder" not in architecture)
    before = arrays["W_enc"].T @ (x - arrays["b_dec"] if first else x) + arrays["b_enc"]
    features = np.maximum(before, 0)
    if "topk" in architecture:
        k = settings.get("k") or settings["activation_fn_kwargs"]["k"]
        kept = np.argsort(-before)[:k]
        return np.array([value if index in kept else 0 for index, value in enumerate(features)])
    return np.where(before > arrays["threshold"], before, 0) if "threshold" in arrays else features

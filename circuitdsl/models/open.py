"""Open a model by its name, its folder or as the object that somebody has already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitdsl.components import Geometry
from circuitdsl.language.circuit import Processing
from circuitdsl.models.checking import checked
from circuitdsl.models.configuration import measured_length
from circuitdsl.models.folders import find_folder
from circuitdsl.models.given import as_asked, processed
from circuitdsl.models.hub import require_revisions
from circuitdsl.models.loading import load, told
from circuitdsl.models.model import Model, ModelError, Processed
from circuitdsl.models.opening import Dtype, Opening, device_of
from circuitdsl.models.planted.plans import PLANTED
from circuitdsl.models.quiet import quiet

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

    from circuitdsl.models.given import AnyModel

_AS_THEY_COME = Opening()


@checked
def open_model(model: AnyModel, processing: Processing = "none", opening: Opening = _AS_THEY_COME) -> Model:
    """Open ``model`` as ``opening`` says, with no gradients.

    A name is looked for among the planted and shipped models, then as a local folder in Hugging Face's format or
    TransformerLens's own, then in Hugging Face's cache, and at last on the hub, unless HF_HUB_OFFLINE is set. Only
    models of the hub have revisions. What is opened is compared with Hugging Face's own code. An object is a bridge, or
    a model of transformers (with its tokenizer as a pair), which gets a bridge. It is taken as it is: it must have a
    tokenizer and no hooks, it is never moved and its weights are never changed, so that ``fold`` is refused unless it
    was done to it, and so is a precision that it has not. Raises :class:`ModelError`.
    """
    if not isinstance(model, str | Path):
        bridge = as_asked(model, processing, opening)
        return _opened(str(bridge.cfg.model_name), bridge, processed(bridge))
    name = str(model)
    with quiet():
        return _opened(name, _booted(name, processing, opening), processing, opening.revision)


def _booted(name: str, processing: Processing, opening: Opening) -> TransformerBridge:
    """The bridge of a name, its weights processed and in their precision."""
    if opening.revision is not None:
        require_revisions(name)
    dtype = opening.dtype or "float32"
    bridge = _boot(name, opening if processing == "none" else replace(opening, dtype="float32"))
    if processing == "fold":  # in float32, whose digits folding needs
        with told(name, find_folder(name, opening.revision)):
            bridge.enable_compatibility_mode(disable_warnings=True)
    _cast(bridge, dtype)
    bridge.requires_grad_(False)
    return bridge


def _boot(name: str, opening: Opening) -> TransformerBridge:
    if name in PLANTED:
        from circuitdsl.models.planted.build import build

        return build(PLANTED[name]()).to(device_of(opening), print_details=False)
    import torch

    return load(name, opening.revision, getattr(torch, opening.dtype or "float32"), device_of(opening))


def _cast(bridge: TransformerBridge, dtype: Dtype) -> None:
    """Bring a model into a precision. Frequencies of rotations stay as they are, as Hugging Face loads them."""
    import torch

    for name, tensor in (*bridge.named_parameters(), *bridge.named_buffers()):
        if tensor.is_floating_point() and not name.endswith("inv_freq"):
            tensor.data = tensor.data.to(getattr(torch, dtype))
    bridge.cfg.dtype = getattr(torch, dtype)


def _opened(name: str, bridge: TransformerBridge, processing: Processed, revision: str | None = None) -> Model:
    name = name if revision is None else f"{name}@{revision}"
    if bridge.tokenizer is None:
        raise ModelError(f"the model {name} has no tokenizer", "open it with one: tasks are written as text")
    if (direction := getattr(bridge.cfg, "attention_dir", "causal")) != "causal":
        raise ModelError(
            f"the attention of {name} is {direction}, and circuitdsl measures causal models alone",
            "make it causal: with attention to what comes later, padding would change what a prompt gives",
        )
    bridge.eval()
    return Model(name, bridge, _geometry(name, bridge), bridge.tokenizer, processing, revision)


def _geometry(name: str, bridge: TransformerBridge) -> Geometry:
    config = bridge.cfg
    theirs: Any = getattr(bridge.original_model, "config", None)
    return Geometry(
        model=name,
        n_layers=config.n_layers,
        n_heads=config.n_heads,
        n_kv_heads=config.n_key_value_heads or config.n_heads,
        d_model=config.d_model,
        d_head=config.d_head,
        d_mlp=0 if config.attn_only else config.d_mlp or 4 * config.d_model,
        d_vocab=config.d_vocab,
        n_ctx=config.n_ctx if theirs is None else measured_length(theirs.to_dict(), config.n_ctx),
        parallel_attn_mlp=bool(config.parallel_attn_mlp),
    )

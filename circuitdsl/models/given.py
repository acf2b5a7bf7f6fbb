"""A model that is given as an object: taken as it is, or refused for what has been done to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from circuitdsl.errors import listed
from circuitdsl.language.circuit import Processing
from circuitdsl.models.checking import checked
from circuitdsl.models.in_memory import bridged, parts_of
from circuitdsl.models.model import ModelError, Processed
from circuitdsl.models.opening import Opening

if TYPE_CHECKING:
    from pathlib import Path

    from torch.nn import Module
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PreTrainedModel

    Given = TransformerBridge | PreTrainedModel | tuple[PreTrainedModel, object]
    AnyModel = str | Path | Given


def as_asked(given: object, processing: Processing, opening: Opening) -> TransformerBridge:
    """The object, if it is a model, as it was asked for, and without anybody's hooks. Raises :class:`ModelError`."""
    bridge = _bridge(given)
    if opening.revision is not None:
        raise ModelError(
            f"the model was given as an object, which has no revision {opening.revision}",
            "give the model's name, or open the revision yourself",
        )
    stands = next(bridge.parameters()).device
    if opening.device not in (None, stands.type, str(stands)):
        raise ModelError(
            f"the model was given as an object on {stands}, which is not to be moved to {opening.device}",
            f"call to({opening.device!r}) on it first, or give the model's name",
        )
    if processing == "fold" and processed(bridge) == "none":
        raise ModelError(
            "the spec wants its weights folded, but the model was given as an object, which is not to be changed",
            "call enable_compatibility_mode() on it first, give the model's name, or write `processing none`",
        )
    has = str(next(bridge.parameters()).dtype).removeprefix("torch.")
    if opening.dtype not in (None, has):
        raise ModelError(
            f"the model was given as an object in {has}, which is not to be changed to {opening.dtype}",
            f"call to(torch.{opening.dtype}) on it first, or give the model's name",
        )
    require_unhooked(bridge)
    return bridge


def processed(bridge: TransformerBridge) -> Processed:
    """What can be told of an object's weights: compatibility mode may have folded all of them, some or none."""
    return "given" if getattr(bridge, "compatibility_mode", False) else "none"


@checked
def require_unhooked(bridge: TransformerBridge) -> None:
    """Refuse a model on which hooks are left: what they do would be measured as if the model did it.

    Raises :class:`ModelError`.
    """
    points = bridge.hook_dict
    hooked = [name for name, point in points.items() if point.fwd_hooks or point.bwd_hooks]
    if hooked:
        raise ModelError(
            f"there are hooks left on the model ({listed(hooked, 3)}), and what they do would be measured as the model",
            "call reset_hooks(including_permanent=True) on it first",
        )
    known = {id(point) for point in points.values()}
    hooked = [
        name.replace("_original_component.", "")
        for name, module in bridge.named_modules()
        if id(module) not in known and any(_strange(module))
    ]
    if hooked:
        raise ModelError(
            f"torch's own hooks are left on modules of the model ({listed(hooked, 3)}), and what they do would be "
            "measured as the model",
            "call remove() on what register_forward_hook gave back, or open the model anew",
        )


def _strange(module: Module) -> Iterator[bool]:
    """For each hook of a module, whether it is somebody's, and not one by which the libraries see what passes."""
    for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values()):
        yield str(getattr(hook, "__module__", "")).partition(".")[0] not in ("transformers", "transformer_lens")


def _bridge(given: object) -> TransformerBridge:
    from transformer_lens.model_bridge import TransformerBridge

    if isinstance(given, TransformerBridge):
        return given
    if (parts := parts_of(given)) is not None:
        return bridged(*parts)
    raise ModelError(
        "a model is given by its name, its folder, as a TransformerBridge, or as a causal model of transformers with "
        f"its tokenizer, not as a {type(given).__name__}",
        "write model=(model, tokenizer), or open one with TransformerBridge.boot_transformers(...) of TransformerLens",
    )

"""That an open model computes what Hugging Face's own code does, found out on a prompt each time one is opened.

TransformerLens puts its own attention into a model, which knows most settings of most families and not all of all: with
``scale_attn_weights: false``, say, it scales. What differs is another model under the same name. The truth is the model
itself, before anything of it is replaced. It costs two passes over one short prompt, so nothing is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from circuitdsl.components import Geometry
from circuitdsl.models.model import ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LENGTH = 24  # tokens: half a sentence, and what is wrong with attention shows on three
FARTHEST = 512  # tokens: what begins to differ later is not looked for
TOLERANCE = 1e-3  # of float32: logits, or standard deviations of them where these are above 1
COARSE = 0.05  # of bfloat16, in the same measure

# What changes attention at some distance or from some length on.
_REACHES = ("sliding_window", "original_max_position_embeddings", "attention_window", "window_size")


def probe(shape: Geometry, config: Mapping[str, Any]) -> Tensor:
    """Tokens [1, n] on which a model of this shape and configuration is compared: longer than its attention reaches."""
    import torch

    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    settings = (config.get(name) or scaling.get(name) for name in _REACHES)
    reaches = [reach for reach in settings if isinstance(reach, int) and 0 < reach <= FARTHEST]
    length = min(shape.n_ctx, LENGTH + max(reaches, default=0))
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, shape.d_vocab, (1, length), generator=generator)


def logits_of(model: Any, tokens: Tensor) -> Tensor:
    """Logits [1, n, vocabulary] in float32, of Hugging Face's model or of a bridge."""
    import torch

    with torch.no_grad():
        given = model(tokens)
    return getattr(given, "logits", given).float()


def require_numbers(name: str, model: torch.nn.Module) -> None:
    """Refuse weights that are not numbers. Raises :class:`ModelError`."""
    wrong = [key for key, weight in model.named_parameters() if not weight.is_meta and not _finite(weight)]
    if wrong:
        raise ModelError(
            f"{len(wrong)} of the weights of {name} hold values that are no finite numbers (NaN or infinity), so that "
            f"the model gives NaN: {', '.join(wrong[:3])}",
            "its training or its conversion went wrong (float16 holds nothing above 65504): give another checkpoint",
        )


def _finite(weight: Tensor) -> bool:
    """Whether all values are finite. A sum is ten times as fast, and only one of huge values is infinite by itself."""
    return bool(weight.sum().isfinite() or weight.isfinite().all())


def require_agreement(name: str, expected: Tensor, found: Tensor, dtype: torch.dtype) -> None:
    """Refuse a model whose logits, as TransformerLens computes them, are not those that its own code gives.

    Raises :class:`ModelError`.
    """
    import torch

    if expected.is_meta:  # torch's device for shapes: there are no numbers to compare
        return
    if not expected.isfinite().all():
        raise ModelError(
            f"the model {name} gives NaN or infinity on a prompt of {expected.shape[1]} tokens",
            "its values overflow: run it in float32, or give another checkpoint",
        )
    off = (found - expected).abs().max().item() / max(1.0, expected.std().item())
    if not off <= (TOLERANCE if dtype is torch.float32 else COARSE):
        raise ModelError(
            f"TransformerLens does not compute {name} as Hugging Face does: logits differ by up to {off:.2g}",
            "a setting of its config.json is one that TransformerLens does not know; nothing measured on it would be "
            "of this model",
        )

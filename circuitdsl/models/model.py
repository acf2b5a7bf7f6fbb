"""A model, open or only known, and the two hashes that tell it from others: of its weights, and of all that it computes
from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from circuitdsl.components import Geometry
from circuitdsl.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor
    from transformer_lens.model_bridge import TransformerBridge

Processed = Literal["none", "fold", "given"]
"""``fold``: norms folded into the next weights, writing weights and unembedding centred, as TransformerLens 2 did.
``given``: whatever TransformerLens's compatibility mode has made of a model that was given as an object."""

_WORDS: Mapping[Processed, str] = {
    "none": "weights as they are",
    "fold": "norms folded, writing weights and unembedding centred",
    "given": "as given, in TransformerLens's compatibility mode",
}


class ModelError(InputError):
    """A model that cannot be opened, with what would help."""


@dataclass(frozen=True, eq=False)
class KnownModel:
    """What keys and reports say of a model that need not be open: each is what :class:`Model` says when it is.

    ``tokenizer`` does what the model's own does.
    """

    name: str
    geometry: Geometry
    tokenizer: Any
    processing: Processed
    revision: str | None
    fingerprint: str
    identity: str

    @property
    def weights(self) -> str:
        """How its weights were processed, in words."""
        return _WORDS[self.processing]


@dataclass(frozen=True, eq=False)
class Model:
    """An open model, in evaluation mode.

    ``name`` is the one it was asked for by, with ``@revision`` if one was named; ``tokenizer`` is a fast Hugging Face
    tokenizer; ``geometry`` is read off the open model. ``revision`` is the one that was named, None if none was.
    """

    name: str
    bridge: TransformerBridge
    geometry: Geometry
    tokenizer: Any
    processing: Processed
    revision: str | None = None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the names, shapes and values of all weights as they are used."""
        return _hash(self.bridge.named_parameters())

    @cached_property
    def identity(self) -> str:
        """SHA-256 over all that its outputs depend on: weights, buffers, configurations, processing and tokenizer.

        It is the same for equal models in two folders, and in two processes with the same versions of packages.
        """
        parts = (
            self.fingerprint,
            _hash(self.bridge.named_buffers()),
            json.dumps(_configurations(self.bridge), sort_keys=True, default=_described),
            self.processing,
            _tokenizer_text(self.tokenizer),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def weights(self) -> str:
        """How its weights were processed, in words."""
        return _WORDS[self.processing]

    @property
    def dtype(self) -> str:
        """The precision of the weights: ``float32``, ``bfloat16``; of a model that was given, whatever it has."""
        return str(next(self.bridge.parameters()).dtype).removeprefix("torch.")


def _hash(named: Iterable[tuple[str, Tensor]]) -> str:
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(named, key=lambda each: each[0]):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        # As bytes, since numpy knows no bfloat16.
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


# What says where a model lies, who wrote it down and where it runs, and nothing of what it computes.
_OF_NO_EFFECT = frozenset(
    {
        "_name_or_path",
        "model_name",
        "tokenizer_name",
        "transformers_version",
        "device",
        "n_devices",
        "seed",
        "n_params",
        "init_weights",
        "from_checkpoint",
        "checkpoint_index",
        "checkpoint_label_type",
        "checkpoint_value",
    }
)


def _configurations(bridge: TransformerBridge) -> list[Mapping[str, object]]:
    """All settings that the model was made by: Hugging Face's, if it is one of theirs, and TransformerLens's."""
    theirs = getattr(bridge.original_model, "config", None)
    every: list[Mapping[str, object]] = [bridge.cfg.to_dict(), *([] if theirs is None else [theirs.to_dict()])]
    return [{name: value for name, value in each.items() if name not in _OF_NO_EFFECT} for each in every]


def _described(value: object) -> str:
    """A setting that JSON cannot hold: a precision by its name, an object by its type, for its text may hold an id."""
    import torch

    return str(value) if isinstance(value, torch.dtype) else type(value).__qualname__


def _tokenizer_text(tokenizer: Any) -> str:
    """What a tokenizer does to texts, without the settings that calls leave in it."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    does = tokenizer.get_vocab() if backend is None else json.loads(backend.to_str())
    kept = {name: value for name, value in does.items() if name not in ("padding", "truncation")}
    return json.dumps(
        [kept, {name: str(token) for name, token in tokenizer.special_tokens_map.items()}], sort_keys=True
    )

"""The shape of a model by its name alone: no torch, no weights, no network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circuitdsl.components import Geometry
from circuitdsl.language.environment import UnknownName
from circuitdsl.models.checking import checked
from circuitdsl.models.configuration import NO_MLP, is_native, measured_length, native_shape, read_configuration
from circuitdsl.models.families import ALWAYS, Family, families
from circuitdsl.models.folders import SHIPPED, find_folder
from circuitdsl.models.names import OTHER_NAMES, shape_name, with_owners
from circuitdsl.models.planted.plans import PLANTED


@checked
def geometry_of(name: str | Path, revision: str | None = None) -> Geometry:
    """The geometry of a model: planted, shipped, a local folder, one in the Hugging Face cache, or well known.

    Of a model of the hub it is that of the ``revision`` where this was downloaded; the model's own otherwise.

    Raises :class:`UnknownName` where none of these has it, or a folder's ``config.json`` does not tell.
    """
    name = str(name)
    if name in PLANTED:
        return PLANTED[name]().geometry
    folder = (find_folder(name, revision) if revision else None) or find_folder(name)
    if folder is not None:
        return _from_config(name, folder / "config.json")
    if shape_name(name) in _PUBLIC:
        return _public(name)
    raise UnknownName(
        f"no model called {name} is known here",
        known=(*known_names(), *OTHER_NAMES, *with_owners(_PUBLIC)),
        remedy="name a model of `circuitdsl models`, or the folder of a Hugging Face model (with config.json)",
    )


def known_names() -> tuple[str, ...]:
    """Every name that needs no file of the user's."""
    return (*PLANTED, *SHIPPED, *_PUBLIC)


# layers, heads, key-value heads, d_model, d_mlp, vocabulary, context
_PUBLIC: dict[str, tuple[int, int, int, int, int, int, int]] = {
    "gpt2": (12, 12, 12, 768, 3072, 50257, 1024),
    "gpt2-medium": (24, 16, 16, 1024, 4096, 50257, 1024),
    "gpt2-large": (36, 20, 20, 1280, 5120, 50257, 1024),
    "gpt2-xl": (48, 25, 25, 1600, 6400, 50257, 1024),
    "distilgpt2": (6, 12, 12, 768, 3072, 50257, 1024),
    "pythia-14m": (6, 4, 4, 128, 512, 50304, 2048),
    "pythia-31m": (6, 8, 8, 256, 1024, 50304, 2048),
    "pythia-70m": (6, 8, 8, 512, 2048, 50304, 2048),
    "pythia-160m": (12, 12, 12, 768, 3072, 50304, 2048),
    "pythia-410m": (24, 16, 16, 1024, 4096, 50304, 2048),
    "pythia-1b": (16, 8, 8, 2048, 8192, 50304, 2048),
    "pythia-1.4b": (24, 16, 16, 2048, 8192, 50304, 2048),
    "pythia-2.8b": (32, 32, 32, 2560, 10240, 50304, 2048),
    "pythia-6.9b": (32, 32, 32, 4096, 16384, 50432, 2048),
    "pythia-12b": (36, 40, 40, 5120, 20480, 50688, 2048),
    **{f"attn-only-{layers}l": (layers, 8, 8, 512, NO_MLP, 48262, 1024) for layers in (1, 2, 3, 4)},
    **{f"gelu-{layers}l": (layers, 8, 8, 512, 2048, 48262, 1024) for layers in (1, 2, 3, 4)},
    "smollm2-135m": (30, 9, 3, 576, 1536, 49152, 8192),
}


def _public(name: str) -> Geometry:
    layers, heads, kv_heads, d_model, d_mlp, d_vocab, n_ctx = _PUBLIC[shape_name(name)]
    parallel = shape_name(name).startswith("pythia-")
    return Geometry(name, layers, heads, kv_heads, d_model, d_model // heads, d_mlp, d_vocab, n_ctx, parallel)


# The names that architectures give to the same number in config.json.
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
_HEADS = ("num_attention_heads", "n_head", "num_heads", "n_heads")
_KV_HEADS = ("num_key_value_heads", "num_kv_heads")
_WIDTH = ("hidden_size", "n_embd", "d_model", "n_embed")
_MLP = ("intermediate_size", "n_inner", "ffn_dim")
_CONTEXT = ("max_position_embeddings", "n_positions", "n_ctx", "seq_length", "max_seq_len")

# Families that can be described but not measured, whose attention and MLP read the same residual stream.
_NOT_MEASURED = (
    Family("cohere", "Cohere", parallel=ALWAYS),
    Family("falcon", "Falcon", parallel="parallel_attn"),
    Family("gptj", "GPT-J", parallel=ALWAYS),
)


def _family(model_type: str) -> Family:
    """What is known of a family; of an unknown one, nothing."""
    described = {family.model_type: family for family in (*_NOT_MEASURED, *families().values())}
    return described.get(model_type, Family(model_type, ""))


def _from_config(name: str, path: Path) -> Geometry:
    return shape_of(name, read_configuration(path), str(path))


def shape_of(name: str, config: Mapping[str, Any], where: str) -> Geometry:
    """The geometry that a configuration describes; ``where`` it stands, for messages. Raises :class:`UnknownName`."""
    if is_native(config):
        return native_shape(name, config, where)

    def required(names: tuple[str, ...]) -> int:
        value = _first(config, names)
        if value is None:
            raise UnknownName(
                f"{where} has none of {', '.join(names)}",
                remedy="circuitdsl reads the geometry of decoder-only language models",
            )
        return value

    heads, width = required(_HEADS), required(_WIDTH)
    family = _family(str(config.get("model_type", "")))
    return Geometry(
        model=name,
        n_layers=required(_LAYERS),
        n_heads=heads,
        n_kv_heads=_first(config, _KV_HEADS) or heads,
        d_model=width,
        d_head=_first(config, ("head_dim",)) or width // heads,
        d_mlp=_first(config, _MLP) or 4 * width,
        d_vocab=required(("vocab_size",)),
        n_ctx=measured_length(config, _first(config, _CONTEXT) or family.trained_on or required(_CONTEXT)),
        parallel_attn_mlp=family.is_parallel(config),
    )


def _first(config: Mapping[str, object], names: tuple[str, ...]) -> int | None:
    """The first whole number above 0 that ``config`` has under one of ``names``."""
    values = (config.get(name) for name in names)
    return next((value for value in values if isinstance(value, int) and value is not True and value > 0), None)

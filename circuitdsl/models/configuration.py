"""What stands in a model's ``config.json``, of Hugging Face's kind or of TransformerLens's own. No torch.

A *native* model is one of TransformerLens's own: attention-only models, toy models, what ``HookedTransformer`` trained.
Its configuration has no ``model_type`` and names a ``d_model`` and a ``d_head``; docs/models.md says what its folder
holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circuitdsl.components import Geometry
from circuitdsl.language.environment import UnknownName

NO_MLP = 0
"""The ``d_mlp`` of a model of attention alone."""


def read_configuration(path: Path) -> Mapping[str, Any]:
    """The object in a ``config.json``. Raises :class:`UnknownName` where there is none."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnknownName(f"{path} cannot be read: {error}", remedy="repair the file or name another folder") from error
    if not isinstance(config, dict):
        raise UnknownName(f"{path} is not a model's configuration", remedy="name the folder of a Hugging Face model")
    return config


def is_native(config: Mapping[str, Any]) -> bool:
    """Whether a configuration is TransformerLens's own."""
    return "model_type" not in config and "d_model" in config and "d_head" in config


def measured_length(config: Mapping[str, Any], n_ctx: int) -> int:
    """The longest prompt that is measured, in tokens, of a model that reads ``n_ctx``.

    With longrope (Ding et al. 2024, arXiv:2402.13753) all rotary frequencies are others in passes that are longer than
    ``original_max_position_embeddings``: a prompt would give other figures beside a longer one.
    """
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(scaling, Mapping) or scaling.get("rope_type", scaling.get("type")) != "longrope":
        return n_ctx
    trained = scaling.get("original_max_position_embeddings") or config.get("original_max_position_embeddings")
    return min(n_ctx, trained) if isinstance(trained, int) else n_ctx


# What TransformerLens's native model always does, whatever a configuration says of it.
_ALWAYS: Mapping[str, tuple[object, ...]] = {
    "use_attn_scale": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "use_local_attn": (False,),
    "parallel_attn_mlp": (False,),
    "use_qk_norm": (False,),
    "post_embedding_ln": (False,),
    "use_normalization_before_and_after": (False,),
    "shortformer_pos": (False,),
    "tie_word_embeddings": (False,),
    "num_experts": (None,),
    "window_size": (None,),
    "positional_embedding_type": ("standard", "rotary"),
    "attention_dir": ("causal",),
}

NATIVE_SETTINGS = (
    *("d_model", "d_head", "n_layers", "n_heads", "n_key_value_heads", "n_ctx", "d_vocab", "d_mlp", "attn_only"),
    *("act_fn", "gated_mlp", "normalization_type", "final_rms", "eps", "attn_scale", "tokenizer_name"),
    *("positional_embedding_type", "rotary_dim", "rotary_base", "rope_scaling"),
    *("attn_scores_soft_cap", "output_logits_soft_cap"),
)
"""The settings of a native configuration that decide what a model computes, and whose tokenizer it has."""


def native_shape(name: str, config: Mapping[str, Any], where: str) -> Geometry:
    """The geometry of a native model. Raises :class:`UnknownName` for one that nothing computes as it is described."""
    for setting, lawful in _ALWAYS.items():
        if (value := config.get(setting, lawful[0])) not in lawful:
            raise UnknownName(
                f"{where} has {setting}: {value}, which TransformerLens's native model does not compute",
                remedy=f"only {' or '.join(map(str, lawful))} can be opened",
            )

    def number(setting: str) -> int:
        value = config.get(setting)
        if not isinstance(value, int) or value is True or value < 1:
            raise UnknownName(
                f"{where} has {setting}: {value}", remedy="a whole number, 1 or more, as in TransformerLens's own"
            )
        return value

    if config.get("d_vocab_out", -1) not in (-1, None, number("d_vocab")):
        raise UnknownName(
            f"{where} has d_vocab_out: {config['d_vocab_out']}, other than its d_vocab",
            remedy="answers are tokens: a model whose logits are of something else has no answers to be measured by",
        )
    attention_only = bool(config.get("attn_only", False))
    return Geometry(
        model=name,
        n_layers=number("n_layers"),
        n_heads=number("n_heads"),
        n_kv_heads=number("n_key_value_heads") if config.get("n_key_value_heads") else number("n_heads"),
        d_model=number("d_model"),
        d_head=number("d_head"),
        d_mlp=NO_MLP if attention_only else number("d_mlp") if config.get("d_mlp") else 4 * number("d_model"),
        d_vocab=number("d_vocab"),
        n_ctx=number("n_ctx"),
        parallel_attn_mlp=False,
    )

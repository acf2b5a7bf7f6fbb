"""Names of the places of a run, and where in its course worlds part that are edited differently there.

They are TransformerLens's hook names as far as it has them.
"""

from __future__ import annotations

from circuitdsl.engine import hooks
from circuitdsl.engine.hooks import EMBEDDINGS


def residual(layer: int) -> str:
    """The residual stream that a layer reads."""
    return f"blocks.{layer}.hook_resid_pre"


def q_k_v(layer: int) -> tuple[str, str, str]:
    """Queries, keys and values, before rotation."""
    return f"blocks.{layer}.attn.hook_q", f"blocks.{layer}.attn.hook_k", f"blocks.{layer}.attn.hook_v"


def keys_at(layer: int) -> str:
    """Keys as attention uses them, rotated."""
    return f"blocks.{layer}.keys"


def values_at(layer: int) -> str:
    """Values as attention uses them."""
    return f"blocks.{layer}.values"


def mlp_input(layer: int) -> str:
    return f"blocks.{layer}.mlp.hook_in"


def mlp_output(layer: int) -> str:
    return f"blocks.{layer}.hook_mlp_out"


def layer_of(name: str) -> int:
    """The layer of a point; -1 for the embeddings."""
    return -1 if name in EMBEDDINGS else int(name.split(".")[1])


def before_attention(layer: int) -> int:
    """The point where worlds part that have other queries, keys, values or patterns."""
    return 2 * layer


def before_outputs(layer: int) -> int:
    """The point where worlds part that have other outputs of heads or MLPs, or another input of the MLP."""
    return 2 * layer + 1


def parts_at(name: str) -> int:
    """The point where a world parts from others that are not edited in the same way here; -1 for the embeddings."""
    if name in EMBEDDINGS:
        return -1
    layer = layer_of(name)
    early = (*q_k_v(layer), hooks.pattern(layer))
    return before_attention(layer) if name in early else before_outputs(layer)

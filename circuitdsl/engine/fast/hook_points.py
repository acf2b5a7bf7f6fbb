"""The hook points of a run by name, and the order of its computation.

Names are TransformerLens's as far as it has them. The order is counted in steps: -1 the embeddings; 2 x layer a layer's
queries, keys, values and patterns; one more its outputs of heads, and input, neurons and output of its MLP.
"""

from __future__ import annotations

from circuitdsl.engine import hook_names
from circuitdsl.engine.hook_names import EMBEDDINGS


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
    """What a layer's MLP reads, after the norm."""
    return f"blocks.{layer}.mlp.hook_in"


def neurons(layer: int) -> str:
    """What the neurons of a layer's MLP put out."""
    return f"blocks.{layer}.mlp.hook_post"


def mlp_output(layer: int) -> str:
    """What a layer's MLP adds to the residual stream."""
    return f"blocks.{layer}.hook_mlp_out"


def layer_of(name: str) -> int:
    """The layer of a hook point; -1 for the embeddings."""
    return -1 if name in EMBEDDINGS else int(name.split(".")[1])


def before_attention(layer: int) -> int:
    """The step in which a layer's queries, keys, values and patterns are edited."""
    return 2 * layer


def before_outputs(layer: int) -> int:
    """The step in which the outputs of a layer's heads, neurons and MLP, and its MLP's input, are edited."""
    return 2 * layer + 1


def first_layer(step: int) -> int:
    """The first layer that has to be computed again after an edit in a step."""
    return max(step, 0) // 2


def step_of(name: str) -> int:
    """The step in which a hook point is edited."""
    if name in EMBEDDINGS:
        return -1
    layer = layer_of(name)
    early = (*q_k_v(layer), hook_names.pattern(layer))
    return before_attention(layer) if name in early else before_outputs(layer)

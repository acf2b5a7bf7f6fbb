"""The hook points of a run by name, and the order of its computation.

Names are TransformerLens's as far as it has them. The order is counted in steps: -1 the embeddings, and of each layer
in turn the stream that it reads; its queries, keys, values and patterns; the outputs of its heads; the input, neurons
and output of its MLP. A step of its own follows what a dictionary can stand at, for its features and its error.
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


def attention_output(layer: int) -> str:
    """What a layer's heads add to the residual stream together."""
    return f"blocks.{layer}.hook_attn_out"


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


_STEPS = 7
"""How many steps a layer has."""

_DICTIONARY = ".dictionary."
"""What stands in the names of hook points that dictionaries add, after that of their point."""


def before_stream(layer: int) -> int:
    """The step in which the residual stream that a layer reads is edited."""
    return _STEPS * layer


def before_attention(layer: int) -> int:
    """The step in which a layer's queries, keys, values and patterns are edited."""
    return _STEPS * layer + 2


def before_outputs(layer: int) -> int:
    """The step in which the outputs of a layer's heads are edited."""
    return _STEPS * layer + 3


def before_mlp(layer: int) -> int:
    """The step in which the input, the neurons and the output of a layer's MLP are edited."""
    return _STEPS * layer + 5


def before_features(point: str) -> int:
    """The step in which features and errors of dictionaries are edited that stand at a hook point."""
    layer = layer_of(point)
    before = {residual(layer): before_stream, attention_output(layer): before_outputs, mlp_output(layer): before_mlp}
    return before[point](layer) + 1


def after_all(layers: int) -> int:
    """The step in which the logits are read, after so many layers."""
    return _STEPS * layers


def first_layer(step: int) -> int:
    """The first layer that has to be computed again after an edit in a step."""
    return max(step, 0) // _STEPS


def step_of(name: str) -> int:
    """The step in which a hook point is edited."""
    if name in EMBEDDINGS:
        return -1
    if is_of_dictionary(name):
        return before_features(name.partition(_DICTIONARY)[0])
    layer = layer_of(name)
    if name == residual(layer):
        return before_stream(layer)
    if name in (*q_k_v(layer), hook_names.pattern(layer)):
        return before_attention(layer)
    return before_outputs(layer) if name == hook_names.z(layer) else before_mlp(layer)


def last_step_to(name: str) -> int:
    """The last step whose edits reach what receives at a hook point: the stream is received with what features there
    have changed."""
    return before_features(name) if name == residual(layer_of(name)) else step_of(name)


def is_of_dictionary(name: str) -> bool:
    """Whether a hook point is one that a dictionary adds to the model's."""
    return _DICTIONARY in name


def heads_lead_to(name: str) -> bool:
    """Whether a hook point is of a part of what a layer's heads write together, so that they bring things there."""
    return step_of(name) == before_outputs(layer_of(name)) + 1

"""Read a network off an open TransformerLens model, and prove that the two compute the same."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from circuitdsl.engine import hooks
from circuitdsl.engine.fast.architecture import ACTIVATIONS, Block, Linear, Mlp, Network, Norm, Rotary
from circuitdsl.engine.fast.live import Stack
from circuitdsl.engine.fast.points import mlp_output
from circuitdsl.engine.fast.region import whole
from circuitdsl.models import Model

LONGEST = 4096  # tokens for which rotation tables are made
TOLERANCE = 1e-4


class NotCovered(Exception):
    """The model's architecture is not one that the fast engine computes; the message says what is missing."""


def network_of(model: Model) -> Network:
    """The model as a network that has been seen to agree with it on random tokens. Raises NotCovered."""
    try:
        network = _read(model)
    except (AttributeError, KeyError, RuntimeError, ValueError) as reason:
        raise NotCovered(f"its weights are not laid out as expected ({reason})") from reason
    _prove(model, network)
    return network


# --- reading ---------------------------------------------------------------------------------------


def _read(model: Model) -> Network:
    bridge, config, geometry = model.bridge, model.bridge.cfg, model.geometry
    if next(bridge.parameters()).dtype != torch.float32:
        raise NotCovered("its weights are not in float32")
    longest = min(geometry.n_ctx, LONGEST, _window(model))
    rotates = str(getattr(config, "positional_embedding_type", "")) == "rotary"
    learned = not rotates and "hook_pos_embed" in bridge.hook_dict
    blocks = tuple(_block(bridge.blocks[layer], model) for layer in range(geometry.n_layers))
    return Network(
        embedding=bridge.W_E.detach(),
        positions=bridge.W_pos.detach() if learned else None,
        rotary=_rotary(model, longest) if rotates else None,
        blocks=blocks,
        final=_norm(bridge.ln_final, config),
        unembedding=Linear(bridge.W_U.detach().T, bridge.b_U.detach()),
        n_heads=geometry.n_heads,
        n_kv_heads=geometry.n_kv_heads,
        d_head=geometry.d_head,
        parallel=geometry.parallel_attn_mlp,
        longest=longest,
    )


def _window(model: Model) -> int:
    """The tokens that attention can look back on, where the architecture limits them."""
    config = getattr(model.bridge.original_model, "config", None)
    windows = [getattr(config, name, None) for name in ("sliding_window", "window_size", "attention_chunk_size")]
    return min([LONGEST, *(window for window in windows if isinstance(window, int) and window > 0)])


def _block(block: Any, model: Model) -> Block:
    attention, config = block.attn, model.bridge.cfg
    return Block(
        ln1=_norm(block.ln1, config),
        q=_reading(attention.W_Q, attention.b_Q),
        k=_reading(attention.W_K, attention.b_K),
        v=_reading(attention.W_V, attention.b_V),
        o=Linear(attention.W_O.detach().flatten(0, 1).T, _plain(attention.b_O)),
        ln2=_norm(block.ln2, config) if model.geometry.d_mlp else Norm("none"),
        mlp=_mlp(block.mlp, config) if model.geometry.d_mlp else None,
        scaling=_scaling(attention.original_component, model),
    )


def _reading(weight: Tensor, bias: Tensor | None) -> Linear:
    """Weights [heads, d_model, d_head] and biases [heads, d_head] of queries, keys or values."""
    plain = _plain(bias)
    return Linear(weight.detach().transpose(1, 2).flatten(0, 1), None if plain is None else plain.flatten())


def _plain(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias.detach()


def _scaling(attention: Any, model: Model) -> float:
    scaling = getattr(attention, "scaling", None)
    if isinstance(scaling, float):
        return scaling
    divisor = getattr(attention, "scale", None)
    return 1 / divisor if isinstance(divisor, float) else 1 / math.sqrt(model.geometry.d_head)


def _norm(norm: Any, config: Any) -> Norm:
    original = norm.original_component
    if isinstance(original, torch.nn.Identity):
        return Norm("none")
    eps = getattr(original, "eps", getattr(original, "variance_epsilon", getattr(config, "eps", 1e-5)))
    if not getattr(norm, "uses_rms_norm", False):
        return Norm("layer", _parameter(original, "weight"), _parameter(original, "bias"), float(eps))
    weight = _parameter(original, "weight")
    if weight is not None and norm.uses_weight_offset:
        weight = weight + 1
    return Norm("rms", weight, None, float(eps))


def _parameter(module: Any, name: str) -> Tensor | None:
    return _plain(getattr(module, name, None))


def _mlp(mlp: Any, config: Any) -> Mlp:
    if config.act_fn not in ACTIVATIONS:
        raise NotCovered(f"its activation function is {config.act_fn}")
    gate = getattr(mlp, "W_gate", None)
    return Mlp(
        into=Linear(mlp.W_in.detach().T, _bias(mlp, "b_in")),
        out=Linear(mlp.W_out.detach().T, _bias(mlp, "b_out")),
        activation=ACTIVATIONS[config.act_fn],
        gate=None if gate is None else Linear(gate.detach().T, _bias(mlp, "b_gate")),
    )


def _bias(module: Any, name: str) -> Tensor | None:
    return _plain(getattr(module, name, None))


def _rotary(model: Model, longest: int) -> Rotary:
    """Tables from the model's own rotary module, widened to the whole head."""
    bridge, d_head = model.bridge, model.geometry.d_head
    module = getattr(bridge.original_model, "rotary", None)
    if module is not None:
        cos, sin, adjacent = module.cos_cached[:longest], module.sin_cached[:longest], True
    else:
        at = torch.arange(longest, device=bridge.W_E.device)[None]
        with torch.no_grad():
            cos, sin = (table[0] for table in bridge.rotary_emb.original_component(bridge.W_E[:1, None], at))
        adjacent = bool(getattr(bridge.cfg, "rotary_adjacent_pairs", False))
    turned = cos.shape[-1]
    order = torch.arange(d_head, device=cos.device)
    inside = order[:turned]
    half = turned // 2
    partner = order.clone()
    partner[:turned] = inside ^ 1 if adjacent else (inside + half) % turned
    minus = inside % 2 == 0 if adjacent else inside < half
    wide_cos, wide_sin = cos.new_ones(longest, d_head), cos.new_zeros(longest, d_head)
    wide_cos[:, :turned] = cos
    wide_sin[:, :turned] = torch.where(minus, -sin, sin)
    return Rotary(wide_cos, wide_sin, partner)


# --- proving ---------------------------------------------------------------------------------------


def _prove(model: Model, network: Network) -> None:
    """Compare logits and what passes the points that experiments touch with the bridge's. Raises NotCovered."""
    geometry, device = model.geometry, network.embedding.device
    length = min(12, network.longest)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, geometry.d_vocab, (2, length), generator=generator).to(device)
    names = [name for layer in range(geometry.n_layers) for name in (hooks.z(layer), hooks.pattern(layer))]
    if geometry.d_mlp:
        names += [mlp_output(layer) for layer in range(geometry.n_layers)]
    names.append(hooks.FIRST_BLOCK)
    theirs: dict[str, Tensor] = {}
    with torch.inference_mode():
        captures: list[Any] = list(hooks.capture(names, theirs))
        logits = model.bridge.run_with_hooks(tokens, fwd_hooks=captures, return_type="logits")
        x, seen = Stack(network, tokens, whole(2, length, device), {}, 0, [()]).run(frozenset(names))
        ours = {name: each.of(0) for name, each in seen.items()}
        theirs["the logits"], ours["the logits"] = logits, network.unembedding(network.final(x))[:, 0]
    for name, value in theirs.items():
        if value.shape != ours[name].shape or not _close(ours[name], value):
            raise NotCovered(f"its {name} would differ from TransformerLens's")
    if missing := set(names) - set(theirs):
        raise NotCovered(f"TransformerLens gives no {min(missing)}")


def _close(ours: Tensor, theirs: Tensor) -> bool:
    return bool((ours - theirs).abs().max() <= TOLERANCE * theirs.abs().max())

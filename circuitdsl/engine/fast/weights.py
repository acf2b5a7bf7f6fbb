"""Read a network from an open TransformerLens model, and test that the two compute the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from circuitdsl.engine import hook_names
from circuitdsl.engine.fast.architecture import (
    ACTIVATIONS,
    Alibi,
    Block,
    Linear,
    Mlp,
    Network,
    Norm,
    Rotary,
    in_dtype,
)
from circuitdsl.engine.fast.full_pass import FullPass
from circuitdsl.engine.fast.hook_points import mlp_output
from circuitdsl.engine.fast.region import whole
from circuitdsl.models import Model
from circuitdsl.models.families import families

LONGEST = 4096  # tokens of a prompt; rotation tables are made for so many
PRECISIONS = (torch.float32, torch.bfloat16)
TOLERANCE = 1e-4  # of float32, over the largest value
SLACK = 8  # so many times our own rounding error may be another's, who computes in another order


class NotCovered(Exception):
    """The model's architecture is not one that the fast engine computes; the message says what is missing."""


def network_of(model: Model) -> Network:
    """The model as a network that agrees with it on random tokens. Raises NotCovered."""
    dtype = next(model.bridge.parameters()).dtype
    if dtype not in PRECISIONS:
        raise NotCovered(f"its weights are in {str(dtype).removeprefix('torch.')}")
    try:
        network = in_dtype(_read(model), dtype)  # tables and absent biases may be in another precision
    except (AttributeError, KeyError, RuntimeError, ValueError) as reason:
        raise NotCovered(f"its weights are not laid out as expected ({reason})") from reason
    _test(model, network)
    return network


# --- reading ---------------------------------------------------------------------------------------


def _read(model: Model) -> Network:
    bridge, config, geometry = model.bridge, model.bridge.cfg, model.geometry
    longest = min(geometry.n_ctx, LONGEST, _window(model))
    kind = str(getattr(config, "positional_embedding_type", ""))
    blocks = tuple(_block(bridge.blocks[layer], model) for layer in range(geometry.n_layers))
    embedding, embedded_norm = _embedding(bridge)
    return Network(
        embedding=embedding,
        embedded_norm=embedded_norm,
        positions=bridge.W_pos.detach() if kind != "rotary" and "hook_pos_embed" in bridge.hook_dict else None,
        rotary=_rotary(model, longest) if kind == "rotary" else None,
        alibi=Alibi(alibi_slopes(geometry.n_heads).to(bridge.W_E)) if kind == "alibi" else None,
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
    """How many tokens back attention reaches, where the architecture limits them."""
    windows = [_setting(model, name) for name in ("sliding_window", "window_size", "attention_chunk_size")]
    return min([LONGEST, *(window for window in windows if isinstance(window, int) and window > 0)])


def _setting(model: Model, name: str) -> Any:
    """What Hugging Face's configuration of the model says, or None."""
    return getattr(getattr(model.bridge.original_model, "config", None), name, None)


def _embedding(bridge: Any) -> tuple[Tensor, Norm]:
    """Token embeddings as they pass ``hook_embed``, and the norm after it.

    With folded weights TransformerLens moves that hook point to the other side of the embeddings' norm.
    """
    embedding, scale = bridge.W_E.detach(), getattr(bridge.embed.original_component, "embed_scale", None)
    if scale is not None:
        embedding = embedding * scale
    if not hasattr(bridge, "embed_ln"):
        return embedding, Norm("none")
    norm = _norm(bridge.embed_ln, bridge.cfg)
    normed_already = bridge.hook_dict["hook_embed"] is bridge.embed_ln.hook_out
    return (norm(embedding), Norm("none")) if normed_already else (embedding, norm)


def _block(block: Any, model: Model) -> Block:
    attention, config = block.attn, model.bridge.cfg
    if getattr(attention.original_component, "clip_qkv", None):
        raise NotCovered("it clips queries, keys and values")
    return Block(
        ln1=_norm(block.ln1, config),
        q=_reading(attention.W_Q, attention.b_Q),
        k=_reading(attention.W_K, attention.b_K),
        v=_reading(attention.W_V, attention.b_V),
        o=Linear(attention.W_O.detach().flatten(0, 1).T, _plain(attention.b_O)),
        ln2=_norm(getattr(block, "ln2", block.ln1), config) if model.geometry.d_mlp else Norm("none"),
        mlp=_mlp(block.mlp, model) if model.geometry.d_mlp else None,
        scaling=_scaling(attention.original_component, model),
    )


def _reading(weight: Tensor, bias: Tensor | None) -> Linear:
    """Weights [heads, d_model, d_head] and biases [heads, d_head] of queries, keys or values."""
    plain = _plain(bias)
    return Linear(weight.detach().transpose(1, 2).flatten(0, 1), None if plain is None else plain.flatten())


def _plain(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias.detach()


def _scaling(attention: Any, model: Model) -> float:
    factors = (getattr(attention, name, None) for name in ("scaling", "softmax_scale"))
    if (factor := next((factor for factor in factors if isinstance(factor, float)), None)) is not None:
        return factor
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


def _mlp(mlp: Any, model: Model) -> Mlp:
    family = families().get(_setting(model, "model_type"))
    activation = (family and family.activation) or model.bridge.cfg.act_fn
    if activation not in ACTIVATIONS:
        raise NotCovered(f"its activation function is {activation}")
    gate = getattr(mlp, "W_gate", None)
    return Mlp(
        into=Linear(mlp.W_in.detach().T, _bias(mlp, "b_in")),
        out=Linear(mlp.W_out.detach().T, _bias(mlp, "b_out")),
        activation=ACTIVATIONS[activation],
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


def alibi_slopes(heads: int) -> Tensor:
    """The slopes [heads] of Press et al. 2022: 2^(-8/n), 2^(-16/n), ... for n heads, n being a power of two.

    Otherwise those of the power of two below, and then every other one of the power of two above, as their code has it.
    """
    power = 2 ** int(math.log2(heads))
    below, above = (2.0 ** (-8 / n * torch.arange(1, n + 1)) for n in (power, 2 * power))
    return torch.cat([below, above[::2]])[:heads]


# --- testing ---------------------------------------------------------------------------------------


def _test(model: Model, network: Network) -> None:
    """Compare logits, and what passes the hook points of experiments, with the bridge's. Raises NotCovered."""
    geometry, device = model.geometry, network.embedding.device
    length = min(12, network.longest)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, geometry.d_vocab, (2, length), generator=generator).to(device)
    names = [name for layer in range(geometry.n_layers) for name in (hook_names.z(layer), hook_names.pattern(layer))]
    if geometry.d_mlp:
        names += [mlp_output(layer) for layer in range(geometry.n_layers)]
    names += [hook_names.EMBEDDINGS[0], hook_names.FIRST_BLOCK]
    theirs: dict[str, Tensor] = {}
    with torch.inference_mode():
        hooks: list[Any] = [(name, partial(_record, theirs, name)) for name in names]
        theirs["the logits"] = model.bridge.run_with_hooks(tokens, fwd_hooks=hooks, return_type="logits")
        ours, exact = (_passing(each, tokens, names) for each in (network, in_dtype(network, torch.float32)))
    for name, value in theirs.items():
        if value.shape != ours[name].shape or not _close(value, ours[name], exact[name]):
            raise NotCovered(f"its {name} would differ from TransformerLens's")
    if missing := set(names) - set(theirs):
        raise NotCovered(f"TransformerLens gives no {min(missing)}")


def _record(into: dict[str, Tensor], name: str, activation: Tensor, hook: object) -> None:
    """A hook that copies what passes."""
    into[name] = activation.detach().clone()


def _passing(network: Network, tokens: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """What passes some hook points of the network, and its logits."""
    prompts, length = tokens.shape
    region = whole(prompts, length, tokens.device)
    x, passing = FullPass(network, tokens, region, {}, [0], [()]).run(frozenset(names))
    return {name: each.of(0) for name, each in passing.items()} | {
        "the logits": network.unembedding(network.final(x))[:, 0]
    }


def _close(theirs: Tensor, ours: Tensor, exact: Tensor) -> bool:
    """Whether theirs is what we compute, up to what rounding does to it: measured, where the precision is coarse."""
    rounding = (ours - exact).abs().max()
    return bool((theirs - exact).abs().max() <= TOLERANCE * exact.abs().max() + SLACK * rounding)

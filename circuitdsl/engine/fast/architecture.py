"""The transformer itself, as plain functions of tensors. Families differ by the data below, not by branches.

Worlds are different runs of the same prompts; one run alone has one world. In shapes, "places" stands for any axes
before the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuitdsl.components import Dictionary
from circuitdsl.engine.fast.products import COLUMNS, linear, one_by_one, product, summed_up

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
    "swish": F.silu,
}


@dataclass(frozen=True)
class Norm:
    """LayerNorm, RMSNorm or nothing. ``weight`` and ``bias`` may be missing."""

    kind: Literal["layer", "rms", "none"]
    weight: Float[Tensor, " d_model"] | None = None
    bias: Float[Tensor, " d_model"] | None = None
    eps: float = 1e-5

    def __call__(self, x: Float[Tensor, "*places d_model"]) -> Float[Tensor, "*places d_model"]:
        match self.kind:
            case "layer":
                return F.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.eps)
            case "rms":
                return F.rms_norm(x, x.shape[-1:], self.weight, self.eps)
            case "none":
                return x

    def with_scale_of(
        self, clean: Float[Tensor, "prompts 1 tokens d_model"], x: Float[Tensor, "prompts worlds tokens d_model"]
    ) -> Float[Tensor, "prompts worlds tokens d_model"]:
        """The norm of ``x``, divided by the scale that ``clean`` has (strict path patching)."""
        if self.kind == "none":
            return x
        centred, clean = self._centred(x.float()), self._centred(clean.float())
        normed = (centred / (clean.pow(2).mean(-1, keepdim=True) + self.eps).sqrt()).to(x.dtype)
        normed = normed if self.weight is None else normed * self.weight
        return normed if self.bias is None else normed + self.bias

    def _centred(self, x: Float[Tensor, "*places d_model"]) -> Float[Tensor, "*places d_model"]:
        return x - x.mean(-1, keepdim=True) if self.kind == "layer" else x


@dataclass(frozen=True)
class Linear:
    """x W^T + b; ``bias`` may be missing."""

    weight: Float[Tensor, "d_out d_in"]
    bias: Float[Tensor, " d_out"] | None = None

    def __call__(self, x: Float[Tensor, "*places d_in"]) -> Float[Tensor, "*places d_out"]:
        return linear(x, self.weight, self.bias)


@dataclass(frozen=True)
class Mlp:
    """out(act(into(x))), or out(act(gate(x)) * into(x)) where there is a gate."""

    into: Linear
    out: Linear
    activation: Callable[[Tensor], Tensor]
    gate: Linear | None = None

    def __call__(self, x: Float[Tensor, "*places d_model"]) -> Float[Tensor, "*places d_model"]:
        return self.out(self.neurons(x))

    def neurons(self, x: Float[Tensor, "*places d_model"]) -> Float[Tensor, "*places d_mlp"]:
        """What its neurons put out, before ``out``."""
        if self.gate is None:
            return one_by_one(self.activation, self.into(x))
        return one_by_one(self.activation, self.gate(x)) * self.into(x)


@dataclass(frozen=True)
class Rotary:
    """Rotation of queries and keys by position: x * cos + x[partner] * sin.

    ``cos`` is one and ``sin`` zero where nothing rotates; the signs of the rotation are in ``sin``. ``partner`` says
    which coordinate each one rotates with.
    """

    cos: Float[Tensor, "positions d_head"]
    sin: Float[Tensor, "positions d_head"]
    partner: Int[Tensor, " d_head"]

    def __call__(
        self, x: Float[Tensor, "prompts worlds tokens heads d_head"], at: Int[Tensor, "prompts tokens"]
    ) -> Float[Tensor, "prompts worlds tokens heads d_head"]:
        """``x``, whose tokens stand at the positions ``at``, rotated."""
        cos, sin = self.cos[at][:, None, :, None], self.sin[at][:, None, :, None]
        return x * cos + x[..., self.partner] * sin


@dataclass(frozen=True)
class Alibi:
    """Attention with linear biases (Press et al. 2022, arXiv:2108.12409): scores fall with the distance to the key.

    ``slopes`` say how fast.
    """

    slopes: Float[Tensor, " heads"]

    def __call__(
        self, queries: Int[Tensor, "prompts queries"], keys: Int[Tensor, "prompts keys"]
    ) -> Float[Tensor, "prompts heads queries keys"]:
        """What is added to scores at the positions of queries and keys."""
        distance = queries[:, None, :, None] - keys[:, None, None, :]
        return -self.slopes[:, None, None] * distance


@dataclass(frozen=True)
class Block:
    """One layer. ``mlp`` is missing in attention-only models; ``scaling`` multiplies attention scores."""

    ln1: Norm
    q: Linear
    k: Linear
    v: Linear
    o: Linear
    ln2: Norm
    mlp: Mlp | None
    scaling: float


@dataclass(frozen=True)
class Sparse:
    """A sparse autoencoder or transcoder, always in float32, whatever the network's precision.

    The ``encoder`` gives what is made features of, from what the dictionary reads; they are the ``k`` largest where k
    is not 0, and those above ``threshold`` where there is one.
    """

    dictionary: Dictionary
    encoder: Linear
    decoder: Float[Tensor, "n_features d_model"]
    decoder_bias: Float[Tensor, " d_model"]
    k: int = 0
    threshold: Float[Tensor, " n_features"] | None = None

    def features(self, x: Float[Tensor, "*places d_model"]) -> Float[Tensor, "*places n_features"]:
        """The features of what the dictionary reads."""
        before = self.encoder(x.float())
        features = F.relu(before)
        if self.threshold is not None:
            return features * (before > self.threshold)
        if not self.k:
            return features
        best = features.topk(self.k, dim=-1)
        return torch.zeros_like(features).scatter_(-1, best.indices, best.values)

    def error(
        self, x: Float[Tensor, "*places d_model"], features: Float[Tensor, "*places n_features"]
    ) -> Float[Tensor, "*places d_model"]:
        """What features leave of what stands at the dictionary's point."""
        return x.float() - (linear(features, self.decoder.T, None) + self.decoder_bias)


@dataclass(frozen=True)
class Network:
    """A decoder-only transformer.

    ``embedded_norm`` is applied to the embeddings before the first layer; ``positions`` are the learned ones, if any;
    ``parallel``: attention and MLP read the same residual stream; ``longest`` is the most tokens that a prompt may
    have. ``dictionaries`` are those that worlds may name, by the hook point at which they stand.
    """

    embedding: Float[Tensor, "vocabulary d_model"]
    embedded_norm: Norm
    positions: Float[Tensor, "positions d_model"] | None
    rotary: Rotary | None
    alibi: Alibi | None
    blocks: tuple[Block, ...]
    final: Norm
    unembedding: Linear
    n_heads: int
    n_kv_heads: int
    d_head: int
    parallel: bool
    longest: int
    dictionaries: Mapping[str, Sequence[Sparse]] = field(default_factory=dict[str, Sequence[Sparse]])

    def embedded(
        self, tokens: Int[Tensor, "prompts n"], at: Int[Tensor, "prompts n"]
    ) -> tuple[Float[Tensor, "prompts 1 n d_model"], Float[Tensor, "prompts 1 n d_model"]]:
        """Embeddings of tokens and of their positions, as one world."""
        words = self.embedding[tokens][:, None]
        return words, torch.zeros_like(words) if self.positions is None else self.positions[at][:, None]

    def rotate(
        self, x: Float[Tensor, "prompts worlds tokens heads d_head"], at: Int[Tensor, "prompts tokens"]
    ) -> Float[Tensor, "prompts worlds tokens heads d_head"]:
        """Queries or keys at the positions ``at`` as attention uses them."""
        return x if self.rotary is None else self.rotary(x, at)

    def bias(
        self, queries: Int[Tensor, "prompts queries"], keys: Int[Tensor, "prompts keys"]
    ) -> Float[Tensor, "prompts heads queries keys"] | None:
        """What is added to scores at the positions of queries and keys, if anything."""
        return None if self.alibi is None else self.alibi(queries, keys)

    def heads(self, x: Float[Tensor, "*places joined"]) -> Float[Tensor, "*places heads d_head"]:
        """Queries, keys or values by head."""
        return x.unflatten(-1, (-1, self.d_head))


def in_dtype(network: Network, dtype: torch.dtype) -> Network:
    """The same network in another precision: its tensors are copied, unless they have it already."""
    return _converted(network, dtype)


def _converted(part: Any, dtype: torch.dtype) -> Any:
    if isinstance(part, Tensor):
        return part.to(dtype) if part.is_floating_point() else part
    if isinstance(part, tuple):
        return tuple(_converted(each, dtype) for each in part)
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{f.name: _converted(getattr(part, f.name), dtype) for f in fields(part)})
    return part


@dataclass(frozen=True)
class Keys:
    """What queries attend to.

    With grouped queries the heads of a group share keys and values, but where one was edited for a head of its own:
    then there are as many groups as heads, of keys or of values. ``shared`` is the number of worlds, or 1 where all
    worlds share them. ``visible`` may have more keys than there are, none of which can be seen: patterns have as many.
    ``bias`` is added to scores, if there is any, and may have more, too.
    """

    k: Float[Tensor, "prompts shared keys key_groups d_head"]
    v: Float[Tensor, "prompts shared keys value_groups d_head"]
    visible: Bool[Tensor, "prompts queries _"]
    bias: Float[Tensor, "prompts heads queries _"] | None = None


def attention(
    q: Float[Tensor, "prompts worlds queries heads d_head"], sources: list[Keys], scaling: float
) -> list[Float[Tensor, "prompts worlds heads queries _"]]:
    """Attention probabilities over the keys of each source, one tensor a source."""
    scores = [
        _scores(q * scaling, source).masked_fill(~source.visible[:, None, None], -torch.inf) for source in sources
    ]
    return list(torch.cat(scores, -1).softmax(-1).split([s.shape[-1] for s in scores], -1))


def mixed(
    patterns: list[Float[Tensor, "prompts worlds heads queries _"]], sources: list[Keys]
) -> Float[Tensor, "prompts worlds queries heads d_head"]:
    """Values weighted by the patterns: what heads put out, before W_O."""
    total = _mixed(patterns[0], sources[0])
    for pattern, source in zip(patterns[1:], sources[1:], strict=True):
        total = total + _mixed(pattern, source)
    return total


def _scores(
    q: Float[Tensor, "prompts worlds queries heads d_head"], keys: Keys
) -> Float[Tensor, "prompts worlds heads queries keys"]:
    prompts, worlds, queries, heads, d_head = q.shape
    shared, groups, count = keys.k.shape[1], keys.k.shape[3], keys.visible.shape[-1]
    # Worlds that share their keys become more queries of one product.
    q = q.reshape(prompts, shared, worlds // shared, queries, groups, heads // groups, d_head)
    q = q.permute(0, 1, 4, 5, 2, 3, 6).reshape(prompts, shared, groups, -1, d_head)
    scores = product(q, _by_group(keys.k, max(count, COLUMNS)).transpose(-2, -1))[..., :count]
    scores = scores.reshape(prompts, shared, groups, heads // groups, worlds // shared, queries, count)
    scores = scores.permute(0, 1, 4, 2, 3, 5, 6).reshape(prompts, worlds, heads, queries, count)
    return scores if keys.bias is None else scores + keys.bias[:, None]


def _mixed(
    pattern: Float[Tensor, "prompts worlds heads queries keys"], keys: Keys
) -> Float[Tensor, "prompts worlds queries heads d_head"]:
    prompts, worlds, heads, queries, count = pattern.shape
    shared, n, groups, d_head = keys.v.shape[1:]
    p = pattern.reshape(prompts, shared, worlds // shared, groups, heads // groups, queries, count)
    p = p.permute(0, 1, 3, 4, 2, 5, 6).reshape(prompts, shared, groups, -1, count)
    z = summed_up(p[..., :n], _by_group(keys.v, n))
    z = z.reshape(prompts, shared, groups, heads // groups, worlds // shared, queries, d_head)
    return z.permute(0, 1, 4, 5, 2, 3, 6).reshape(prompts, worlds, queries, heads, d_head)


def _by_group(
    x: Float[Tensor, "prompts shared n groups d_head"], count: int
) -> Float[Tensor, "prompts shared groups count d_head"]:
    """Keys or values of each group of heads together, with zeros after the n that there are."""
    prompts, shared, n, groups, d_head = x.shape
    if n == count:
        return x.transpose(2, 3).contiguous()
    filled = x.new_zeros((prompts, shared, groups, count, d_head))
    filled[:, :, :, :n] = x.transpose(2, 3)
    return filled

"""The shape of a model: all that is needed to tell a possible component from an impossible one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Geometry:
    """Layers, heads and widths of a decoder-only transformer.

    ``n_kv_heads`` are fewer than ``n_heads`` with grouped queries; ``d_mlp`` is 0 in an attention-only model;
    ``parallel_attn_mlp``: the MLP of a layer reads the same residual stream as its heads.
    """

    model: str
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    d_vocab: int
    n_ctx: int
    parallel_attn_mlp: bool = False

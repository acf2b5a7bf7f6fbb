"""What the heads of a layer put out in the rows of a pass over a region."""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Float, Int
from torch import Tensor

from circuitdsl.engine import hook_names
from circuitdsl.engine.fast.architecture import Keys, Network, attention, mixed
from circuitdsl.engine.fast.cached import Cached
from circuitdsl.engine.fast.edits import Rows
from circuitdsl.engine.fast.hook_points import keys_at, values_at
from circuitdsl.engine.fast.region import Region, take


def attended(
    network: Network,
    layer: int,
    rows: Rows,
    region: Region,
    base: Mapping[str, Cached],
    q_k_v: tuple[
        Float[Tensor, "prompts rows m heads d_head"],
        Float[Tensor, "prompts rows n key_groups d_head"],
        Float[Tensor, "prompts rows n value_groups d_head"],
    ],
    asked: Int[Tensor, "prompts m"] | None = None,
) -> tuple[Float[Tensor, "prompts rows m heads d_head"], list[Float[Tensor, "prompts rows heads m _"]]]:
    """The outputs and the patterns, as the rows edit these, by the keys of all tokens outside the region, if any can be
    attended to, and then those of the region.

    Queries are at the tokens ``asked`` of the region, None: at all of them, and not rotated yet; keys are. ``base`` has
    the keys and values outside the region.
    """
    q, k, v = q_k_v
    at = region.at if asked is None else region.at.gather(1, asked)
    read = [(k, v)]
    if region.looks_back:
        read.insert(0, (base[keys_at(layer)].whole[:, None], base[values_at(layer)].whole[:, None]))
    sources = [
        Keys(*k_and_v, visible if asked is None else take(visible, asked), network.bias(at, tokens))
        for k_and_v, visible, (tokens, _) in zip(read, region.visible, region.keys, strict=True)
    ]
    patterns = attention(network.rotate(q, at), sources, network.blocks[layer].scaling)
    name = hook_names.pattern(layer)
    patterns = [
        rows.edit_pattern(name, pattern, at, *keys) for pattern, keys in zip(patterns, region.keys, strict=True)
    ]
    z = mixed(patterns, sources)
    return z, [pattern[..., : keys.k.shape[2]] for pattern, keys in zip(patterns, sources, strict=True)]

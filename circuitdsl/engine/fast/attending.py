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
    """The outputs and the patterns, as the rows edit these, by the keys of the region and then those outside it.

    Queries are at the tokens ``asked`` of the region, None: at all of them, and not rotated yet; keys are. ``base`` has
    the keys and values outside the region.
    """
    q, k, v = q_k_v
    at = region.at if asked is None else region.at.gather(1, asked)
    visible = region.visible if asked is None else take(region.visible, asked)
    sources = [Keys(k, v, visible, network.bias(at, region.at))]
    if region.looks_back:
        before = region.before if asked is None else take(region.before, asked)
        past = base[keys_at(layer)].whole[:, None], base[values_at(layer)].whole[:, None]
        sources.append(Keys(*past, before, network.bias(at, region.tokens)))
    patterns = attention(network.rotate(q, at), sources, network.blocks[layer].scaling)
    name = hook_names.pattern(layer)
    patterns = [
        rows.edit_pattern(name, pattern, at, *keys) for pattern, keys in zip(patterns, region.keys, strict=True)
    ]
    return mixed(patterns, sources), patterns

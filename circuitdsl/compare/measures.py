"""What compare blocks can measure, for the registry; light to import, so that lint and explain stay quick."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from circuitdsl.language.environment import MeasureInfo, Parameter

OVERLAP = MeasureInfo(
    name="overlap",
    unit="share",
    about=(
        "The overlap coefficient: what both circuits have, over what the smaller of them has. It counts heads, nodes "
        "(heads with positions), roles (those with a counterpart by `align`, by name or by the most shared heads) or "
        "edges (between roles, each of q, k and v by itself); `overlap(role ~ role)` counts the heads of one role of "
        "each circuit, as a share of the smaller role. It is a figure about two descriptions and has no sampling "
        "error. `> chance` holds if the exact p-value is below 1 - confidence, under circuits that keep their number "
        "of heads in each layer and have them placed at random."
    ),
    source="Merullo et al. 2024 quote this share; the exact test is hypergeometric, stratified by layer",
    parameters=(Parameter("elements", "elements", "heads, nodes, roles, edges, or two roles as `role ~ role`"),),
    places=("compare",),
    controls=("chance",),
)

MEASURES: Mapping[str, MeasureInfo] = MappingProxyType({info.name: info for info in (OVERLAP,)})
"""Every measurement of compare blocks by name."""

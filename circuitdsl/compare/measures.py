"""What compare blocks can measure, for the registry; light to import, so that lint and explain stay quick."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from circuitdsl.language.environment import PROPORTION, RANDOM_HEADS, MeasureInfo, Parameter

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
    limits=PROPORTION,
)

TRANSFER = MeasureInfo(
    name="transfer",
    unit="share",
    about=(
        "Cross-task faithfulness: the faithfulness, on the second circuit's task and under its method, of the first "
        "circuit's heads. A role with an aligned role takes that role's positions; the others are kept at all "
        "positions."
    ),
    source="Hanna et al. 2024",
    parameters=(Parameter("circuits", "direction", "circuit whose heads are kept -> circuit whose task is run"),),
    places=("compare",),
)

DISSOCIATION = MeasureInfo(
    name="dissociation",
    unit="share",
    about=(
        "How much more each circuit's knockout hurts its own task than the other one's: the smaller of loss(left on "
        "left) - loss(left on right) and loss(right on right) - loss(right on left), a loss is (F - F ablated) / |F|. "
        "Above zero, both circuits serve their own task: a double dissociation. Compared with `random heads` it must "
        "exceed the 95% quantile (the method's confidence) of pairs of random circuits of the same size in each layer. "
        "Positions as for transfer."
    ),
    source="the double dissociation of neuropsychology; Li & Subramani 2026 for why it matters",
    parameters=(Parameter("circuits", "circuits", "two circuits"),),
    places=("compare",),
    controls=(RANDOM_HEADS,),
)

MEASURES: Mapping[str, MeasureInfo] = MappingProxyType({info.name: info for info in (OVERLAP, TRANSFER, DISSOCIATION)})
"""Every measurement of compare blocks by name."""

Kind = Literal["direct", "knockout", "stages"]
"""What overlap curves rank heads by: the effect of their path to the logits, of their ablation, or of their paths to
every receiver that the circuit's edges name, a stage each."""

KINDS: tuple[Kind, ...] = ("direct", "knockout", "stages")

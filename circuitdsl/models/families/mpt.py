"""MPT (MosaicML 2023)."""

from circuitdsl.models.families.base import Family

MPT = Family(
    "mpt",
    "MPT: LayerNorm, ALiBi in place of positions, no biases",
    activation="gelu",
)

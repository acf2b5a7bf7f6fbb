"""BLOOM (BigScience 2022, arXiv:2211.05100)."""

from circuitdsl.models.families.base import Family

BLOOM = Family(
    "bloom",
    "BLOOM: LayerNorm, the embeddings' too; ALiBi in place of positions",
    activation="gelu_new",
    trained_on=2048,
)

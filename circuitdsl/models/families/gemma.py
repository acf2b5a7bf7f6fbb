"""Gemma (Gemma Team 2024, arXiv:2403.08295)."""

from circuitdsl.models.families.base import Family

GEMMA = Family(
    "gemma",
    "Gemma: RMSNorm about one, scaled embeddings, grouped-query attention",
)

"""Mistral (Jiang et al. 2023, arXiv:2310.06825)."""

from circuitdsl.models.families.base import Family

MISTRAL = Family(
    "mistral",
    "Mistral: as Llama",
)

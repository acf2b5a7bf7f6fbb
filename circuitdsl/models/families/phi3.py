"""Phi-3 (Abdin et al. 2024, arXiv:2404.14219)."""

from circuitdsl.models.families.base import Family

PHI3 = Family(
    "phi3",
    "Phi-3: as Llama, queries, keys and values in one matrix",
)

"""Llama (Touvron et al. 2023, arXiv:2302.13971), SmolLM2 and others that share its code."""

from circuitdsl.models.families.base import Family

LLAMA = Family(
    "llama",
    "Llama, SmolLM2 and kin: RMSNorm, rotary positions, grouped-query attention",
)

"""Qwen3 (Yang et al. 2025, arXiv:2505.09388)."""

from circuitdsl.models.families.base import Family

QWEN3 = Family(
    "qwen3",
    "Qwen3: as Llama, with norms on queries and keys",
)

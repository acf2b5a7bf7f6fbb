"""Qwen2 (Yang et al. 2024, arXiv:2407.10671) and Qwen2.5."""

from circuitdsl.models.families.base import Family

QWEN2 = Family(
    "qwen2",
    "Qwen2 and Qwen2.5: as Llama, with biases on queries, keys and values",
)

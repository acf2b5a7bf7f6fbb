"""Phi-1 (Gunasekar et al. 2023, arXiv:2306.11644) and Phi-2."""

from circuitdsl.models.families.base import ALWAYS, Family

PHI = Family(
    "phi",
    "Phi-1 and Phi-2: partly rotary positions, attention and MLP side by side",
    parallel=ALWAYS,
)

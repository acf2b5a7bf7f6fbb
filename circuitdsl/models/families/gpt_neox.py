"""GPT-NeoX (Black et al. 2022, arXiv:2204.06745) and Pythia (Biderman et al. 2023, arXiv:2304.01373)."""

from circuitdsl.models.families.base import Family

GPT_NEOX = Family(
    "gpt_neox",
    "GPT-NeoX and Pythia: rotary positions, attention and MLP side by side",
    parallel="use_parallel_residual",
)

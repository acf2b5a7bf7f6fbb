"""GPT-2 (Radford et al. 2019) and DistilGPT-2."""

from circuitdsl.models.families.base import Family

GPT2 = Family(
    "gpt2",
    "GPT-2 and DistilGPT-2: LayerNorm, learned positions",
)

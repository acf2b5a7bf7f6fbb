"""A family of models: OLMo (Groeneveld et al. 2024, arXiv:2402.00838)."""

from circuitdsl.models.families import Family

OLMO = Family("olmo", "OLMo: LayerNorm without weights, rotary positions")

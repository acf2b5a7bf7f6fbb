"""The families of models that circuitdsl measures: those for which tests/models/test_families.py passes.

There the bridge's logits are Hugging Face's own to 1e-3, padding changes nothing, and every kind of experiment runs.
Other families may open in TransformerLens, but nothing vouches for their figures, so they are refused by name: in
OPT, GPT-J and GPT-Neo, for one, it discards changes to attention patterns and goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "gpt2": "GPT-2 and DistilGPT-2: LayerNorm, learned positions",
        "gpt_neox": "GPT-NeoX and Pythia: rotary positions, attention and MLP side by side",
        "llama": "Llama, SmolLM2 and kin: RMSNorm, rotary positions, grouped-query attention",
        "mistral": "Mistral: as Llama",
        "qwen2": "Qwen2 and Qwen2.5: as Llama, with biases on queries, keys and values",
        "qwen3": "Qwen3: as Llama, with norms on queries and keys",
        "phi": "Phi-1 and Phi-2: partly rotary positions, attention and MLP side by side",
        "phi3": "Phi-3: as Llama, queries, keys and values in one matrix",
        "gemma": "Gemma: RMSNorm about one, scaled embeddings, grouped-query attention",
        "bloom": "BLOOM: LayerNorm, the embeddings' too; ALiBi in place of positions",
        "mpt": "MPT: LayerNorm, ALiBi in place of positions, no biases",
    }
)
"""The ``model_type`` in a model's config.json -> what the family is."""

"""The families of models that circuitdsl measures: those for which tests/models/test_families.py passes.

There the bridge's logits are Hugging Face's own to 1e-3, padding changes nothing, and every kind of experiment runs.
Other families may open in TransformerLens, but their measurements have not been verified, so they are refused by name:
in OPT, GPT-J and GPT-Neo, for example, TransformerLens ignores changes to attention patterns. One file a family.
"""

from circuitdsl.models.families.base import ALWAYS, Family
from circuitdsl.models.families.registry import families

__all__ = ["ALWAYS", "Family", "families"]

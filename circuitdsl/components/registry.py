"""The kinds of components of this installation, by the rule of the grammar that spells each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from circuitdsl.components.base import Component
from circuitdsl.plugins import installed


@cache
def kinds() -> Mapping[str, type[Component]]:
    """Every kind by its ``rule``."""
    found = (entry.load() for entry in installed("components").values())
    return {kind.rule: kind for kind in found}

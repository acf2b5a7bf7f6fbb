"""The actions of this installation, by the word that each begins with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from circuitdsl.actions.base import Action
from circuitdsl.plugins import installed


@cache
def actions() -> Mapping[str, type[Action]]:
    """Every action by its ``word``."""
    found = (entry.load() for entry in installed("actions").values())
    return {action.word: action for action in found}

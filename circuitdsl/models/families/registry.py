"""The families of this installation: each is an entry point of the group ``circuitdsl.models``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from circuitdsl.models.families.base import Family
from circuitdsl.plugins import by_name, installed, load


@cache
def families() -> Mapping[str, Family]:
    """Every family by its ``model_type``, in alphabetical order."""
    found = map(load, installed("models").values())
    return by_name("models", sorted(found, key=_model_type), _model_type)


def _model_type(family: Family) -> str:
    return family.model_type

"""One name for one dictionary in two circuits, since comparisons are of what components are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from circuitdsl.components import Dictionary
from circuitdsl.language.circuit import Circuit

Value = TypeVar("Value")


def named_alike(left: Circuit, right: Circuit) -> Circuit:
    """The right circuit, in which dictionaries that the left one has are called what they are called there.

    One that only the right circuit has, under a name that is another dictionary's in the left one, is called after the
    circuit too: features of different dictionaries are never the same, whatever their numbers are.
    """
    ours = {dictionary: dictionary.name for dictionary in left.dictionaries}
    taken = set(ours.values())

    def name_of(dictionary: Dictionary) -> str:
        own = dictionary.name
        return ours.get(dictionary, f"{right.name}:{own}" if own in taken else own)

    names = {dictionary: name_of(dictionary) for dictionary in right.dictionaries}
    changed = any(dictionary.name != name for dictionary, name in names.items())
    return _renamed(right, names) if changed else right


def _renamed(value: Value, names: Mapping[Dictionary, str]) -> Value:
    """The same, with dictionaries renamed wherever they are named."""
    made: Any = value
    if isinstance(value, Dictionary):
        made = replace(value, name=names[value])
    elif isinstance(value, tuple):
        made = tuple(_renamed(each, names) for each in cast(tuple[Any, ...], value))
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        renamed = {name: _renamed(part, names) for name, part in parts.items()}
        if any(renamed[name] is not part for name, part in parts.items()):
            made = replace(value, **renamed)
    return made

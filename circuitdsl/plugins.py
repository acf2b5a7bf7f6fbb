"""Extension points: what installed packages add is found in the same way as what circuitdsl ships.

A package declares an entry point in one of the groups ``circuitdsl.tasks``, ``.measures``, ``.components``,
``.actions``, ``.formats``, ``.exchange``, ``.engines`` and ``.models`` of its metadata; CONTRIBUTING.md has an example
of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from circuitdsl.errors import InputError

T = TypeVar("T")

_entries = cache(entry_points)  # reads the metadata of all installed packages, whichever group is wanted: once


@cache
def installed(group: str) -> Mapping[str, EntryPoint]:
    """The entry points of ``circuitdsl.<group>`` by name, in alphabetical order; nothing is loaded.

    Raises InputError where two packages add something of the same name, or ours are missing from the metadata.
    """
    found: dict[str, EntryPoint] = {}
    for entry in sorted(_entries().select(group=f"circuitdsl.{group}"), key=lambda entry: entry.name):
        known = found.setdefault(entry.name, entry)
        if known.value != entry.value:
            raise InputError(
                f"two installed packages add {group} called {entry.name}: {known.value} and {entry.value}",
                "uninstall one of them",
            )
    if not found:
        raise InputError(
            f"this installation of circuitdsl names no {group} in its metadata", "install it again: pip install ."
        )
    return found


def load(entry: EntryPoint) -> Any:
    """The object that an entry point names. Raises InputError if its module cannot be imported or does not have it."""
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"{entry.value}, an entry point of {entry.group}, cannot be loaded: {error}",
            "repair the package that adds it, or uninstall it",
        ) from error


def by_name(group: str, found: Iterable[T], name: Callable[[T], str]) -> dict[str, T]:
    """What was loaded of a group by the name that specifications give it. Raises InputError if two have the same."""
    named: dict[str, T] = {}
    for each in found:
        if name(each) in named:
            raise InputError(
                f"two of the installed {group} are called {name(each)}", "uninstall the package that adds one of them"
            )
        named[name(each)] = each
    return named

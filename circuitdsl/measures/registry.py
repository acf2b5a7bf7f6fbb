"""The registry of measurements: the one place that ``explain``, the docs, hover texts and errors read.

A family of measurements is an entry point of the group ``circuitdsl.measures``: a tuple of entries, by convention the
``MEASURES`` of a module. An entry is a :class:`Measure` of one circuit or a :class:`ComparisonMeasure` of two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from circuitdsl.language.environment import MeasureInfo
from circuitdsl.measures.measurement import ComparisonMeasure, Measure
from circuitdsl.plugins import by_name, installed, load

Entry = Measure | ComparisonMeasure


@cache
def measures() -> Mapping[str, Measure]:
    """Every measurement of a single circuit by name. Raises InputError if two are called the same."""
    return {name: entry for name, entry in _entries().items() if isinstance(entry, Measure)}


@cache
def comparison_measures() -> Mapping[str, ComparisonMeasure]:
    """Every measurement of two circuits by name. Raises InputError if two are called the same."""
    return {name: entry for name, entry in _entries().items() if isinstance(entry, ComparisonMeasure)}


@cache
def measure_infos() -> Mapping[str, MeasureInfo]:
    """Every measurement that a specification can name, by name: those of circuits, then those of comparisons."""
    return {name: entry.info for name, entry in (*measures().items(), *comparison_measures().items())}


@cache
def _entries() -> Mapping[str, Entry]:
    families: Iterable[tuple[Entry, ...]] = map(load, installed("measures").values())
    return by_name("measures", (entry for family in families for entry in family), lambda entry: entry.info.name)

"""The open registry of measurements: the one place that ``explain``, the docs, hover texts and errors read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from circuitdsl.measures import ablation, changes, heads, outputs, paths
from circuitdsl.measures.measurement import Measure

MEASURES: Mapping[str, Measure] = MappingProxyType(
    {measure.info.name: measure for family in (outputs, heads, paths, ablation, changes) for measure in family.MEASURES}
)
"""Every measurement of a single circuit by name, in the order in which the docs list them."""

"""What attribution found: features in the order of what of the metric is attributed to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite

from circuitdsl.components import Dictionary, Node
from circuitdsl.display import Displayed
from circuitdsl.outcome.circuit import OnModel, method_facts

_OF_CLAIMS = ("prompts", "prompts_all", "positions", "confidence", "members", "errors", "floor", "ablate", "reference")
"""Settings that attribution has none of, or states by itself."""


@dataclass(frozen=True)
class FeatureAttribution:
    """A feature at a position: what of the metric is attributed to it where it is kept, averaged over all prompts, and
    in which ``share`` of the prompts it is kept, averaged alike."""

    node: Node
    attribution: float
    share: float

    def to_dict(self) -> dict[str, object]:
        return {
            "feature": str(self.node.component),
            "position": str(self.node.position),
            "attribution": self.attribution,
            "share": self.share,
        }


@dataclass(frozen=True)
class ErrorAttribution:
    """What of the metric is attributed to a dictionary's error, averaged over prompts: no feature accounts for it."""

    dictionary: Dictionary
    attribution: float

    def to_dict(self) -> dict[str, object]:
        return {"error": f"{self.dictionary.name}.error", "attribution": self.attribution}


@dataclass(frozen=True, repr=False, kw_only=True)
class AttributionReport(Displayed, OnModel):
    """Features that hierarchical attribution keeps, strongest first, by position. It orders; it decides nothing.

    ``metric`` is the mean of the metric; attributions are in its units. Means count prompts as ``check`` does, each
    template equally where no shares are given. ``threshold`` is what attributions exceed on a prompt, by their size
    where they are of ``both_signs``; an infinite one is null in JSON.
    """

    prompts: int
    metric: float
    threshold: float
    both_signs: bool
    features: tuple[FeatureAttribution, ...]
    errors: tuple[ErrorAttribution, ...]

    @property
    def by_position(self) -> Mapping[str, tuple[FeatureAttribution, ...]]:
        """The features at each position, strongest first, the position with the most first."""
        found: dict[str, list[FeatureAttribution]] = {}
        for each in self.features:
            found.setdefault(str(each.node.position), []).append(each)
        ordered = sorted(found.items(), key=lambda item: -sum(abs(each.attribution) for each in item[1]))
        return {position: tuple(some) for position, some in ordered}

    def rows(self) -> Iterator[dict[str, object]]:
        """A row a feature and position."""
        return (each.to_dict() for each in self.features)

    def to_dict(self) -> dict[str, object]:
        return {
            "schema": "circuitdsl/attribution/1",
            **self.model_dict(),
            "circuit": self.circuit.name,
            "task": str(self.circuit.task),
            "prompts": self.prompts,
            "method": method_facts(self.circuit.method, without=_OF_CLAIMS),
            "dictionaries": [dictionary.to_dict() for dictionary in self.circuit.dictionaries],
            "metric": self.metric,
            "threshold": self.threshold if isfinite(self.threshold) else None,
            "both_signs": self.both_signs,
            "features": [each.to_dict() for each in self.features],
            "errors": [each.to_dict() for each in self.errors],
            "notes": list(self.notes),
        }

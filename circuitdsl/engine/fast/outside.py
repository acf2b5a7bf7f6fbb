"""What an isolated circuit replaces where it keeps nothing, and by what. No torch: costs depend on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from circuitdsl.components import Geometry
from circuitdsl.engine import hook_names
from circuitdsl.measures.experiments import ByFeatures, Isolated, Source


@dataclass(frozen=True)
class Outside:
    """What tells apart the runs that keep nothing, on which isolated circuits stand: the ``source`` of what is
    put in, and where. Heads; MLPs if ``mlps``, those of which single neurons are kept by ``neurons``, (MLP, neurons)
    by hook point; and what ``features`` says of dictionaries."""

    source: Source
    mlps: bool
    features: ByFeatures | None
    neurons: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, world: Isolated) -> Outside:
        inside = hook_names.neurons_of(node.component for node in world.kept)
        return cls(world.source, world.mlps, world.features, frozenset(inside.items()) if world.mlps else frozenset())

    def names(self, geometry: Geometry) -> tuple[str, ...]:
        """Its hook points."""
        inside, whole = dict(self.neurons), self.features.whole if self.features else frozenset[str]()
        own = hook_names.replaced_outside(self.mlps, geometry)
        return (*(inside.get(name, name) for name in own if name not in whole), *self._of_dictionaries)

    def columns(self, name: str, geometry: Geometry) -> int:
        """The columns of one that is not of heads."""
        inside = (neurons for _, neurons in self.neurons)
        return geometry.d_mlp if name in inside else self._of_dictionaries.get(name, 1)

    def stays(self, geometry: Geometry) -> bool:
        """Whether nothing moves between tokens but through what is kept: every layer's heads are replaced."""
        return {*hook_names.all_heads(geometry)} <= {*self.names(geometry)}

    @cached_property
    def _of_dictionaries(self) -> Mapping[str, int]:
        """Hook points of dictionaries, and how many columns each has."""
        if self.features is None:
            return {}
        dictionaries = sorted(self.features.dictionaries)
        errors = {each.error: 1 for each in dictionaries if self.features.errors}
        return {each.features: each.n_features for each in dictionaries} | errors

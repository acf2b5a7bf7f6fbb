"""Bootstrap replicates of means over prompts, for figures that are ranks: the heads of an overlap curve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from circuitdsl.judge.units import Array, Units
from circuitdsl.measures.measurement import Sample

REPLICATES = 2000


@dataclass(frozen=True)
class Bootstrap:
    """Resamples units within strata. Samples with the same units get the same resamples, so that they are paired.

    From a stratum of m units m - 1 are drawn and weighted by m / (m - 1), which keeps the variance of small strata
    unbiased (Rao and Wu 1988).
    """

    units_of: Callable[[Sample], Units]
    seed: int = 0
    replicates: int = REPLICATES

    def means(self, sample: Sample) -> Array:
        """Means of all columns in every replicate: [replicates, columns]."""
        units = self.units_of(sample)
        return units.mean(sample.columns) + (self._counts(units) - 1) @ units.residuals(sample.columns)

    def _counts(self, units: Units) -> Array:
        """How often each unit counts in each replicate: [replicates, units]."""
        generator = np.random.default_rng([self.seed, len(units)])
        counts = np.ones((self.replicates, len(units)))
        for stratum, size in enumerate(units.sizes.tolist()):
            if size > 1:
                members = np.flatnonzero(units.stratum == stratum)
                draws = generator.multinomial(size - 1, np.full(size, 1 / size), size=self.replicates)
                counts[:, members] = draws * size / (size - 1)
        return counts

"""Bootstrap replicates of means over prompts, for figures that are ranks: overlap curves and rank correlations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitdsl.judge.units import Array, Units
from circuitdsl.measures.measurement import Sample

REPLICATES = 2000


@dataclass(frozen=True)
class Bootstrap:
    """Resamples the units of samples (``resampled_means``)."""

    units_of: Callable[[Sample], Units]
    seed: int = 0
    replicates: int = REPLICATES

    def means(self, sample: Sample) -> Array:
        """Means of all columns in every replicate: [replicates, columns]."""
        return resampled_means(sample.columns, self.units_of(sample), self.replicates, self.seed)


def resampled_means(columns: Array, units: Units, replicates: int, seed: int = 0) -> Array:
    """Means of columns [prompts, columns] in every replicate, [replicates, columns]; units are drawn within strata.

    The same units get the same draws, so that samples which share them are paired. From a stratum of m units m - 1 are
    drawn and weighted by m / (m - 1), which keeps the variance of small strata unbiased (Rao and Wu 1988).
    """
    return units.mean(columns) + (_counts(units, replicates, seed) - 1) @ units.residuals(columns)


def _counts(units: Units, replicates: int, seed: int) -> Array:
    """How often each unit counts in each replicate: [replicates, units]."""
    generator = np.random.default_rng([seed, len(units)])
    counts = np.ones((replicates, len(units)))
    for stratum, size in enumerate(units.sizes.tolist()):
        if size > 1:
            members = np.flatnonzero(units.stratum == stratum)
            draws = generator.multinomial(size - 1, np.full(size, 1 / size), size=replicates)
            counts[:, members] = draws * size / (size - 1)
    return counts


def resample(units: Units, generator: np.random.Generator) -> tuple[NDArray[np.intp], Units]:
    """Prompts drawn anew: as many units of each stratum as it has, with replacement, each one a unit by itself.

    Returns the numbers of the prompts that they are made of, [prompts drawn], and the units of these.
    """
    members = [np.flatnonzero(units.unit == each) for each in range(len(units))]
    strata = [np.flatnonzero(units.stratum == each) for each in range(len(units.sizes))]
    drawn = np.concatenate([generator.choice(each, len(each)) for each in strata])
    chosen = np.concatenate([members[each] for each in drawn])
    unit = np.repeat(np.arange(len(drawn)), [len(members[each]) for each in drawn])
    weights = units.weights[chosen]
    return chosen, Units(weights / weights.sum(), unit, units.stratum[drawn])

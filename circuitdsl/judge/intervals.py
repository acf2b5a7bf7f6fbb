"""Bootstrap intervals of any function of means over prompts, prompts resampled within templates.

The interval is Efron's BCa, as in ``scipy.stats.bootstrap``, but vectorised over columns and stratified; a share of
prompts has Wilson's interval, which stays honest at 0% and 100%.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from circuitdsl.judge.estimates import Estimate
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import Array, Measurement, Sample

IntArray = NDArray[np.intp]

REPLICATES = 2000

TIE = 1e-9
"""Replicates that are this share of the widest distance from the value, or less, are taken to be equal to it."""

Combine = Callable[[Array], Array]


@dataclass
class Bootstrap:
    """Resamples prompts. The same prompts get the same resamples in every claim, so that claims are paired.

    From a stratum of n prompts n - 1 are drawn and weighted by n / (n - 1), which keeps the variance of small strata
    unbiased (Rao and Wu 1988).

    ``templates`` gives the template of each of the first n prompts of some data.
    """

    templates: Callable[[Data, int], Sequence[str]]
    seed: int = 0
    replicates: int = REPLICATES
    weights: dict[tuple[Data, int], Array] = field(default_factory=dict)

    def means(self, measurement: Measurement) -> Array:
        """Means of all columns in every replicate: [replicates, columns]."""
        return np.concatenate([self._means(sample) for sample in measurement.samples], axis=1)

    def _means(self, sample: Sample) -> Array:
        # Around the mean, so that a constant column gives itself and no rounding pushes a share over one.
        centre = sample.columns.mean(axis=0)
        return centre + self._weights(sample.data, len(sample.columns)) @ (sample.columns - centre)

    def _weights(self, data: Data, count: int) -> Array:
        """How much each prompt counts in each replicate: [replicates, prompts], rows sum to one."""
        key = (data, count)
        if key not in self.weights:
            generator = np.random.default_rng([self.seed, count])
            weights = np.full((self.replicates, count), 1 / count)
            for members in strata(self.templates(data, count)):
                size = len(members)
                if size > 1:
                    draws = generator.multinomial(size - 1, np.full(size, 1 / size), size=self.replicates)
                    weights[:, members] = draws * size / (size - 1) / count
            self.weights[key] = weights
        return self.weights[key]


def strata(templates: Sequence[str]) -> list[IntArray]:
    """Indices of prompts to be resampled among themselves: those of one template.

    A template with a single prompt says nothing of its spread, so all such prompts make one stratum (collapsed strata);
    where only one prompt is left over like that, everything is one stratum.

    >>> [members.tolist() for members in strata(["a", "b", "a", "c"])]
    [[0, 2], [1, 3]]
    """
    names = np.asarray(templates)
    groups = [np.flatnonzero(names == name) for name in np.unique(names)]
    single = [group for group in groups if len(group) == 1]
    if len(single) == 1:
        return [np.arange(len(names))]
    return [group for group in groups if len(group) > 1] + ([np.concatenate(single)] if single else [])


@dataclass(frozen=True)
class Spread:
    """An estimate's value on all prompts, in each bootstrap replicate, and with each prompt left out."""

    value: float
    replicates: Array
    left_out: Array

    @property
    def defined(self) -> bool:
        return bool(np.isfinite(self.value) and np.isfinite(self.replicates).all())


def value(measurement: Measurement, combine: Combine) -> float:
    """``combine`` of the measurement's means over all prompts."""
    return float(combine(np.concatenate([sample.columns.mean(axis=0) for sample in measurement.samples])))


def spread(measurement: Measurement, combine: Combine, bootstrap: Bootstrap) -> Spread:
    """The spread of ``combine`` of the measurement's means."""
    replicates, left_out = combine(bootstrap.means(measurement)), combine(_leave_one_out(measurement))
    return Spread(value(measurement, combine), replicates, left_out)


def _leave_one_out(measurement: Measurement) -> Array:
    """Means of all columns with each prompt of each sample left out in turn: [prompts of all samples, columns]."""
    full = np.concatenate([sample.columns.mean(axis=0) for sample in measurement.samples])
    blocks, offset = [], 0
    for sample in measurement.samples:
        count, width = sample.columns.shape
        block = np.tile(full, (count, 1))
        if count > 1:
            block[:, offset : offset + width] = (sample.columns.sum(axis=0) - sample.columns) / (count - 1)
        blocks.append(block)
        offset += width
    return np.concatenate(blocks)


def bca(spread: Spread, confidence: float) -> Estimate:
    """Efron's bias-corrected and accelerated interval; the plain percentiles where its correction is undefined."""
    if not spread.defined:
        return Estimate(_finite(spread.value), None, None)
    one = (np.array([spread.value]), spread.replicates[:, None], spread.left_out[:, None])
    ((low,), (high,)) = _ends(*one, confidence)
    return Estimate(spread.value, float(low), float(high))


def _ends(values: Array, replicates: Array, left_out: Array, confidence: float) -> Array:
    """The ends [2, estimates] of the intervals of ``values`` [estimates]; the others have a column an estimate."""
    tails = np.array([[(1 - confidence) / 2], [(1 + confidence) / 2]])
    bias = stats.norm.ppf(_below(values, replicates))
    known = np.isfinite(bias)
    bias = np.where(known, bias, 0.0)
    quantiles = stats.norm.ppf(tails) + bias
    corrected = stats.norm.cdf(bias + quantiles / (1 - _acceleration(left_out) * quantiles))
    return _quantiles(replicates, np.where(known, corrected, tails))


def _below(values: Array, replicates: Array) -> Array:
    """The share of each estimate's replicates that are below it, ties counted half. What only rounding tells apart is
    tied: shares of prompts are, often."""
    apart = replicates - values
    apart[np.abs(apart) <= TIE * np.abs(apart).max(axis=0)] = 0
    return np.mean(apart < 0, axis=0) + np.mean(apart == 0, axis=0) / 2


def _quantiles(replicates: Array, shares: Array) -> Array:
    """Of each column its own quantiles, ``shares`` [quantiles, columns], linear between replicates."""
    ordered = np.sort(replicates, axis=0)
    places = shares * (len(ordered) - 1)
    below = np.floor(places).astype(np.intp)
    lower, upper = (np.take_along_axis(ordered, np.minimum(at, len(ordered) - 1), axis=0) for at in (below, below + 1))
    return lower + (upper - lower) * (places - below)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _acceleration(left_out: Array) -> Array:
    distances = left_out.mean(axis=0) - left_out
    cubes, squares = np.sum(distances**3, axis=0), np.sum(distances**2, axis=0)
    scale = 6 * squares**1.5  # zero also where distances are too small for floats
    usable = (scale > 0) & np.isfinite(scale)
    return np.where(usable, cubes, 0.0) / np.where(usable, scale, 1.0)


def wilson(column: Array, confidence: float) -> Estimate:
    """Wilson's interval of a share of prompts (Wilson 1927); ``column`` holds a zero or a one a prompt.

    >>> all_right = wilson(np.ones(90), 0.95)
    >>> f"{all_right.value:.0%} [{all_right.low:.1%}, {all_right.high:.1%}]"
    '100% [95.9%, 100.0%]'
    """
    result = stats.binomtest(round(float(column.sum())), len(column))
    interval = result.proportion_ci(confidence, method="wilson")
    return Estimate(float(column.mean()), float(interval.low), float(interval.high))


def interval(measurement: Measurement, bootstrap: Bootstrap, confidence: float) -> Estimate:
    """The measurement's value with its interval; None where it is undefined, as for a single prompt."""
    if measurement.prompts < 2:
        return Estimate(_finite(spread(measurement, measurement.combine, bootstrap).value), None, None)
    if measurement.shares:
        return wilson(measurement.samples[0].columns[:, 0], confidence)
    return bca(spread(measurement, measurement.combine, bootstrap), confidence)


# --- many estimates at once --------------------------------------------------------------------------


def mean_intervals(sample: Sample, bootstrap: Bootstrap, confidence: float) -> tuple[Estimate, ...]:
    """The mean of each column with the interval that ``interval`` gives it, for hundreds of columns at once."""
    means = sample.columns.mean(axis=0)
    if len(sample.columns) < 2:
        return tuple(Estimate(float(mean), None, None) for mean in means)
    many = Measurement((sample,), lambda each: each)
    low, high = _ends(means, bootstrap.means(many), _leave_one_out(many), confidence)
    return tuple(Estimate(*map(float, each)) for each in zip(means, low, high, strict=True))


def zero_p_values(sample: Sample, bootstrap: Bootstrap, least: float) -> tuple[float | None, ...]:
    """Of each column the two-sided p-value of "its mean is zero", normal with the bootstrap's standard error.

    Means of at most ``least`` are rounding. None for a single prompt.
    """
    means = sample.columns.mean(axis=0)
    if len(sample.columns) < 2:
        return (None,) * len(means)
    errors = bootstrap.means(Measurement((sample,), lambda each: each)).std(axis=0)
    distances = np.divide(np.abs(means), errors, out=np.full_like(means, np.inf), where=errors > 0)
    return tuple(np.where(np.abs(means) <= least, 1.0, 2 * stats.norm.sf(distances)).tolist())

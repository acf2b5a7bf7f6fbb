"""From a measurement to evidence: for each form of estimand the test that is valid for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np

from circuitdsl.judge.bootstrap import resampled_means
from circuitdsl.judge.dependence import dependence, shuffled
from circuitdsl.judge.evidence import (
    Ahead,
    Evidence,
    Extreme,
    Guarded,
    Known,
    Looked,
    Share,
    Size,
    Student,
    in_turns,
    of_mean,
    ranks,
    student,
)
from circuitdsl.judge.looks import ONCE, Course, Looks, Split
from circuitdsl.judge.units import Array, Units
from circuitdsl.measures.estimands import (
    Contrast,
    Dependence,
    Estimand,
    Folded,
    Largest,
    Led,
    Mean,
    RankCorrelation,
    Ratio,
    Smallest,
    Smooth,
    contrasts_of,
    needs_of,
)
from circuitdsl.measures.measurement import Measurement, Paired, RandomSets, Sample, Shuffled

RANKED_AGAIN = 200
"""On how many resamples of the prompts ranks are taken again."""

UnitsOf = Callable[[Sample], Units]
"""The units of a sample's prompts."""


def looks_at(measurement: Measurement, units_of: UnitsOf, first: int, most: int) -> Looks:
    """The looks at a measurement from the first number of prompts to the most, of whole turns of its templates."""
    if first == most:
        return ONCE
    turn = units_of(measurement.samples[0]).turns.templates
    return Looks.between(first, most, turn if turn < first else 1)


@dataclass(frozen=True)
class Weighed:
    """A measurement with the units of its samples. ``whole``: these are all prompts that there are, so that a function
    of means over them is known. A rank correlation over heads and a dependence are estimated all the same: heads stand
    for others, and a distance correlation is bias-corrected for the number of prompts.

    ``looks`` are all numbers of prompts at which the measurement may be judged, these prompts being one of them; every
    p-value and interval counts all of them.
    """

    measurement: Measurement
    units: tuple[Units, ...]
    whole: bool = False
    looks: Looks = ONCE

    @classmethod
    def of(cls, measurement: Measurement, units_of: UnitsOf, whole: bool = False, looks: Looks = ONCE) -> Weighed:
        return cls(measurement, tuple(map(units_of, measurement.samples)), whole, looks)

    @property
    def itself(self) -> Weighed:
        """The same without random sets that were measured on fewer prompts."""
        control = self.measurement.control
        if not isinstance(control, RandomSets) or control.own is None:
            return self
        own = replace(self.measurement, samples=self.measurement.samples[:1], control=None)
        return replace(self, measurement=own, units=self.units[:1])

    @property
    def claimed(self) -> Weighed:
        """The same as a claim of its own, judged at all looks or, without a sequence, at the few where the number of
        prompts has doubled. What is shown beside a claim stays open to all looks at which that one may stop.

        Without a sequence are ranks, dependence and bounded figures whose units do not follow each other in turns: bets
        on these are fair at a number of prompts, and not from one to the next.
        """
        control, estimand = self.measurement.control, self.measurement.estimand
        figures = [estimand, *([control.figure, control.excess] if isinstance(control, Paired) else [])]
        bounded = [c for figure in figures for c in contrasts_of(figure) if c.range is not None]
        sequence = not isinstance(estimand, RankCorrelation | Dependence) and all(map(self._in_turns, bounded))
        return self if sequence else replace(self, looks=self.looks.seldom)

    def _in_turns(self, contrast: Contrast) -> bool:
        """Whether the prompts of a contrast may be bet on from turn to turn."""
        return self._rows(contrast)[1].turns.begun(self.looks.counts[0])

    @property
    def split(self) -> Split:
        """What a p-value is worth that each look gives by itself."""
        return Split(len(self.looks.counts))

    def _looked(self, evidence: Evidence, chosen: int = 0) -> Evidence:
        """Evidence of what is a random walk over prompts, all looks counted; over those after the first, by which it
        was ``chosen``."""
        if self.looks.once:
            return evidence
        return Looked(evidence, Course(tuple(count - chosen for count in self.looks.counts)))

    def _split(self, evidence: Evidence) -> Evidence:
        """Evidence of which nothing is known but that each look is one."""
        return evidence if self.looks.once else Looked(evidence, self.split)

    @property
    def fewest(self) -> int:
        """The number of units of the smallest sample, and of what is left of one where some chose what is measured."""
        chosen = [c for c in contrasts_of(self.measurement.estimand) if c.chosen]
        return min([*map(len, self.units), *(len(self._rows(contrast)[1]) for contrast in chosen)])

    @property
    def means(self) -> Array:
        """Means of all samples' columns, [columns]."""
        pairs = zip(self.measurement.samples, self.units, strict=True)
        return np.concatenate([units.mean(sample.columns) for sample, units in pairs])

    @property
    def value(self) -> float:
        return float(self.measurement.estimand.value(self.means))

    def evidence(self) -> Evidence | None:
        """None where the figure is undefined on these prompts: its denominator is zero."""
        return self.evidence_of(self.measurement.estimand)

    def shuffled(self, control: Shuffled) -> Array:
        """The dependence of values that are put together at random within templates, [times]."""
        estimand = self.measurement.estimand
        assert isinstance(estimand, Dependence), "of dependence alone there is such a control"
        return shuffled(*self._pairs(estimand), control.times, control.seed)

    def above_zero(self, contrast: Contrast) -> float:
        """The p-value of "the mean of this contrast is at most zero"."""
        return self._mean(contrast).above(0.0)

    def evidence_of(self, estimand: Estimand) -> Evidence | None:
        """The same of any figure of these columns."""
        if self.whole and not isinstance(estimand, RankCorrelation | Dependence):
            return self._known(estimand)
        match estimand:
            case Mean(of=contrast, binary=binary):
                return self._mean(contrast, binary)
            case Ratio():
                return self._ratio(estimand)
            case Folded(of=inner):
                found = self.evidence_of(inner)
                return found and Size(found)
            case Largest(of=several):
                return self._extreme(several, 1)
            case Led():
                return self._ahead(estimand)
            case Smallest(of=several):
                return self._extreme(several, -1)
            case Smooth(function=function, needs=needs):
                return self._smooth(function, needs)
            case RankCorrelation(sides=sides):
                found = ranks(sides(self.means), sides(self._resampled()))
                return found and self._split(found)
            case Dependence():
                found = dependence(*self._pairs(estimand))
                return found and self._split(found)
            case _:
                assert_never(estimand)

    def _known(self, estimand: Estimand) -> Evidence | None:
        """A figure of all prompts; worth nothing where a mean that it needs is not above zero."""
        means = self.means
        value = float(estimand.value(means))
        if not math.isfinite(value):
            return None
        meaningful = all(need.of(means) > 0 for need in needs_of(estimand))
        return Known(value) if meaningful else Guarded(Known(value), 1.0)

    def _resampled(self) -> Array:
        """Means of all samples' columns on resampled prompts, [resamples, columns]."""
        pairs = zip(self.measurement.samples, self.units, strict=True)
        return np.concatenate([resampled_means(sample.columns, units, RANKED_AGAIN) for sample, units in pairs], axis=1)

    def _pairs(self, estimand: Dependence) -> tuple[Array, Array, Units]:
        """Both values of each unit."""
        left, units = self._rows(estimand.left)
        right, _ = self._rows(estimand.right)
        return units.values(left), units.values(right), units

    def _mean(self, contrast: Contrast, binary: bool = False) -> Evidence:
        values, units = self._rows(contrast)
        if not self.looks.once and contrast.range is not None and self._in_turns(contrast):
            return in_turns(values, units, contrast.range, binary, self.looks.counts)
        found = of_mean(values, units, contrast.range, binary)
        return self._looked(found, contrast.chosen) if isinstance(found, Student) else self._split(found)

    def _rows(self, contrast: Contrast) -> tuple[Array, Units]:
        """A contrast on each prompt of the sample that its columns stand in, and these prompts' units.

        Of one that was chosen on the first of them only the others are taken.
        """
        offset = 0
        first = contrast.terms[0][0]
        for sample, units in zip(self.measurement.samples, self.units, strict=True):
            width = sample.columns.shape[1]
            if offset <= first < offset + width:
                values = contrast.moved(-offset).of(sample.columns)
                if not contrast.chosen:
                    return values, units
                others = np.arange(len(values)) >= contrast.chosen
                return values[others], units.part(others)
            offset += width
        raise AssertionError("a contrast is of columns that the measurement has")

    def distance(self, bound: float) -> Student | None:
        """How far a ratio a / b is above a bound: the t of a - bound |b| by itself, whatever limits a and b have.

        None of a figure that is no ratio, and where b is zero.
        """
        estimand = self.measurement.estimand
        fraction = self._fraction(estimand) if isinstance(estimand, Ratio) else None
        return fraction and fraction.above(bound)

    def _ratio(self, estimand: Ratio) -> Evidence | None:
        fraction = self._fraction(estimand)
        if fraction is None:
            return None
        sign = fraction.sign
        under_contrast = Contrast(tuple((c, sign * w) for c, w in estimand.under.terms), estimand.under.limits)
        tails = 2.0 if estimand.either_sign else 1.0
        told = under_contrast if estimand.either_sign else estimand.under
        needed = max(min(1.0, tails * self.above_zero(told)), *map(self.above_zero, estimand.needs), 0.0)
        value = fraction.value

        exact = estimand.over.limits is not None and estimand.under.limits is not None
        spread = float(np.abs(fraction.over - value * fraction.under).sum()) / abs(fraction.mean)

        def bounded(bound: float) -> Evidence:
            return self._mean(estimand.over.less(under_contrast, bound))

        def linear(bound: float) -> Evidence:
            return self._looked(fraction.above(bound))

        contrast = bounded if exact else linear
        return Share(value, contrast, needed, spread or max(abs(value), 1.0) * 1e-6, exact)

    def _fraction(self, estimand: Ratio) -> _Fraction | None:
        over, units = self._rows(estimand.over)
        under, _ = self._rows(estimand.under)
        mean = float(units.weights @ under)
        if mean == 0:
            return None
        sign = -1.0 if estimand.of_size and mean < 0 else 1.0
        value = float(units.weights @ over) / (sign * mean)
        over_parts, under_parts = units.residuals(np.stack([over, sign * under], axis=1)).T
        return _Fraction(value, sign, mean, over_parts, under_parts, units)

    def _extreme(self, several: Sequence[Estimand], sign: int) -> Evidence | None:
        found = [self.evidence_of(each) for each in several]
        known = [each for each in found if each is not None]
        return Extreme(known, sign) if len(known) == len(found) else None

    def _ahead(self, led: Led) -> Evidence | None:
        others = replace(self, looks=ONCE) if led.stopped else self
        found = [*map(self.evidence_of, led.leaders), *map(others.evidence_of, led.others)]
        known, first = [each for each in found if each is not None], len(led.leaders)
        return Ahead(known[:first], known[first:], led.early) if len(known) == len(found) else None

    def _smooth(self, function: Callable[[Array], Array], needs: Sequence[Contrast]) -> Evidence | None:
        """Student's t with the jackknife's variance: what the figure changes by where a unit is left out."""
        means = self.means
        value = float(function(means))
        if not math.isfinite(value):
            return None
        parts, offset = [], 0
        for sample, units in zip(self.measurement.samples, self.units, strict=True):
            residuals = units.residuals(sample.columns)
            left_out = np.tile(means, (len(units), 1))
            left_out[:, offset : offset + residuals.shape[1]] -= residuals
            parts.append(value - function(left_out))
            offset += residuals.shape[1]
        each = [student(value, influence, units) for influence, units in zip(parts, self.units, strict=True)]
        joined = self._looked(_joined(value, [(one.error, one.freedom, one.skewness) for one in each]))
        needed = max([self.above_zero(need) for need in needs], default=0.0)
        return Guarded(joined, needed) if needs else joined


@dataclass(frozen=True)
class _Fraction:
    """A ratio of means a / b: ``mean`` is that of b, which counts with this ``sign``; ``over`` and ``under`` [units]
    are what each unit adds to the mean of a and of b with its sign (``Units.residuals``)."""

    value: float
    sign: float
    mean: float
    over: Array
    under: Array
    units: Units

    def above(self, bound: float) -> Student:
        """The t of a - bound b."""
        difference = (self.value - bound) * self.sign * self.mean
        return student(difference, self.over - bound * self.under, self.units)


def _joined(value: float, samples: Sequence[tuple[float, float, float]]) -> Evidence:
    """The t of a figure to which independent samples add, each with its error, degrees of freedom and skewness."""
    samples = [each for each in samples if each[0] > 0]  # one that adds nothing may have no degrees of freedom
    total = sum(error**2 for error, _, _ in samples)
    if not samples:
        return Student(value, 0.0, 1.0)
    freedom = total**2 / sum(error**4 / freedom for error, freedom, _ in samples)
    skewness = sum(skewness * error**3 for error, _, skewness in samples) / total**1.5
    return Student(value, math.sqrt(total), freedom, skewness)

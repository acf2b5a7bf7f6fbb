"""A figure in two reports of the same prompts: how far it moved, by what became of every prompt.

What a prompt adds to a figure is its pseudo-value (Tukey 1958): the figure, and what it changes by for this prompt's
counting, over how much it counts. The mean of pseudo-values is the figure, exactly for means and to first order for
ratios and other smooth functions of means. So the change of a figure is a mean of changes, and is judged as means are.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from circuitdsl.judge.estimates import Estimate
from circuitdsl.judge.evidence import FEWEST, Evidence, Guarded, Looked, Share, Size, Student, of_mean
from circuitdsl.judge.looks import Course, Split
from circuitdsl.judge.singles import MOST, SURE, Asked, Singles, alike
from circuitdsl.judge.units import Array, Units
from circuitdsl.judge.verdicts import estimated, interval
from circuitdsl.judge.weigh import Weighed
from circuitdsl.measures.estimands import (
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
)


def singles(weighed: Weighed, digests: Sequence[str]) -> Singles | None:
    """A measurement prompt by prompt, of prompts with these digests.

    None for a figure that is not one of a sample of prompts alone: of all prompts that there are, of several samples,
    of heads (rank correlations). The largest of several that is led is what its leaders are, of the leaders' prompts.
    """
    weighed = weighed.itself
    if weighed.whole:
        return None
    estimand = weighed.measurement.estimand
    told = _told_of_leaders(weighed, estimand) if isinstance(estimand, Led) else _told(weighed, estimand)
    if told is None:
        return None
    kept = told.rows & (np.cumsum(told.rows) <= MOST)
    first = kept[told.rows]
    chose = int(np.argmax(told.rows))  # the walk begins after them
    counts = () if weighed.looks.once else weighed.looks.counts
    looks = tuple(sorted({min(count - chose, MOST) for count in counts}))
    units = told.units.part(first)
    return Singles(
        Asked(
            tuple(digests[place] for place in np.flatnonzero(kept).tolist()),
            tuple(units.unit.tolist()),
            tuple(units.stratum.tolist()),
            tuple(units.weights.tolist()),
        ),
        array("f", told.values[first].tolist()),
        told.limits,
        _needed(told.evidence),
        looks,
        told.several,
        told.taken,
        _ends(weighed) if told.several > 1 else None,
    )


def _ends(weighed: Weighed) -> tuple[float | None, float | None]:
    found = estimated(weighed, SURE)
    low, high = (end if end is not None and math.isfinite(end) else None for end in (found.low, found.high))
    return low, high


@dataclass(frozen=True)
class _Told:
    """What prompts tell of a figure: ``values`` of those of the measurement's ``rows`` (truth values) that count."""

    evidence: Evidence
    rows: NDArray[np.bool_]
    units: Units
    values: Array
    limits: tuple[float, float] | None
    several: int = 1
    taken: int = 0


def _told_of_leaders(weighed: Weighed, estimand: Led) -> _Told | None:
    largest = Largest(estimand.leaders)
    own = replace(weighed.measurement, samples=weighed.measurement.samples[:1], estimand=largest)
    told = _told(replace(weighed, measurement=own, units=weighed.units[:1]), largest)
    several = len(estimand.leaders) + len(estimand.others)
    return told and replace(told, several=several, taken=estimand.places[told.taken])


def _told(weighed: Weighed, estimand: Estimand) -> _Told | None:
    """The size of a figure is told by the figure, on the side of zero where it is. None of several samples."""
    if len(weighed.measurement.samples) > 1:
        return None
    match estimand:
        case Largest(of=figures) | Smallest(of=figures):
            found = [each for each in (_told(weighed, figure) for figure in figures) if each is not None]
            if len(found) < len(figures):
                return None
            pick = max if isinstance(estimand, Largest) else min
            place = pick(range(len(found)), key=lambda place: found[place].evidence.value)
            before, several = (sum(each.several for each in some) for some in (found[:place], found))
            return replace(found[place], several=several, taken=before + found[place].taken)
        case Folded(of=inner):
            found = _told(weighed, inner)
            side = -1.0 if found is not None and found.evidence.value < 0 else 1.0
            return found and replace(found, evidence=Size(found.evidence), values=side * found.values, limits=None)
        case Mean() | Ratio() | Smooth():
            return _told_of_one(weighed, estimand)
        case Led() | RankCorrelation() | Dependence():
            return None


def _told_of_one(weighed: Weighed, estimand: Mean | Ratio | Smooth) -> _Told | None:
    """Of a smooth function of means. What was chosen on some of the prompts is a figure of the others."""
    evidence = weighed.evidence_of(estimand)
    if evidence is None:
        return None
    columns, (units,) = weighed.measurement.samples[0].columns, weighed.units
    rows = np.arange(len(columns)) >= max((contrast.chosen for contrast in contrasts_of(estimand)), default=0)
    if not rows.all():
        columns, units = columns[rows], units.part(rows)
    if isinstance(estimand, Mean):
        values, limits = estimand.of.of(columns), estimand.of.range
    else:
        means = units.mean(columns)
        value = estimand.value(means)
        less = means - units.weights[:, None] * (columns - means)
        values, limits = value + (value - estimand.value(less)) / units.weights, None
    return _Told(evidence, rows, units, values, limits) if bool(np.isfinite(values).all()) else None


def difference(old: Singles, new: Singles, level: float) -> Estimate | None:
    """By how much a figure changed on the prompts with which both begin, with its interval at 1 - ``level``.

    None where they have not the same prompts in the same units, or too few for a test that is not exact. If both
    figures are the same, the interval misses zero in a share of ``level`` at most, whatever the two have to do with
    each other.

    The largest of several figures is one of them. None where the two reports took not the same one: what another one
    is now says nothing of how that one changed. Else the level is divided by their number, since the one that was taken
    was not known beforehand (Bonferroni).
    """
    if not alike(old, new) or (old.several, old.taken) != (new.several, new.taken):
        return None
    count = min(len(old.values), len(new.values))
    units = _units(min(old, new, key=lambda each: len(each.values)).prompts, count)
    change = np.array(new.values[:count]) - np.array(old.values[:count])
    limits = None
    if old.limits is not None and new.limits is not None:
        limits = new.limits[0] - old.limits[1], new.limits[1] - old.limits[0]
    evidence = of_mean(change, units, limits)
    if len(units) < FEWEST and not evidence.exact:
        return None
    looks = tuple(sorted({*old.looks, *new.looks}))
    if len(looks) > 1:
        evidence = Looked(evidence, Course(looks) if isinstance(evidence, Student) else Split(len(looks)))
    level /= old.several
    return interval(Guarded(evidence, max(old.needed, new.needed)), 1 - level)


def _units(prompts: Asked, count: int) -> Units:
    """The units of the first prompts."""
    weights, unit, stratum = np.array(prompts.weights), np.array(prompts.units), np.array(prompts.strata)
    whole = Units(weights / weights.sum(), unit, stratum)
    return whole if count == len(unit) else whole.part(np.arange(len(unit)) < count)


def _needed(evidence: Evidence) -> float:
    """The p-value of "what a figure needs is not so"."""
    match evidence:
        case Share(needed=needed):
            return needed
        case Guarded(of=of, needed=needed):
            return max(needed, _needed(of))
        case Size(of=of) | Looked(of=of):
            return _needed(of)
        case _:
            return 0.0

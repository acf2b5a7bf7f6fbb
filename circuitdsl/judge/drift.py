"""Whether two measurements of one figure lie apart, by what reports keep: a value and its interval."""

from __future__ import annotations

import math
from statistics import NormalDist

from circuitdsl.judge.estimates import Estimate

_ROUNDING = 1e-4
"""By how much, as a share of the larger, figures without sampling error may differ: sums in float32 round."""


def apart(old: Estimate, new: Estimate, confidences: tuple[float, float], level: float) -> bool:
    """Whether two intervals do not meet, each of them at level / 2, so that this errs with ``level`` at most.

    If the figure is the same and they do not meet, one of the two misses it. So often that happens at most as their
    levels add up to, whatever the two have to do with each other: no independence is assumed, and nothing is won where
    the prompts are the same. ``confidences`` are those at which the intervals were made; to another level each side is
    stretched as the normal distribution has it, and never shortened.
    """
    stretched = [_stretched(*each, level / 2) for each in zip((old, new), confidences, strict=True)]
    (low, high), (other_low, other_high) = stretched
    if math.isclose(old.value or 0.0, new.value or 0.0, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
        return False
    return high < other_low or other_high < low


def _stretched(estimate: Estimate, confidence: float, level: float) -> tuple[float, float]:
    """The ends of an estimate's interval at 1 - ``level``; an end that is not there is infinite."""
    if estimate.value is None:
        return -math.inf, math.inf
    if estimate.low == estimate.high == estimate.value:
        return estimate.value, estimate.value
    normal = NormalDist()
    by = max(1.0, normal.inv_cdf(level / 2) / normal.inv_cdf((1 - confidence) / 2))
    low = -math.inf if estimate.low is None else estimate.value - by * (estimate.value - estimate.low)
    high = math.inf if estimate.high is None else estimate.value + by * (estimate.high - estimate.value)
    return low, high

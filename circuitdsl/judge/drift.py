"""Whether measurements of one figure lie apart, by what reports keep: values and their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import NormalDist

from circuitdsl.judge.estimates import Estimate

_ROUNDING = 1e-4
"""By how much, as a share of the larger, figures without sampling error may differ: sums in float32 round."""


def apart(measured: Sequence[tuple[Estimate, float]], level: float) -> bool:
    """Whether any two of some intervals do not meet, each of them at ``level`` / their number, so that this errs with
    ``level`` at most.

    ``measured`` are estimates, each with the confidence at which its interval was made. If two figures are the same and
    their intervals do not meet, one of the two misses it. So often that happens at most to any as their levels add up
    to, whatever they have to do with each other: no independence is assumed, and nothing is won where the prompts are
    the same. To another level each side is stretched as the normal distribution has it, and never shortened.
    """
    stretched = [(each.value or 0.0, *_stretched(each, sure, level / len(measured))) for each, sure in measured]
    if max((low for _, low, _ in stretched), default=0.0) <= min((high for *_, high in stretched), default=0.0):
        return False  # all of them meet
    return any(_two_apart(*two) for two in combinations(stretched, 2))


def _two_apart(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Whether two figures differ and their intervals do not meet; each is a value, a low and a high end."""
    if math.isclose(one[0], other[0], rel_tol=_ROUNDING, abs_tol=_ROUNDING):
        return False
    return one[2] < other[1] or other[2] < one[1]


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

"""Sort out what is small for certain by coarse figures, so that only the rest has to be measured finely.

How far a coarse figure may be off is never assumed: it is learnt from items that are measured both ways.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from scipy import stats

Item = TypeVar("Item", bound=Hashable)

Figures = Mapping[Item, float]
"""Figures of items, NaN where there is none."""


@dataclass(frozen=True)
class Screened(Generic[Item]):
    """What a screen leaves to be looked at, in the order of the items, and how many it sorted out.

    ``margin`` is how far a coarse figure was taken to be off at most; infinite where nothing could be learnt of it.
    """

    rest: tuple[Item, ...]
    sorted_out: int
    margin: float


def screen(
    coarse: Figures[Item], floor: float, confidence: float, fine: Callable[[Sequence[Item]], Figures[Item]]
) -> Screened[Item]:
    """The items whose fine figures may be of the floor's size or more; all of these have been measured by ``fine``.

    Measured finely are the items whose coarse figure reaches the floor or is missing, and the largest of those below
    it, twice as many as the square root of their number. These tell the margin (see ``margin``) where a mistake is
    nearest, and most of them would have to be measured in any case. Whatever is closer to the floor than that is
    measured finely too, and adds to what is known of the margin, until nothing is. A margin as wide as the floor sorts
    nothing out.
    """
    small = sorted((item for item in coarse if abs(coarse[item]) < floor), key=lambda item: -abs(coarse[item]))
    tried = small[: 2 * math.isqrt(len(small))]
    known = dict(fine([*(item for item in coarse if not abs(coarse[item]) < floor), *tried]))
    while True:
        errors = [coarse[item] - known[item] for item in tried]
        left = [item for item in small if item not in known]
        width = margin(errors, confidence, len(left))
        near = [item for item in left if not abs(coarse[item]) + width < floor]
        if not near:
            return Screened(tuple(item for item in coarse if item in known), len(left), width)
        known |= fine(near)
        tried += near


def margin(errors: Sequence[float], confidence: float, number: int) -> float:
    """How far off ``number`` more coarse figures are at most, all of them together, at a confidence.

    Student's two-sided prediction limit for errors around zero, of which these are a sample, with Bonferroni's
    correction. Their mean square holds what rounding does to each figure alone and what it does to all alike. Infinite
    without errors to learn from.
    """
    seen = np.array([error for error in errors if math.isfinite(error)])
    if not len(seen):
        return math.inf
    each = (1 - confidence) / max(1, number)
    return float(stats.t.isf(each / 2, len(seen)) * np.sqrt(np.mean(seen**2)))

"""Sort out what is surely small by coarse estimates, so that only the rest has to be measured finely.

How far a coarse estimate may be off is never assumed: it is learnt from items that are measured both ways.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from scipy import special

Item = TypeVar("Item", bound=Hashable)

Figures = Mapping[Item, float]
"""Estimates of items, NaN where there is none."""

Measuring = Callable[[Sequence[Item]], Figures[Item]]


@dataclass(frozen=True)
class Screened(Generic[Item]):
    """What a screen leaves to be looked at, in the order of the items, and how many it sorted out.

    ``margin`` is how far a coarse estimate was taken to be off at most; infinite where nothing could be learnt of it.
    """

    rest: tuple[Item, ...]
    sorted_out: int
    margin: float


def screen(
    items: Sequence[Item], floor: float, confidence: float, coarse: Measuring[Item], fine: Measuring[Item]
) -> Screened[Item]:
    """The items whose fine estimates may be of the floor's size or more; all of these have been measured by ``fine``.

    A sample is measured both ways first, as many items as the square root of their number. If these tell that coarse
    estimates are as far off as the floor (see ``margin``), nothing could be sorted out, and all are measured finely at
    once. Else all others are measured coarsely, and finely those whose coarse estimate reaches the floor or is missing,
    and the largest of those below it, as many as the square root of their number: they tell the margin where a mistake
    is nearest, and most of them would have to be measured in any case. Whatever is closer to the floor than that is
    measured finely too, and adds to what is known of the margin, until nothing is.
    """
    sample = items[:: math.isqrt(len(items)) or 1]
    rough, known = dict(coarse(sample)), dict(fine(sample))
    tried = [item for item in sample if abs(rough[item]) < floor]
    others = [item for item in items if item not in known]
    width = _learnt(tried, rough, known, confidence, len(others))
    if not width < floor:
        fine(others)
        return Screened(tuple(items), 0, width)
    rough |= coarse(others)
    small = sorted((item for item in others if abs(rough[item]) < floor), key=lambda item: -abs(rough[item]))
    nearest = small[: math.isqrt(len(small))]
    known |= fine([*(item for item in others if not abs(rough[item]) < floor), *nearest])
    tried += nearest
    while True:
        left = [item for item in small if item not in known]
        width = _learnt(tried, rough, known, confidence, len(left))
        near = [item for item in left if not abs(rough[item]) + width < floor]
        if not near:
            return Screened(tuple(item for item in items if item in known), len(left), width)
        known |= fine(near)
        tried += near


def _learnt(tried: Sequence[Item], rough: Figures[Item], known: Figures[Item], confidence: float, number: int) -> float:
    return margin([rough[item] - known[item] for item in tried], confidence, number)


def margin(errors: Sequence[float], confidence: float, number: int) -> float:
    """How far off ``number`` more coarse estimates are at most, all of them together, at a confidence.

    Student's two-sided prediction limit for errors around zero, of which these are a sample, with Bonferroni's
    correction. Their mean square holds what rounding does to each estimate alone and what it does to all alike.
    Infinite without errors to learn from.
    """
    seen = np.array([error for error in errors if math.isfinite(error)])
    if not len(seen):
        return math.inf
    each = (1 - confidence) / max(1, number)
    return float(-special.stdtrit(len(seen), each / 2) * np.sqrt(np.mean(seen**2)))

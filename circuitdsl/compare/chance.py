"""How much two circuits would share by chance, exactly.

The null: each circuit keeps as many heads in each layer (stratum) as it has, but which ones they are is drawn
uniformly and independently of the other circuit. The overlap is then a sum of independent hypergeometric
variables, one a layer, whose distribution is the convolution of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Stratum = TypeVar("Stratum")


@dataclass(frozen=True)
class Chance:
    """What independent placement would give: the expected number shared, P(overlap >= the observed) and P(<=)."""

    expected: float
    p_value: float
    p_fewer: float


def overlap_distribution(
    left: Mapping[Stratum, int], right: Mapping[Stratum, int], population: int
) -> NDArray[np.float64]:
    """P(overlap = k) for k = 0, 1, ..., float [largest possible overlap + 1].

    ``left`` and ``right`` count each circuit's elements by stratum; a stratum holds ``population`` elements.
    """
    distribution = np.ones(1)
    for stratum in left.keys() & right.keys():
        ours, theirs = left[stratum], right[stratum]
        distribution = np.convolve(distribution, _hypergeometric(population, ours, theirs))
    return distribution


def _hypergeometric(population: int, marked: int, drawn: int) -> NDArray[np.float64]:
    """P(k of the ``drawn`` are ``marked``) for k = 0, 1, ..., min(marked, drawn), from exact binomials."""
    ways = comb(population, drawn)
    shares = [comb(marked, k) * comb(population - marked, drawn - k) / ways for k in range(min(marked, drawn) + 1)]
    return np.array(shares)


def chance(left: Mapping[Stratum, int], right: Mapping[Stratum, int], population: int, observed: int) -> Chance:
    """The expected overlap under independent placement and the exact p-value of ``observed`` elements shared.

    Two circuits with two of the four heads of layer 0 each, and both heads shared: one of six placements gives that.

    >>> found = chance({0: 2}, {0: 2}, population=4, observed=2)
    >>> found.expected, round(found.p_value, 3)
    (1.0, 0.167)
    """
    expected = sum(left[stratum] * right[stratum] for stratum in left.keys() & right.keys()) / population
    distribution = overlap_distribution(left, right, population)
    more, fewer = distribution[observed:].sum(), distribution[: observed + 1].sum()
    return Chance(float(expected), p_value=float(np.clip(more, 0.0, 1.0)), p_fewer=float(np.clip(fewer, 0.0, 1.0)))

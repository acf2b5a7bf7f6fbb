"""Looking again: at which numbers of prompts a claim is judged, and what it costs to be able to stop at any of them.

A claim of ``prompts 20 to 2000`` is judged on 20 prompts and on more while it is undecided. Whoever stops at the first
look that decides errs more often than at one look, so that each test has to be valid for all looks together:

* ``Course``: a mean, or what behaves as one, is a random walk over prompts, and its t at n prompts is as good as
  W(n) / sqrt(n) of a Brownian motion W. How likely the largest of these over all looks is beyond c is known: looks
  that are near to each other mostly agree, so that many cost little more than few (Armitage, McPherson and Rowe 1969).
  This is a confidence sequence over these looks, asymptotic as that of Waudby-Smith and others (2024), whose boundary
  has no last look and is wider for that.
* ``Split``: nothing is known of how looks agree; each gets its part of the error (Bonferroni).
* Bets (``evidence.Betting``) need neither: their capital is seldom large at any time (Ville 1939).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import pairwise
from typing import Protocol

import numpy as np
from scipy import special

from circuitdsl.judge.roots import root
from circuitdsl.judge.units import Array

A_DOUBLING = 4
"""Looks until the number of prompts is doubled. More decide no sooner: what they save at the end costs wider
intervals."""


_NEAR = 2 ** (1 / A_DOUBLING / 2)


class Together(Protocol):
    """What a one-sided p-value of one look is worth, all looks counted; ``each`` is the inverse."""

    def over(self, p: float) -> float: ...

    def each(self, level: float) -> float: ...


@dataclass(frozen=True)
class Split:
    """So many looks, each with its part of the error."""

    number: int

    def over(self, p: float) -> float:
        return min(1.0, self.number * p)

    def each(self, level: float) -> float:
        return level / self.number


@dataclass(frozen=True)
class Course:
    """Looks at these ``counts`` of prompts at a figure whose errors add up over prompts.

    >>> round(Course((200,)).over(0.01), 6)
    0.01
    >>> round(Course((200, 400, 800)).over(0.01), 3) < 0.03
    True
    """

    counts: tuple[int, ...]

    def over(self, p: float) -> float:
        if len(self.counts) == 1 or p <= 0:
            return p
        at_most = len(self.counts) * p  # by Bonferroni
        z = -float(special.ndtri(p))
        steps, logs = _crossings(self.counts)
        if z <= steps[0]:
            return 1.0
        return min(1.0, at_most, p * math.exp(float(np.interp(z, steps, logs))))

    def each(self, level: float) -> float:
        if len(self.counts) == 1:
            return level
        return _each(self, level)


@lru_cache(maxsize=256)
def _each(course: Course, level: float) -> float:
    def off(z: float) -> float:
        return math.log(course.over(float(special.ndtr(-z)))) - math.log(level)

    return float(special.ndtr(-root(off, -float(special.ndtri(level)), 9.0, within=1e-12)))


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_LOWEST = -7.0
_STEPS = np.arange(-1.0, 8.01, 0.25)


@cache
def _crossings(counts: tuple[int, ...]) -> tuple[Array, Array]:
    """For some z: the logarithm of how many times likelier one look or another is beyond z than a single one is."""
    chances = np.array([crossing(float(z), counts) for z in _STEPS])
    return _STEPS, np.log(np.minimum(chances, 1.0) / special.ndtr(-_STEPS))


def crossing(bound: float, counts: Sequence[int]) -> float:
    """The probability that W(n) / sqrt(n) of a Brownian motion is above ``bound`` at any of these n.

    From look to look the density of those that have not been above is carried on (Gauss and Legendre's quadrature);
    what is summed are the first crossings, so that small probabilities are as exact as large ones.
    """
    half = (bound - _LOWEST) / 2
    at, weights = _LOWEST + half * (_NODES + 1), half * _WEIGHTS
    mass = weights * np.exp(-at * at / 2) / math.sqrt(2 * math.pi)
    total = float(special.ndtr(-bound))
    for before, now in pairwise(counts):
        kept, error = math.sqrt(before / now), math.sqrt(1 - before / now)
        total += float(mass @ special.ndtr((kept * at - bound) / error))
        off = (at[None, :] - kept * at[:, None]) / error
        mass = weights * (mass @ (np.exp(-off * off / 2) / (error * math.sqrt(2 * math.pi))))
    return total


@dataclass(frozen=True)
class Looks:
    """The numbers of prompts at which a claim may be judged, in ascending order; one of them: it is judged once."""

    counts: tuple[int, ...]

    @classmethod
    def between(cls, first: int, most: int, turn: int = 1) -> Looks:
        """Looks from the first number of prompts to the most. ``turn`` is the number of templates that take turns: all
        but the first and the last are whole turns. None is much nearer to the one before than asked for: it would cost
        error and tell little that its neighbours do not.

        >>> Looks.between(60, 240, 1).counts, Looks.between(60, 240, 30).counts, Looks.between(20, 20).counts
        ((60, 71, 85, 101, 120, 143, 170, 202, 240), (60, 90, 120, 150, 180, 210, 240), (20,))
        """
        turn = max(turn, 1)
        counts = [first]
        steps = math.ceil(A_DOUBLING * math.log2(most / first)) if most > first else 0
        for step in range(1, steps):
            count = round(first * 2 ** (step / A_DOUBLING) / turn) * turn
            if count > counts[-1] * _NEAR:
                counts.append(count)
        while len(counts) > 1 and counts[-1] * _NEAR > most:
            counts.pop()
        return cls((*counts, most) if most > first else (first,))

    @property
    def once(self) -> bool:
        return len(self.counts) == 1

    def after(self, count: int) -> int | None:
        """The look that follows the one on so many prompts, None after the last."""
        return next((each for each in self.counts if each > count), None)

    @cached_property
    def seldom(self) -> Looks:
        """The few of them at which the number of prompts has doubled, and the last: for figures of which it is not
        known how looks agree.

        >>> Looks.between(200, 2000).seldom.counts
        (200, 400, 800, 1600, 2000)
        """
        counts = [self.counts[0]]
        for count in self.counts[1:]:
            if count >= 2 * counts[-1] or count == self.counts[-1]:
                counts.append(count)
        return Looks(tuple(counts))


ONCE = Looks((1,))
"""A figure that is judged once."""

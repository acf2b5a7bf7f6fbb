"""What prompts tell of one figure: its value, and p-values of every bound on it, on both sides.

An interval is what no test rejects, so that a p-value, an interval and a verdict never disagree: all come from here.

* ``Student``: t for a mean or a smooth figure, the variance within strata (Satterthwaite's degrees of freedom). Where
  Hall's (1992) correction for skewness makes a p-value greater, it is taken; where it makes it smaller, it is not: at
  few prompts the skewness is known too badly.
* ``Binomial``: Clopper and Pearson (1934) for a share of prompts.
* ``Betting``: for means of bounded values, after Waudby-Smith and Ramdas (2024), valid at any number of prompts.
* ``Share``: Fieller's (1954) test of a ratio of means, inverted; unbounded where the denominator is not above zero.
* ``Size``, ``Extreme``: the size of a signed figure, and the largest or smallest of several.
* ``Ahead``: the largest of several, some of which were measured on more prompts than the others.
* ``Known``: a figure of all prompts that there are.
* ``Ranks``: Spearman's correlation, with the variance of Bonett and Wright (2000) and the noise of what is ranked.
* ``Looked``: any of them, looked at again on more prompts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Protocol

import numpy as np

# Not scipy.stats: its distributions call these functions, take fifty times as long, and half a second to import.
from scipy import special

from circuitdsl.judge.looks import Course, Together
from circuitdsl.judge.roots import root
from circuitdsl.judge.units import Array, Units
from circuitdsl.measures.ranks import spearman

INFINITY = math.inf

FEWEST = 8
"""With fewer units only tests that are exact at any number may decide."""

LEAST_ROOM = 1e-300
"""Less room than this counts as none: one over it would overflow."""

BETS = 8
"""Over how many sizes of the bet the capital is averaged."""


class Evidence(Protocol):
    """What is known of a figure.

    ``exact``: its p-values are valid at any number of units. ``above(b)`` is the p-value of "the figure is at most b",
    small where it is surely above; ``below(b)`` that of "it is at least b". ``low(level)`` is the least b with
    ``above(b)`` beyond ``level``, minus infinity where there is none; ``high`` the same on the other side.
    """

    @property
    def value(self) -> float: ...

    @property
    def exact(self) -> bool: ...

    def above(self, bound: float) -> float: ...

    def below(self, bound: float) -> float: ...

    def low(self, level: float) -> float: ...

    def high(self, level: float) -> float: ...


# --- means -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Student:
    """An estimate with its standard error, the degrees of freedom of that, and the skewness of the estimate."""

    value: float
    error: float
    freedom: float
    skewness: float = 0.0
    exact = False

    @property
    def turned(self) -> Student:
        """The same of minus the figure."""
        return Student(-self.value, self.error, self.freedom, -self.skewness)

    def above(self, bound: float) -> float:
        if self.error == 0:
            return float(self.value <= bound)
        t = (self.value - bound) / self.error
        return float(special.stdtr(self.freedom, -min(t, self._corrected(t))))

    def below(self, bound: float) -> float:
        if self.error == 0:
            return float(self.value >= bound)
        t = (self.value - bound) / self.error
        return float(special.stdtr(self.freedom, max(t, self._corrected(t))))

    def low(self, level: float) -> float:
        t = -float(special.stdtrit(self.freedom, level))
        return self.value - self.error * max(t, self._uncorrected(t))

    def high(self, level: float) -> float:
        t = float(special.stdtrit(self.freedom, level))
        return self.value - self.error * min(t, self._uncorrected(t))

    # Hall's transformation of a skewed t; it is monotone, so that it can be undone.
    def _corrected(self, t: float) -> float:
        s = self.skewness
        return t + s * t * t / 3 + s * s * t**3 / 27 + s / 6

    def _uncorrected(self, g: float) -> float:
        s = self.skewness
        if abs(s) < 1e-9:
            return g
        return 3 / s * (float(np.cbrt(1 + s * (g - s / 6))) - 1)


def student(value: float, residuals: Array, units: Units) -> Student:
    """A figure's t from what each unit adds to it, [units] (``Units.residuals``)."""
    sizes, spares, triples = units.sizes, units.spares, units.triples
    squares = np.bincount(units.stratum, residuals**2)
    variances = squares * sizes / spares
    total = float(variances.sum())
    if len(units) < 2 or not math.isfinite(total):
        return Student(value, INFINITY, 1.0)  # a single unit says nothing of its spread
    if total <= 0:
        return Student(value, 0.0, float(len(units) - len(sizes)))
    freedom = total**2 / float((variances**2 / spares).sum())
    cubes = np.bincount(units.stratum, residuals**3)
    third = float((cubes * units.squares / triples).sum())
    return Student(value, math.sqrt(total), freedom, min(max(third / total**1.5, -1.0), 1.0))


@dataclass(frozen=True)
class Binomial:
    """So many successes of so many independent prompts, all of which count the same (Clopper and Pearson 1934).

    Templates may have shares of their own: the test is conservative then (Hoeffding 1956). So it is over looks
    (``looks.Course``): its p-values are of whole numbers, and err less often than a random walk that is not. A test
    adds up the probabilities.
    """

    successes: int
    prompts: int
    exact = True

    @property
    def value(self) -> float:
        return self.successes / self.prompts

    def above(self, bound: float) -> float:
        if bound < 0:
            return 0.0
        return 1.0 if bound >= 1 else float(special.bdtrc(self.successes - 1, self.prompts, bound))

    def below(self, bound: float) -> float:
        if bound > 1:
            return 0.0
        return 1.0 if bound <= 0 else float(special.bdtr(self.successes, self.prompts, bound))

    def low(self, level: float) -> float:
        k, n = self.successes, self.prompts
        return 0.0 if k == 0 else float(special.betaincinv(k, n - k + 1, level))

    def high(self, level: float) -> float:
        k, n = self.successes, self.prompts
        return 1.0 if k == n else float(special.betainccinv(k + 1, n - k, level))


@dataclass(frozen=True)
class Betting:
    """The mean of values within limits, by the capital of bets against a bound (Waudby-Smith and Ramdas 2024).

    Who bets a fixed share of the capital on each unit being above a bound has an expected capital of at most one if the
    mean is not above it: the product of 1 + bet x (value - bound) over independent units, whatever their own means are,
    as long as these average to the mean (by the inequality of means; values count by the units' weights). So one over
    the capital is a p-value, at any number of units. The bets are fixed beforehand by the ``horizon``, the most units
    that there will be (0: those that there are), and averaged over. Where units come in turns that each average to the
    mean, and count the same, the capital is more than 1 / p at any time with a probability of p at most (Ville 1939):
    then it may be looked at as often as one likes.

    ``values`` [units] and ``shares`` [units], which sum to one; ``least`` and ``most`` are the limits.
    """

    values: Array
    shares: Array
    least: float
    most: float
    horizon: int = 0
    exact = True

    @property
    def value(self) -> float:
        return self._value

    @cached_property
    def _value(self) -> float:
        return float(np.clip(self.shares @ self.values, self.least, self.most))

    def above(self, bound: float) -> float:
        if bound < self.least:
            return 0.0
        return 1.0 if bound >= self.value else self._p(self.values - bound, bound - self.least)

    def below(self, bound: float) -> float:
        if bound > self.most:
            return 0.0
        return 1.0 if bound <= self.value else self._p(bound - self.values, self.most - bound)

    def low(self, level: float) -> float:
        return passing(self.above, self.value, self.least, level)

    def high(self, level: float) -> float:
        return passing(self.below, self.value, self.most, level)

    def _p(self, gains: Array, room: float) -> float:
        """One over the capital. ``room`` is the most that a unit can lose."""
        counts = len(self.values) * self.shares
        if room < LEAST_ROOM:  # at the end of the range: only units that are at the end too leave anything
            return 0.0 if bool((gains > 0).any()) else 1.0
        largest = 1 / (room * float(counts.max()))
        with np.errstate(divide="ignore"):
            logs = np.log(np.maximum(1 + np.outer(self._bets * largest, counts * gains), 0.0)).sum(axis=1)
        best = float(logs.max())
        if best == -INFINITY:
            return 1.0
        return float(min(1.0, math.exp(-best) / float(np.mean(np.exp(logs - best)))))

    @cached_property
    def _bets(self) -> Array:
        """Shares of the largest bet there can be: from all of it down to what suits the widest spread there can be at
        the horizon."""
        least = min(0.5, math.sqrt(2 * math.log(40) / (0.25 * (self.horizon or len(self.values)))) / 2)
        return np.geomspace(least, 0.999, BETS)


def passing(p: Callable[[float], float], start: float, end: float, level: float) -> float:
    """Where p, which falls from ``start`` towards ``end``, passes ``level``; the end where it stays above."""
    p = cache(p)  # the ends are asked for twice
    if end == start or p(end) > level:
        return end
    return root(lambda bound: p(bound) - level, start, end, within=1e-9)


def of_mean(column: Array, units: Units, limits: tuple[float, float] | None, binary: bool = False) -> Evidence:
    """Evidence on the mean of a column [prompts], by the test that is valid for it."""
    if binary and units.single:
        return Binomial(round(float(column.sum())), len(column))
    if limits is not None:
        low, high = limits
        return Betting(np.clip(units.values(column), low, high), units.shares, low, high)
    return student(float(units.weights @ column), units.residuals(column[:, None])[:, 0], units)


def in_turns(column: Array, units: Units, limits: tuple[float, float], binary: bool, looks: Sequence[int]) -> Evidence:
    """Evidence on the mean of a bounded column [prompts] of units that came in whole turns, all looks counted: at so
    many prompts, of each the whole turns."""
    values = np.clip(column[: units.turns.whole], *limits)
    if binary:
        turn = units.turns.templates
        course = Course(tuple(dict.fromkeys(count // turn * turn for count in looks)))
        return Looked(Binomial(round(float(values.sum())), len(values)), course)
    return Betting(values, np.full(len(values), 1 / len(values)), *limits, looks[-1])


@dataclass(frozen=True)
class _OfAnother:
    """Evidence on the figure of another, by other p-values."""

    of: Evidence

    @property
    def value(self) -> float:
        return self.of.value

    @property
    def exact(self) -> bool:
        return self.of.exact


@dataclass(frozen=True)
class Looked(_OfAnother):
    """Evidence that is looked at again on more prompts while it does not decide: ``together`` counts all looks."""

    together: Together

    def above(self, bound: float) -> float:
        return self.together.over(self.of.above(bound))

    def below(self, bound: float) -> float:
        return self.together.over(self.of.below(bound))

    def low(self, level: float) -> float:
        return self.of.low(self.together.each(level))

    def high(self, level: float) -> float:
        return self.of.high(self.together.each(level))


@dataclass(frozen=True)
class Known:
    """A figure of all prompts that there are: nothing of it is open. p-values are 0 or 1."""

    value: float
    exact = True

    def above(self, bound: float) -> float:
        return float(self.value <= bound)

    def below(self, bound: float) -> float:
        return float(self.value >= bound)

    def low(self, level: float) -> float:
        return self.value

    def high(self, level: float) -> float:
        return self.value


# --- ratios ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Share:
    """mean(over) / mean(under): above b where over - b under is above zero and under is (Fieller 1954).

    ``contrast(b)`` is the evidence on over - b under; ``needed`` the p-value of "what must be above zero is not".
    """

    value: float
    contrast: Callable[[float], Evidence]
    needed: float
    scale: float
    exact: bool = False

    def above(self, bound: float) -> float:
        return max(self.needed, self.contrast(bound).above(0.0))

    def below(self, bound: float) -> float:
        return max(self.needed, self.contrast(bound).below(0.0))

    def low(self, level: float) -> float:
        return self._end(self.above, -1.0, level)

    def high(self, level: float) -> float:
        return self._end(self.below, 1.0, level)

    def _end(self, p: Callable[[float], float], way: float, level: float) -> float:
        if self.needed > level:
            return way * INFINITY
        p, step = cache(p), self.scale
        for _ in range(60):
            end = self.value + way * step
            if p(end) <= level:
                return passing(p, self.value, end, level)
            step *= 2
        return way * INFINITY


# --- of others ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Guarded(_OfAnother):
    """Evidence that is worth nothing unless something else is above zero, of which ``needed`` is the p-value."""

    needed: float

    def above(self, bound: float) -> float:
        return max(self.needed, self.of.above(bound))

    def below(self, bound: float) -> float:
        return max(self.needed, self.of.below(bound))

    def low(self, level: float) -> float:
        return -INFINITY if self.needed > level else self.of.low(level)

    def high(self, level: float) -> float:
        return INFINITY if self.needed > level else self.of.high(level)


@dataclass(frozen=True)
class Size:
    """The size of a signed figure. That it is beyond a bound may be due to either side, and both are counted."""

    of: Evidence

    @property
    def value(self) -> float:
        return abs(self.of.value)

    @property
    def exact(self) -> bool:
        return self.of.exact

    def above(self, bound: float) -> float:
        if bound < 0:
            return 0.0
        if self.of.value >= 0:
            return min(1.0, self.of.above(bound) + self.of.above(-bound))
        return min(1.0, self.of.below(-bound) + self.of.below(bound))

    def below(self, bound: float) -> float:
        return 1.0 if bound <= 0 else max(self.of.below(bound), self.of.above(-bound))

    def low(self, level: float) -> float:
        return 0.0 if self.above(0.0) > level else passing(self.above, self.value, 0.0, level)

    def high(self, level: float) -> float:
        return max(self.of.high(level), -self.of.low(level))


@dataclass(frozen=True)
class Extreme:
    """The largest of several figures (``sign`` 1) or the smallest (``sign`` -1).

    That the largest is above a bound may be due to any of them, so that the smallest p-value is multiplied by their
    number (Bonferroni); that it is below has to be shown of each, at the level itself.
    """

    of: Sequence[Evidence]
    sign: int

    @property
    def value(self) -> float:
        return max(each.value for each in self.of) if self.sign > 0 else min(each.value for each in self.of)

    @property
    def exact(self) -> bool:
        return all(each.exact for each in self.of)

    def above(self, bound: float) -> float:
        return (
            self._outward([e.above(bound) for e in self.of]) if self.sign > 0 else max(e.above(bound) for e in self.of)
        )

    def below(self, bound: float) -> float:
        return (
            max(e.below(bound) for e in self.of) if self.sign > 0 else self._outward([e.below(bound) for e in self.of])
        )

    def low(self, level: float) -> float:
        if self.sign > 0:
            return max(each.low(level / len(self.of)) for each in self.of)
        return min(each.low(level) for each in self.of)

    def high(self, level: float) -> float:
        if self.sign > 0:
            return max(each.high(level) for each in self.of)
        return min(each.high(level / len(self.of)) for each in self.of)

    def _outward(self, p_values: Sequence[float]) -> float:
        return min(1.0, len(self.of) * min(p_values))


@dataclass(frozen=True)
class Ahead:
    """The largest of several figures of which the ``leaders`` are known of more prompts than the ``others``.

    That it is above a bound is shown by the leaders alone, at the p-value that they would have among all of them on
    these prompts (``Extreme``). That it is below has to be shown of each, at the level itself. Which of them were
    followed was chosen by the first prompts, so that each is looked at twice, and of the error the first look has the
    share ``early`` and the other the rest (Bonferroni).
    """

    leaders: Sequence[Evidence]
    others: Sequence[Evidence]
    early: float

    @property
    def value(self) -> float:
        return max(each.value for each in self.leaders)

    @property
    def exact(self) -> bool:
        return all(each.exact for each in (*self.leaders, *self.others))

    def above(self, bound: float) -> float:
        return min(1.0, self._number * min(each.above(bound) for each in self.leaders))

    def below(self, bound: float) -> float:
        return min(1.0, max(each.below(bound) / share for each, share in self._shares()))

    def low(self, level: float) -> float:
        return max(each.low(level / self._number) for each in self.leaders)

    def high(self, level: float) -> float:
        return max(each.high(level * share) for each, share in self._shares())

    def _shares(self) -> Iterator[tuple[Evidence, float]]:
        """Each with the share of the error that it has."""
        yield from ((each, 1 - self.early) for each in self.leaders)
        yield from ((each, self.early) for each in self.others)

    @property
    def _number(self) -> int:
        return len(self.leaders) + len(self.others)


@dataclass(frozen=True)
class Ranks:
    """Spearman's correlation over ``pairs`` pairs of means over prompts.

    Normal after Fisher's z. Its variance is that of exact pairs, (1 + r^2 / 2) / (pairs - 3) (Bonett and Wright 2000),
    and ``noise``, what the prompts add. Noisy means rank worse than the true ones, so that their correlation is the
    true one times ``reliability``, from 0 to 1 (Spearman 1904): the true one may be further from zero by that.
    Beyond ``nearest`` there is only one itself, which has no z: it counts as ``nearest``.
    """

    value: float
    pairs: int
    noise: float = 0.0
    reliability: float = 1.0
    exact = False

    def above(self, bound: float) -> float:
        return self._tail(bound, 1)

    def below(self, bound: float) -> float:
        return self._tail(-bound, -1)

    def low(self, level: float) -> float:
        return -self._end(level, -1)

    def high(self, level: float) -> float:
        return self._end(level, 1)

    def _tail(self, bound: float, way: int) -> float:
        """The p-value of "the figure, times ``way``, is at most ``bound``"."""
        if abs(bound) > 1 or bound == 1:
            return float(bound > 0)
        seen = bound * self.reliability if bound < 0 else bound
        return float(special.ndtr((self._z(seen) - self._z(way * self.value)) / self._error))

    def _end(self, level: float, way: int) -> float:
        """The greatest that the figure, times ``way``, can be."""
        seen = math.tanh(self._z(way * self.value) - self._error * float(special.ndtri(level)))
        most = nearest(self.pairs)
        if seen >= most * self.reliability:
            return 1.0
        return seen / self.reliability if seen > 0 else seen

    def _z(self, value: float) -> float:
        most = nearest(self.pairs)
        return math.atanh(min(max(value, -most), most))

    @property
    def _error(self) -> float:
        return math.sqrt((1 + self.value**2 / 2) / max(self.pairs - 3, 0.5) + self.noise)


def nearest(pairs: int) -> float:
    """Halfway from the largest of so many pairs' rank correlations that is not one to one (without ties)."""
    return 1 - 6 / (pairs * (pairs**2 - 1))


def ranks(sides: tuple[Array, Array], again: tuple[Array, Array]) -> Ranks | None:
    """Evidence on the rank correlation of two sides [pairs], ``again`` those of resampled prompts [resamples, pairs].

    None where a side is constant. With variances T of true values and N of noise a side's reliability is T / (T + N).
    A resample has the noise twice, so that it correlates with the side itself by 1 / sqrt(2 - reliability).
    """
    value = float(spearman(*sides))
    if not math.isfinite(value):
        return None
    pairs = len(sides[0])
    most = nearest(pairs)
    spread = float(np.var(np.arctanh(np.clip(np.nan_to_num(spearman(*again)), -most, most))))
    alike = [float(np.nan_to_num(spearman(side, each)).mean()) for side, each in zip(sides, again, strict=True)]
    reliabilities = [max(0.0, 2 - 1 / each**2) if each > 0 else 0.0 for each in alike]
    return Ranks(value, pairs, spread, math.sqrt(math.prod(reliabilities)))

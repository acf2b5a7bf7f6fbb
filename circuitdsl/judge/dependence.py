"""Distance correlation of pairs, bias-corrected (Szekely and Rizzo 2013): its value, and what each pair adds to it.

Pairs are from strata whose means are taken off beforehand, so that what strata differ by is no dependence. The squared
distance correlation is a function of three U-statistics, whose values without each pair have a closed form; they give
the jackknife's variance. Random pairings within strata give its distribution under independence, which is exact as a
Monte Carlo test: pairs of a stratum are exchangeable then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from circuitdsl.judge.evidence import Student, passing, student
from circuitdsl.judge.units import Array, Units

FEWEST_PAIRS = 5
"""With fewer the bias-corrected figure without one of them is not defined."""

MOST_PAIRS = 500
"""The first so many are looked at: the work grows with their square, and for every random pairing."""


TILTS = (0.1, 0.2, 0.3, 0.45, 0.65, 1.0, 1.5, 2.5, 5.0)
"""By how many standard deviations of the one value the other is tilted towards it, to see how errors grow."""


@dataclass(frozen=True)
class Dependent:
    """The signed square root of a squared distance correlation, whose t is of the square.

    Near independence the error of the square falls with the square itself, so that one that is small by chance has an
    error that is too small. That it is below a bound is therefore tested with the error that it has at the bound:
    ``tilted`` are squares and errors of the same prompts, the one value tilted more and more towards the other.
    """

    of: Student
    tilted: tuple[Array, Array]
    exact = False

    @property
    def value(self) -> float:
        return _root(self.of.value)

    def above(self, bound: float) -> float:
        return self.of.above(_square(bound))

    def below(self, bound: float) -> float:
        square = _square(bound)
        error = float(np.interp(square, *self.tilted))
        return replace(self.of, error=max(self.of.error, error)).below(square)

    def low(self, level: float) -> float:
        return max(-1.0, _root(self.of.low(level)))

    def high(self, level: float) -> float:
        return passing(self.below, self.value, 1.0, level)


def dependence(left: Array, right: Array, units: Units) -> Dependent | None:
    """The distance correlation of two values of each unit, [units]; None where there is none: one does not vary."""
    x, y, units = _pairs(left, right, units)
    if len(units) < FEWEST_PAIRS:
        return None
    found = _student(x, y, units)
    if found is None:
        return None
    scale = float(np.std(y) / np.std(x))
    tilted = [each for tilt in TILTS if (each := _student(x, y + tilt * scale * x, units)) is not None]
    points = sorted((each.value, each.error) for each in (found, *tilted))
    squares, errors = np.array(points).T
    return Dependent(found, (squares, errors))


def _student(x: Array, y: Array, units: Units) -> Student | None:
    """The squared distance correlation with its jackknife."""
    a, b = _distances(x), _distances(y)
    (own, without), (of_left, left_without), (of_right, right_without) = (
        _covariance(*pair) for pair in ((a, b), (a, a), (b, b))
    )
    if min(of_left, of_right) <= 0 or min(left_without.min(), right_without.min()) <= 0:
        return None
    value = float(own / np.sqrt(of_left * of_right))
    influence = (value - without / np.sqrt(left_without * right_without)) * (1 - 1 / len(units))
    of_strata = np.bincount(units.stratum, influence) / units.sizes
    return student(value, influence - of_strata[units.stratum], units)


def shuffled(left: Array, right: Array, units: Units, times: int, seed: int) -> Array:
    """The same of pairs that are put together at random within strata, [times]; NaN where there is none."""
    x, y, units = _pairs(left, right, units)
    if len(units) < FEWEST_PAIRS:
        return np.full(times, np.nan)
    a, b = _centred(_distances(x)), _centred(_distances(y))
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    if spread == 0:
        return np.full(times, np.nan)
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(units.stratum == stratum) for stratum in range(len(units.sizes))]
    found = np.empty(times)
    for each in range(times):
        order = np.arange(len(units))
        for some in members:
            order[some] = generator.permutation(some)
        found[each] = _root(float((a * b[np.ix_(order, order)]).sum()) / spread)
    return found


def _pairs(left: Array, right: Array, units: Units) -> tuple[Array, Array, Units]:
    """The first pairs, each value less the mean of its stratum."""
    stratum = units.stratum[:MOST_PAIRS]
    _, stratum = np.unique(stratum, return_inverse=True)
    count = len(stratum)
    sizes = np.bincount(stratum)

    def less_mean(values: Array) -> Array:
        return values[:count] - (np.bincount(stratum, values[:count]) / sizes)[stratum]

    weights = np.full(count, 1 / count)
    return less_mean(left), less_mean(right), Units(weights, np.arange(count), stratum)


def _distances(values: Array) -> Array:
    return np.abs(values[:, None] - values[None, :])


def _covariance(a: Array, b: Array) -> tuple[float, Array]:
    """The bias-corrected squared distance covariance of two distance matrices, and the same without each pair."""
    n = len(a)
    rows, columns = a.sum(1), b.sum(1)
    products, of_rows = (a * b).sum(1), rows * columns
    mixed = b @ rows + a @ columns
    own = _combined(products.sum(), of_rows.sum(), rows.sum() * columns.sum(), n)
    without = _combined(
        products.sum() - 2 * products,
        of_rows.sum() - of_rows - mixed + products,
        (rows.sum() - 2 * rows) * (columns.sum() - 2 * columns),
        n - 1,
    )
    return float(own), np.asarray(without)


def _combined(products: Array | float, rows: Array | float, totals: Array | float, n: int) -> Array | float:
    return (products - 2 * rows / (n - 2) + totals / ((n - 1) * (n - 2))) / (n * (n - 3))


def _centred(distances: Array) -> Array:
    """U-centred: rows and columns sum to zero, and so does the diagonal."""
    n = len(distances)
    rows = distances.sum(1)
    centred = distances - rows[:, None] / (n - 2) - rows[None, :] / (n - 2) + rows.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    return centred


def _root(square: float) -> float:
    return float(np.sign(square) * np.sqrt(np.abs(square)))


def _square(root: float) -> float:
    return root * abs(root)

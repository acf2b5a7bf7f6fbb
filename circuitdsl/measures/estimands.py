"""What a measurement estimates: functions of means over prompts whose form tells the judge which interval is valid.

A mean of bounded values, a ratio of means, the size of a signed figure and the largest of several need different
statistics, so that a measurement says which of them it is, and hands over no bare function. Nothing is judged here.
Numpy is imported where something is computed: `lint` and `explain` read what measurements there are, and compute none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from circuitdsl.measures.ranks import Array, spearman

Limits = tuple[float, float]
"""The least and the greatest value that there can be on a single prompt."""


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of columns, as (column, weight) pairs.

    ``limits`` are those of every single column, None where a value can be of any size. ``chosen``: these columns were
    chosen among others by what the first so many prompts gave, so that only the others tell the truth.
    """

    terms: tuple[tuple[int, float], ...]
    limits: Limits | None = None
    chosen: int = 0

    def __neg__(self) -> Contrast:
        return replace(self, terms=tuple((column, -weight) for column, weight in self.terms))

    def of(self, columns: Array) -> Array:
        """Columns [..., columns] -> [...]."""
        (first, weight), *others = self.terms
        total = weight * columns[..., first]
        for column, each in others:
            total = total + each * columns[..., column]
        return total

    @property
    def range(self) -> Limits | None:
        """The limits of the sum on a single prompt."""
        if self.limits is None:
            return None
        low, high = self.limits
        ends = [(weight * low, weight * high) for _, weight in self._merged()]
        return sum(map(min, ends)), sum(map(max, ends))

    def less(self, other: Contrast, times: float = 1.0) -> Contrast:
        """This contrast less the other one so many times; bounded where both are, within the wider limits."""
        terms = (*self.terms, *((column, -times * weight) for column, weight in other.terms))
        chosen = max(self.chosen, other.chosen)
        if self.limits is None or other.limits is None:
            return Contrast(terms, None, chosen)
        low, high = min(self.limits[0], other.limits[0]), max(self.limits[1], other.limits[1])
        return Contrast(terms, (low, high), chosen)

    def moved(self, offset: int) -> Contrast:
        """The same of columns that stand so many places further on."""
        return replace(self, terms=tuple((column + offset, weight) for column, weight in self.terms))

    def _merged(self) -> Iterable[tuple[int, float]]:
        weights: dict[int, float] = {}
        for column, weight in self.terms:
            weights[column] = weights.get(column, 0.0) + weight
        return weights.items()


def column(index: int, limits: Limits | None = None) -> Contrast:
    """A column by itself."""
    return Contrast(((index, 1.0),), limits)


# --- estimands ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mean:
    """The mean of a contrast over prompts. ``binary``: the contrast is a single column of zeros and ones."""

    of: Contrast
    binary: bool = False

    def value(self, means: Array) -> Array:
        return self.of.of(means)

    def moved(self, offset: int, width: int) -> Mean:
        return replace(self, of=self.of.moved(offset))


@dataclass(frozen=True)
class Ratio:
    """A share of a mean that must be above zero for the share to mean anything: mean(over) / mean(under).

    ``needs`` are further means that must be above zero: of a share of F(M) - F(none), F(M) itself. ``of_size``: it is
    divided by |mean(under)|. ``either_sign``: so it is, and mean(under) has only to be told from zero.
    ``of_counterfactual``: it is a share of what the model does on the counterfactual, whatever it does on the prompts.
    """

    over: Contrast
    under: Contrast
    needs: tuple[Contrast, ...] = ()
    of_size: bool = False
    either_sign: bool = False
    of_counterfactual: bool = False

    def value(self, means: Array) -> Array:
        under = self.under.of(means)
        return ratio(self.over.of(means), abs(under) if self.of_size else under)

    def moved(self, offset: int, width: int) -> Ratio:
        needs = tuple(each.moved(offset) for each in self.needs)
        return replace(self, over=self.over.moved(offset), under=self.under.moved(offset), needs=needs)


@dataclass(frozen=True)
class Folded:
    """The size of a signed figure."""

    of: Mean | Ratio

    def value(self, means: Array) -> Array:
        return abs(self.of.value(means))

    def moved(self, offset: int, width: int) -> Folded:
        return Folded(self.of.moved(offset, width))


@dataclass(frozen=True)
class Largest:
    """The largest of several figures; which one it is, is not known beforehand."""

    of: tuple[Estimand, ...]

    def value(self, means: Array) -> Array:
        return side_by_side(self.of, means).max(axis=-1)

    def moved(self, offset: int, width: int) -> Largest:
        return Largest(tuple(each.moved(offset, width) for each in self.of))


@dataclass(frozen=True)
class Led:
    """The largest of several figures of which the ``leaders`` were measured on more prompts than the ``others``.

    What the leaders are, the largest is at least. The others say how large it may be. The leaders' columns are the
    first sample's; ``places`` are where they stand among all of them, from zero. ``early`` is the share of the error
    that the look at the others has: which of all were measured on more prompts, was seen there. ``stopped``: of a
    sequence of looks the others had that one alone; else they are looked at anew, as the leaders are.
    """

    leaders: tuple[Estimand, ...]
    others: tuple[Estimand, ...]
    places: tuple[int, ...]
    early: float
    stopped: bool = False

    def value(self, means: Array) -> Array:
        return Largest(self.leaders).value(means)

    def moved(self, offset: int, width: int) -> Led:
        leaders, others = (tuple(each.moved(offset, width) for each in some) for some in (self.leaders, self.others))
        return replace(self, leaders=leaders, others=others)


@dataclass(frozen=True)
class Smallest:
    """The smallest of several figures; which one it is, is not known beforehand."""

    of: tuple[Estimand, ...]

    def value(self, means: Array) -> Array:
        return side_by_side(self.of, means).min(axis=-1)

    def moved(self, offset: int, width: int) -> Smallest:
        return Smallest(tuple(each.moved(offset, width) for each in self.of))


@dataclass(frozen=True)
class Smooth:
    """Any smooth function of means of shape [..., columns]; ``needs`` are means that must be above zero for it."""

    function: Callable[[Array], Array]
    needs: tuple[Contrast, ...] = ()

    def value(self, means: Array) -> Array:
        return self.function(means)

    def moved(self, offset: int, width: int) -> Smooth:
        function, needs = self.function, tuple(each.moved(offset) for each in self.needs)
        return Smooth(lambda means: function(means[..., offset : offset + width]), needs)


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's correlation over pairs of figures; ``sides`` makes both sides [..., pairs] of means."""

    sides: Callable[[Array], tuple[Array, Array]]

    def value(self, means: Array) -> Array:
        return spearman(*self.sides(means))

    def moved(self, offset: int, width: int) -> RankCorrelation:
        sides = self.sides
        return RankCorrelation(lambda means: sides(means[..., offset : offset + width]))


@dataclass(frozen=True)
class Dependence:
    """The distance correlation of two contrasts over prompts of a template (``judge.dependence``)."""

    left: Contrast
    right: Contrast

    def value(self, means: Array) -> Array:
        """NaN: it is a figure of prompts, and no function of means over them."""
        import numpy as np

        return np.full(means.shape[:-1], np.nan)

    def moved(self, offset: int, width: int) -> Dependence:
        return Dependence(self.left.moved(offset), self.right.moved(offset))


Estimand = Mean | Ratio | Folded | Largest | Led | Smallest | Smooth | RankCorrelation | Dependence


def is_share_of_metric(estimand: Estimand) -> bool:
    """Whether the figure is a share of the metric, or tells of it prompt by prompt.

    It means nothing where the model does not do the task.
    """
    match estimand:
        case Ratio(of_counterfactual=elsewhere):
            return not elsewhere
        case Dependence():
            return True
        case Folded(of=inner):
            return is_share_of_metric(inner)
        case Largest(of=several) | Smallest(of=several) | Led(leaders=several):
            return any(map(is_share_of_metric, several))
        case Smooth(needs=needs):
            return bool(needs)
        case Mean() | RankCorrelation():
            return False


# --- usual ones --------------------------------------------------------------------------------------


def proportion() -> Mean:
    """The share of prompts that the first column marks with a one."""
    return Mean(column(0, (0.0, 1.0)), binary=True)


def average(columns: int = 1, limits: Limits | None = None) -> Mean:
    """The mean over the first columns and over prompts; ``limits`` are those of each column."""
    return Mean(Contrast(tuple((index, 1 / columns) for index in range(columns)), limits))


def relative_change(limits: Limits | None = None, either_sign: bool = False) -> Ratio:
    """(F changed - F) / |F| for columns F changed, F."""
    change = Contrast(((0, 1.0), (1, -1.0)), limits)
    return Ratio(change, column(1, limits), of_size=True, either_sign=either_sign)


def difference(left: Estimand, right: Estimand) -> Estimand:
    """One figure less another, on the same prompts."""
    if isinstance(left, Mean) and isinstance(right, Mean):
        return Mean(left.of.less(right.of))
    return Smooth(lambda means: left.value(means) - right.value(means), (*needs_of(left), *needs_of(right)))


def excess(own: Ratio, other: Ratio) -> Largest:
    """The size of one share less that of another of the same figure, on the same prompts: |a| - |b|.

    It is the larger of min(a - b, a + b) and min(-a - b, b - a), each of which has a test.
    """
    less, more = (replace(own, over=own.over.less(other.over, times)) for times in (1.0, -1.0))

    def negative(of: Ratio) -> Ratio:
        return replace(of, over=-of.over)

    return Largest((Smallest((less, more)), Smallest((negative(more), negative(less)))))


def mean_of(several: Sequence[Estimand]) -> Estimand:
    """The mean of several figures, on the same prompts."""
    if all(isinstance(each, Mean) for each in several):
        contrasts = [each.of for each in several if isinstance(each, Mean)]
        terms = tuple((c, weight / len(several)) for contrast in contrasts for c, weight in contrast.terms)
        limits = {contrast.limits for contrast in contrasts}
        return Mean(Contrast(terms, limits.pop() if len(limits) == 1 else None))

    def averaged(means: Array) -> Array:
        return side_by_side(several, means).mean(axis=-1)

    return Smooth(averaged, tuple(need for each in several for need in needs_of(each)))


def needs_of(estimand: Estimand) -> tuple[Contrast, ...]:
    """The means that must be above zero for a figure to be defined."""
    match estimand:
        case Ratio(under=under, needs=needs, either_sign=either):
            return needs if either else (under, *needs)
        case Smooth(needs=needs):
            return needs
        case Folded(of=inner):
            return needs_of(inner)
        case Largest(of=several) | Smallest(of=several) | Led(leaders=several):
            return tuple(need for each in several for need in needs_of(each))
        case Mean() | RankCorrelation() | Dependence():
            return ()


def side_by_side(several: Iterable[Estimand], means: Array) -> Array:
    """The values of several figures: means of columns [..., columns] -> [..., figures]."""
    import numpy as np

    return np.stack([each.value(means) for each in several], axis=-1)


def contrasts_of(estimand: Estimand) -> tuple[Contrast, ...]:
    """The means that a figure is judged by, each by a test of its own or in a ratio; those of ranks are left out, and
    those that only say how large rivals of the leaders may be."""
    match estimand:
        case Mean(of=of):
            return (of,)
        case Ratio(over=over, under=under, needs=needs):
            return (over, under, *needs)
        case Smooth(needs=needs):
            return needs
        case Folded(of=inner):
            return contrasts_of(inner)
        case Largest(of=several) | Smallest(of=several) | Led(leaders=several):
            return tuple(contrast for each in several for contrast in contrasts_of(each))
        case RankCorrelation() | Dependence():
            return ()


def ratio(numerator: Array, denominator: Array) -> Array:
    """numerator / denominator, NaN where the denominator is zero."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, numerator / np.where(denominator == 0, 1.0, denominator))

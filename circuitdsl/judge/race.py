"""Measure many items on a few prompts first, and on more of them only what more prompts can still tell something of.

1. All items are measured on a quarter of the prompts, those that are not settled then on half of them, and what is not
   settled then on all (``early_looks``). With estimates of them all there is a look before, at the fewest prompts that
   the tests need (``sketched_looks``).
2. An item is settled by one of two rules, each of which is wrong of an item at most as often as ``MISS`` says, both
   looks together (Bonferroni):

   * ``out_of_reach``: all prompts would not find it beyond the floor. Of a figure that they would find, this is said by
     chance alone, whatever the figure is. An estimate on all prompts (``Sketch``) says more of these than a few of them
     do, however far it is off: what was measured tells how far.
   * ``within``: its figure is within the floor. Of a figure that reaches the floor, this is said by chance alone.

3. What is settled counts with a p-value of one where those that are left are corrected for each other on all prompts.
   That makes p-values greater and none smaller, so that a false discovery is no likelier than without a race.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from scipy import special

from circuitdsl.judge.evidence import FEWEST, Student
from circuitdsl.judge.verdicts import broken, holm
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.circuit import Bound

Item = TypeVar("Item", bound=Hashable)

MISS = 0.05
"""How often an item is settled wrongly, at most: of each item, and not of all together."""

OF_ESTIMATES = 0.5
"""The part of that which each of two predictions has where there are estimates: by what was measured alone, and by the
estimate. The narrower one is taken, and which it is, the same prompts say (Bonferroni)."""

Correction = Callable[[Sequence[float | None], int], list[float | None]]
"""Adjusts p-values for so many tests, of which they are some: Holm's, or for a false discovery rate."""

QUARTER = 4
"""What was measured speaks for itself where it is one prompt in so many or more; on fewer it takes an estimate.

An item that differs from zero on a share q of prompts alone, and there by about as much, has a t of
sqrt(N q / (1 - q)) on N prompts. To be found among 250 items it takes a t of 3.7 or more (Holm), so that q is 19% or
more of 60 prompts and 6% of 200, and a quarter of them shows nothing of it with a probability of (1 - q)^(N / 4), 5% at
most. Eight of 200 prompts show nothing with a probability of up to 60%, and by themselves they say that it is nothing.
"""

Settling = Callable[[Sequence[Item], int], Collection[Item]]
"""Measures some items on so many prompts, and says which of them are settled."""


@dataclass(frozen=True)
class Raced(Generic[Item]):
    """What a race left to be measured on all prompts, and on how many prompts each other item was settled.

    ``looks`` says how many items were measured on how many prompts, those that are left on all prompts too.
    """

    rest: tuple[Item, ...]
    settled: Mapping[Item, int]
    looks: tuple[tuple[int, int], ...]


def early_looks(prompts: int) -> tuple[int, ...]:
    """The numbers of prompts, of so many, at which something may be settled: not fewer than the tests need.

    >>> early_looks(200), early_looks(90), early_looks(20), early_looks(10)
    ((50, 100), (23, 45), (10,), ())
    """
    return tuple(count for parts in (4, 2) if (count := math.ceil(prompts / parts)) >= FEWEST)


def sketched_looks(prompts: int) -> tuple[int, ...]:
    """The same where every item has an estimate on all prompts.

    >>> sketched_looks(200), sketched_looks(60), sketched_looks(20), sketched_looks(10)
    ((8, 50, 100), (8, 15, 30), (8, 10), (8,))
    """
    return tuple(sorted({count for count in (FEWEST, *early_looks(prompts)) if count < prompts}))


def shows(prompts: int) -> float:
    """On what share of prompts an item has to differ from zero to do so on one of so many, but for ``MISS``.

    >>> [round(shows(count), 2) for count in (8, 15, 50)]
    [0.31, 0.18, 0.06]
    """
    return 1 - MISS ** (1 / prompts)


def race(items: Sequence[Item], prompts: int, looks: Sequence[int], settling: Settling[Item]) -> Raced[Item]:
    """Measure items at some ``looks`` of so many prompts, each as long as it is not settled."""
    left, settled, seen = tuple(items), dict[Item, int](), list[tuple[int, int]]()
    for count in looks:
        seen.append((count, len(left)))
        now = settling(left, count)
        settled |= dict.fromkeys((item for item in left if item in now), count)
        left = tuple(item for item in left if item not in now)
    return Raced(left, settled, (*seen, (prompts, len(left))))


# --- what settles an item ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Sketch:
    """Of an item an estimate of its figure, which may be off: on all prompts, and on those that it was measured on;
    ``rest`` is the mean of what was measured there less the estimate, of the ratio's numerator."""

    whole: Weighed
    part: Weighed
    rest: Student


def out_of_reach(
    measured: Mapping[Item, Weighed],
    floor: float,
    growth: float,
    looks: int,
    level: float,
    number: int,
    sketches: Mapping[Item, Sketch] | None = None,
    corrected: Correction = holm,
) -> frozenset[Item]:
    """The items that would not be found beyond the floor on ``growth`` times the prompts, at a ``level`` of p-values
    ``corrected`` for ``number`` of them, even if every one of them came out as well as it can (``best_p_value``).

    One whose figure is no ratio, or that has fewer units than the tests need, may always be found; so may one without
    an estimate on less than a ``QUARTER`` of the prompts. ``sketches`` are estimates of some or all of them.
    """
    known = sketches or {}
    miss = MISS / looks * (OF_ESTIMATES if known and growth <= QUARTER else 1.0)
    best = [_best(each, known.get(item), floor, growth, miss) for item, each in measured.items()]
    adjusted = zip(measured, corrected(best, number), strict=True)
    return frozenset(item for item, p in adjusted if p is not None and p > level)


def _best(weighed: Weighed, sketch: Sketch | None, floor: float, growth: float, miss: float) -> float:
    over, under = (_foreseen(weighed, sketch, bound, growth) for bound in (floor, -floor))
    if over is None or under is None or weighed.fewest < FEWEST:
        return 0.0
    return min(over.best_p_value(miss), under.turned.best_p_value(miss))


@dataclass(frozen=True)
class Foreseen:
    """What a mean will be on all units: the ``value`` that is expected, off by ``error`` times a t of its degrees of
    ``freedom``; and its ``own`` standard error then."""

    value: float
    error: float
    freedom: float
    own: float

    @classmethod
    def of(cls, mean: Student, growth: float) -> Foreseen:
        """On ``growth`` times as many units. Student's prediction limit (Hahn and Meeker 1991, section 4.7): of n units
        with the mean m and its error e, N units have a mean that is off from m by e sqrt(1 - n / N) times a t of m's
        degrees of freedom. Their own error is taken to be e sqrt(n / N)."""
        return cls(mean.value, mean.error * math.sqrt(1 - 1 / growth), mean.freedom, mean.error / math.sqrt(growth))

    @classmethod
    def by(cls, whole: Student, part: Student, mean: Student, rest: Student, growth: float) -> Foreseen:
        """By an estimate of each unit, known on the ``whole`` and the ``part`` that was measured: the difference
        estimator of survey sampling (Cochran 1977, section 7.3). The mean is that of the estimates, and the ``rest``,
        of which alone it is unknown what it is on all units. It will spread as the estimates do there, or as much less
        as the ``mean`` of what was measured does here; not more, for where nothing happens here, noise is compared."""
        error = rest.error * math.sqrt(1 - 1 / growth)
        own = whole.error * min(1.0, mean.error / part.error) if part.error else whole.error
        return cls(whole.value + rest.value, error, rest.freedom, own)

    @property
    def turned(self) -> Foreseen:
        """The same of minus the mean."""
        return replace(self, value=-self.value)

    def best_p_value(self, miss: float) -> float:
        """The two-sided p-value that the mean has at the least, but for a probability of ``miss``, if it is to be above
        zero. Its t is taken to be normal, which makes p-values smaller. To stop by it is called stochastic curtailment
        (Lan, Simon and Halperin 1982)."""
        best = self.value - float(special.stdtrit(self.freedom, miss)) * self.error if self.error else self.value
        if not math.isfinite(best) or not math.isfinite(self.own):
            return 0.0  # nobody knows
        if self.own == 0:
            return 1.0 if best <= 0 else 0.0
        return min(1.0, 2 * float(special.ndtr(-best / self.own)))


def _foreseen(weighed: Weighed, sketch: Sketch | None, bound: float, growth: float) -> Foreseen | None:
    """How far the figure will be above a bound, by the estimate where that leaves less unknown, or where too little was
    measured; None where nobody knows."""
    mean, enough = weighed.distance(bound), growth <= QUARTER
    if mean is None:
        return None
    if sketch is not None and not (enough and sketch.rest.error >= mean.error):
        whole, part = sketch.whole.distance(bound), sketch.part.distance(bound)
        if whole is not None and part is not None:
            return Foreseen.by(whole, part, mean, sketch.rest, growth)
    return Foreseen.of(mean, growth) if enough else None


def within(weighed: Weighed, floor: float, looks: int) -> bool:
    """Whether a figure is surely within the floor: two one-sided tests (Schuirmann 1987), one of so many looks."""
    evidence = weighed.evidence()
    if evidence is None or (weighed.fewest < FEWEST and not evidence.exact):
        return False
    return broken(Bound("outside", -floor, floor), evidence) <= MISS / looks

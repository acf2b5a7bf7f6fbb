"""Measure many items on a few prompts first, and on more of them only what more prompts can still tell something of.

1. All items are measured on a quarter of the prompts, those that are not settled then on half of them, and what is not
   settled then on all (``early_looks``).
2. An item is settled by one of two rules, each of which is wrong of an item at most as often as ``MISS`` says, both
   looks together (Bonferroni):

   * ``out_of_reach``: all prompts would not find it beyond the floor. Of a figure that they would find, this is said by
     chance alone, whatever the figure is.
   * ``within``: its figure is within the floor. Of a figure that reaches the floor, this is said by chance alone.

3. What is settled counts with a p-value of one where those that are left are corrected for each other on all prompts.
   That makes p-values greater and none smaller, so that a false discovery is no likelier than without a race.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from scipy import special

from circuitdsl.judge.evidence import FEWEST, Student
from circuitdsl.judge.verdicts import broken, holm
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.circuit import Bound

Item = TypeVar("Item", bound=Hashable)

MISS = 0.05
"""How often an item is settled wrongly, at most: of each item, and not of all together."""

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


def out_of_reach(
    measured: Mapping[Item, Weighed], floor: float, growth: float, looks: int, level: float, number: int
) -> frozenset[Item]:
    """The items that Holm's correction over ``number`` of them would not find beyond the floor on ``growth`` times the
    prompts, even if every one of them came out as well as it can (``best_p_value``).

    One whose figure is no ratio, or that has fewer units than the tests need, may always be found.
    """
    best = [_best(each, floor, growth, MISS / looks) for each in measured.values()]
    return frozenset(item for item, p in zip(measured, holm(best, number), strict=True) if p is not None and p > level)


def _best(weighed: Weighed, floor: float, growth: float, miss: float) -> float:
    over, under = weighed.distance(floor), weighed.distance(-floor)
    if over is None or under is None or weighed.fewest < FEWEST:
        return 0.0
    return min(best_p_value(over, growth, miss), best_p_value(under.turned, growth, miss))


def best_p_value(distance: Student, growth: float, miss: float) -> float:
    """The two-sided p-value that a mean has at the least on ``growth`` times as many units, but for a probability of
    ``miss``, if it is to be above zero.

    Student's prediction limit (Hahn and Meeker 1991, section 4.7), by which to stop is also called stochastic
    curtailment (Lan, Simon and Halperin 1982): of n units with the mean m and its error e, N units have a mean that
    is off from m by e sqrt(1 - n / N) times a t of m's degrees of freedom. Their own error is taken to be
    e sqrt(n / N), and their t to be normal, which makes p-values smaller.
    """
    if distance.error == 0:
        return 1.0 if distance.value <= 0 else 0.0
    t = distance.value / distance.error
    most = -float(special.stdtrit(distance.freedom, miss))
    return min(1.0, 2 * float(special.ndtr(-(t * math.sqrt(growth) + most * math.sqrt(growth - 1)))))


def within(weighed: Weighed, floor: float, looks: int) -> bool:
    """Whether a figure is surely within the floor: two one-sided tests (Schuirmann 1987), one of so many looks."""
    evidence = weighed.evidence()
    if evidence is None or (weighed.fewest < FEWEST and not evidence.exact):
        return False
    return broken(Bound("outside", -floor, floor), evidence) <= MISS / looks

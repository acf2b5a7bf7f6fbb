"""How often ``drift`` says that a value moved where nothing did, prompt by prompt: pairs of reports of one population.

    python -m benchmarks.drift --reports 500

Each report has 20 claims on the same 60 prompts of two templates; the level is that of all claims together.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from functools import cache

import numpy as np

from circuitdsl.judge.drift import apart
from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.looks import ONCE, Looks
from circuitdsl.judge.paired import difference, singles
from circuitdsl.judge.singles import Singles
from circuitdsl.judge.units import Array, Origin, Units, units_of
from circuitdsl.judge.verdicts import estimated
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.estimands import Estimand, Folded, Largest, Mean, Ratio, column, proportion
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import Measurement, Sample
from circuitdsl.outcome.drift import LEVEL, Standing

PROMPTS, CLAIMS = 60, 20
DATA = Data(TaskRef("ioi"), 0, True)

SHARE = Ratio(column(0), column(1))
LARGEST = Largest(tuple(Mean(column(place)) for place in range(3)))
SIZE = Folded(Mean(column(0)))

LOOKS = Looks((PROMPTS // 3, 2 * PROMPTS // 3, PROMPTS))
BOUND = 0.5  # of a mean that is judged at several looks
CONFIDENCE = 0.95

Draw = Callable[[np.random.Generator], tuple[Array, Array]]
"""Columns [prompts, columns] in the older report and in the newer one."""


def noisy(rng: np.random.Generator) -> tuple[Array, Array]:
    old = rng.normal(1, 2, (PROMPTS, 1))
    return old, old + rng.normal(0, 0.2, (PROMPTS, 1))


def skewed(rng: np.random.Generator) -> tuple[Array, Array]:
    return rng.exponential(1, (PROMPTS, 1)), rng.exponential(1, (PROMPTS, 1))


def shares(rng: np.random.Generator) -> tuple[Array, Array]:
    """Answers, of which three in ten are drawn anew."""
    old, again = (rng.binomial(1, 0.95, (PROMPTS, 1)).astype(float) for _ in range(2))
    return old, np.where(rng.random((PROMPTS, 1)) < 0.3, again, old)


def ratios(rng: np.random.Generator) -> tuple[Array, Array]:
    """The same share, of a mean that is half as large again in the newer report."""
    under = rng.normal(4, 2, (PROMPTS, 1))
    error, other = (rng.normal(0, 1, (PROMPTS, 1)) for _ in range(2))
    return np.hstack([0.4 * under + error, under]), np.hstack([0.6 * under + error + other, 1.5 * under])


def sizes(rng: np.random.Generator) -> tuple[Array, Array]:
    """A figure that is zero, in the newer report with four times the noise."""
    return rng.normal(0, 1, (PROMPTS, 1)), rng.normal(0, 4, (PROMPTS, 1))


def ties(rng: np.random.Generator) -> tuple[Array, Array]:
    """Three figures that are the same, in the newer report with three times the noise."""
    return rng.normal(1, 1, (PROMPTS, 3)), rng.normal(1, 3, (PROMPTS, 3))


def outliers(rng: np.random.Generator) -> tuple[Array, Array]:
    """Three figures, of which the older report has one with much noise: it seems the largest, or it does not."""
    old, new = (rng.normal((0, 0.5, -5), (0.05, noise, 0.1), (PROMPTS, 3)) for noise in (4, 0.05))
    return old, new


def stopped(rng: np.random.Generator) -> tuple[Array, Array]:
    """Means, each on as many prompts as its report needs to tell it from a bound."""
    old, new = (columns[: _needed(columns[:, 0])] for columns in noisy(rng))
    return old, new


def _needed(values: Array) -> int:
    """The first look at which a mean is three standard errors away from its bound, or the last."""
    sure = (
        count
        for count in LOOKS.counts
        if abs(values[:count].mean() - BOUND) > 3 * values[:count].std(ddof=1) / math.sqrt(count)
    )
    return next(sure, len(values))


KINDS: dict[str, tuple[Draw, Estimand, Looks]] = {
    "means with a little noise": (noisy, Mean(column(0)), ONCE),
    "means that are judged at 20, 40 and 60 prompts": (stopped, Mean(column(0)), LOOKS),
    "skewed means, independent": (skewed, Mean(column(0)), ONCE),
    "shares of prompts near 1": (shares, proportion(), ONCE),
    "ratios": (ratios, SHARE, ONCE),
    "sizes of what is zero": (sizes, SIZE, ONCE),
    "the largest of three that are the same": (ties, LARGEST, ONCE),
    "the largest of three, one of them noisy": (outliers, LARGEST, ONCE),
}


def digests(prompts: int, first: int = 0) -> tuple[str, ...]:
    return tuple(f"p{number}" for number in range(first, first + prompts))


@cache
def units(prompts: int) -> Units:
    """Two templates that take turns, each prompt by itself."""
    return units_of([Origin("ab"[number % 2], number) for number in range(prompts)], {})


def weighed(columns: Array, estimand: Estimand, looks: Looks = ONCE) -> Weighed:
    return Weighed.of(Measurement((Sample(DATA, columns),), estimand), lambda of: units(len(of.columns)), looks=looks)


def told(columns: Array, estimand: Estimand, looks: Looks = ONCE) -> Singles:
    """A figure prompt by prompt."""
    found = singles(weighed(columns, estimand, looks), digests(len(columns)))
    assert found is not None, "these figures are told by their prompts"
    return found


def moved(old: Array, new: Array, estimand: Estimand, looks: Looks = ONCE, level: float = LEVEL / CLAIMS) -> bool:
    """Whether any change at all is said, by either rule, without the margin that ``drift`` leaves."""
    both = [standing(columns, estimand, looks) for columns in (old, new)]
    assert both[0].singles is not None and both[1].singles is not None
    found = difference(both[0].singles, both[1].singles, level / 2)
    if found is not None and ((found.low or 0.0) > 0 or (found.high or 0.0) < 0):
        return True
    return apart([each.interval for each in both], level / 2)


def standing(columns: Array, estimand: Estimand, looks: Looks) -> Standing:
    """How a claim on a figure stands in a report."""
    estimate = estimated(weighed(columns, estimand, looks), CONFIDENCE)
    found = told(columns, estimand, looks)
    return Standing(
        "c:f", "c", "f", "share", "f", estimate, CONFIDENCE, Verdict.UNDECIDED, len(columns), "", singles=found
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("--reports", type=int, default=500)
    reports = parser.parse_args().reports
    for name, (draw, estimand, looks) in KINDS.items():
        rng = np.random.default_rng(0)
        wrong = [sum(moved(*draw(rng), estimand, looks) for _ in range(CLAIMS)) for _ in range(reports)]
        said = sum(map(bool, wrong))
        print(f"| {name} | {said} of {reports} ({said / reports:.1%}) |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

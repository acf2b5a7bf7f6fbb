"""Two measurements of one figure are said to lie apart as seldom as promised, and real changes are found."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from circuitdsl.judge.drift import apart
from circuitdsl.judge.estimates import Estimate, exactly
from circuitdsl.judge.evidence import Binomial, Evidence, Student

CONFIDENCE = 1 - 0.05 / 3  # of a method with three looks
CLAIMS, REPORTS, PROMPTS = 20, 250, 60
Draw = Callable[[np.random.Generator], tuple[Evidence, Evidence]]


def mean_of(values: np.ndarray) -> Student:
    deviations = values - values.mean()
    spread = math.sqrt((deviations**2).sum() / (len(values) - 1))
    skewness = float((deviations**3).mean() / spread**3 / math.sqrt(len(values)))
    return Student(float(values.mean()), spread / math.sqrt(len(values)), len(values) - 1, skewness)


def other_prompts(rng: np.random.Generator) -> tuple[Evidence, Evidence]:
    return mean_of(rng.normal(1, 2, PROMPTS)), mean_of(rng.normal(1, 2, 4 * PROMPTS))


def the_same_prompts(rng: np.random.Generator) -> tuple[Evidence, Evidence]:
    values = rng.normal(1, 2, PROMPTS)
    return mean_of(values), mean_of(values + rng.normal(0, 0.2, PROMPTS))


def opposite_errors(rng: np.random.Generator) -> tuple[Evidence, Evidence]:
    values = rng.normal(1, 2, PROMPTS)
    return mean_of(values), mean_of(2 - values)


def skewed(rng: np.random.Generator) -> tuple[Evidence, Evidence]:
    return mean_of(rng.exponential(1, PROMPTS)), mean_of(rng.exponential(1, PROMPTS))


def shares(rng: np.random.Generator) -> tuple[Evidence, Evidence]:
    old, new = rng.binomial(PROMPTS, 0.97, 2)
    return Binomial(int(old), PROMPTS), Binomial(int(new), PROMPTS)


def estimate(evidence: Evidence) -> Estimate:
    side = (1 - CONFIDENCE) / 2
    return Estimate(evidence.value, evidence.low(side), evidence.high(side))


@pytest.mark.parametrize("draw", [other_prompts, the_same_prompts, opposite_errors, skewed, shares])
def test_where_nothing_changed_it_is_said_of_any_claim_in_one_report_of_twenty_at_most(draw: Draw):
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(REPORTS):
        pairs = [tuple(map(estimate, draw(rng))) for _ in range(CLAIMS)]
        wrong += any(apart(old, new, (CONFIDENCE, CONFIDENCE), 0.05 / CLAIMS) for old, new in pairs)
    assert wrong / REPORTS <= 0.05


def test_a_change_of_ten_standard_errors_is_found():
    rng = np.random.default_rng(1)
    for _ in range(100):
        old = mean_of(rng.normal(0, 1, PROMPTS))
        new = Student(old.value + 10 * old.error, old.error, old.freedom)
        assert apart(estimate(old), estimate(new), (CONFIDENCE, CONFIDENCE), 0.05 / CLAIMS)


def test_ends_that_are_not_there_and_figures_without_error():
    known = (0.95, 0.95)
    assert not apart(Estimate(0.5, None, 0.6), Estimate(0.1, 0.0, 0.2), known, 0.01)
    assert apart(Estimate(0.5, 0.45, None), Estimate(0.1, 0.09, 0.11), known, 0.01)
    assert not apart(Estimate(None, None, None), exactly(3.0), known, 0.01)
    assert apart(exactly(0.5), exactly(0.51), known, 0.01)
    assert not apart(exactly(0.5), exactly(0.50001), known, 0.01)

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
MODELS = 10
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
        wrong += any(apart([(old, CONFIDENCE), (new, CONFIDENCE)], 0.05 / CLAIMS) for old, new in pairs)
    assert wrong / REPORTS <= 0.05


def test_a_change_of_ten_standard_errors_is_found():
    rng = np.random.default_rng(1)
    for _ in range(100):
        old = mean_of(rng.normal(0, 1, PROMPTS))
        new = Student(old.value + 10 * old.error, old.error, old.freedom)
        assert apart([(estimate(old), CONFIDENCE), (estimate(new), CONFIDENCE)], 0.05 / CLAIMS)


def test_of_many_models_in_which_nothing_changed_a_change_is_said_as_seldom():
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(100):
        rows = [[mean_of(rng.exponential(1, PROMPTS)) for _ in range(MODELS)] for _ in range(CLAIMS)]
        measured = [[(estimate(each), CONFIDENCE) for each in row] for row in rows]
        wrong += any(apart(row, 0.05 / CLAIMS) for row in measured)
    assert wrong / 100 <= 0.05


def test_one_of_many_that_lies_elsewhere_is_found():
    rng = np.random.default_rng(3)
    known = [mean_of(rng.normal(0, 1, PROMPTS)) for _ in range(MODELS)]
    other = Student(10 * known[0].error, known[0].error, known[0].freedom)
    measured = [(estimate(each), CONFIDENCE) for each in (*known, other)]
    assert apart(measured, 0.05 / CLAIMS) and not apart(measured[:-1], 0.05 / CLAIMS)
    assert not apart([], 0.01) and not apart(measured[:1], 0.01)


def two_apart(old: Estimate, new: Estimate) -> bool:
    return apart([(old, 0.95), (new, 0.95)], 0.01)


def test_ends_that_are_not_there_and_figures_without_error():
    assert not two_apart(Estimate(0.5, None, 0.6), Estimate(0.1, 0.0, 0.2))
    assert two_apart(Estimate(0.5, 0.45, None), Estimate(0.1, 0.09, 0.11))
    assert not two_apart(Estimate(None, None, None), exactly(3.0))
    assert two_apart(exactly(0.5), exactly(0.51))
    assert not two_apart(exactly(0.5), exactly(0.50001))

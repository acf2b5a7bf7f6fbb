"""Verdicts from intervals, corrections for many claims and many looks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from test_intervals import bootstrap, measured

from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.verdicts import decide, holm, judge, prompt_counts, split_confidence
from circuitdsl.language.circuit import Bound, Control
from circuitdsl.outcome import exit_code

HOLDS, FAILS, OPEN, ERROR = Verdict.HOLDS, Verdict.FAILS, Verdict.UNDECIDED, Verdict.ERROR


@pytest.mark.parametrize(
    ("bound", "low", "high", "verdict"),
    [
        (Bound(">=", low=1.0), 1.0, 2.0, HOLDS),
        (Bound(">=", low=1.0), 0.5, 0.99, FAILS),
        (Bound(">=", low=1.0), 0.5, 1.0, OPEN),
        (Bound(">", low=1.0), 1.0, 2.0, OPEN),
        (Bound(">", low=1.0), 0.5, 1.0, FAILS),
        (Bound("<=", high=1.0), 0.0, 1.0, HOLDS),
        (Bound("<=", high=1.0), 1.5, 2.0, FAILS),
        (Bound("<", high=1.0), 1.0, 2.0, FAILS),
        (Bound("in", 0.0, 1.0), 0.0, 1.0, HOLDS),
        (Bound("in", 0.0, 1.0), 0.5, 1.5, OPEN),
        (Bound("in", 0.0, 1.0), 1.5, 2.0, FAILS),
        (Bound("outside", -0.1, 0.1), -0.5, -0.1, HOLDS),
        (Bound("outside", -0.1, 0.1), 0.1, 0.5, HOLDS),
        (Bound("outside", -0.1, 0.1), -0.05, 0.05, FAILS),
        (Bound("outside", -0.1, 0.1), -0.5, 0.5, OPEN),
        (Bound("inside", -0.1, 0.1), -0.05, 0.05, HOLDS),
        (Bound("inside", -0.1, 0.1), 0.1, 0.5, FAILS),
        (Bound("inside", -0.1, 0.1), 0.0, 0.5, OPEN),
    ],
)
def test_the_whole_interval_decides(bound, low, high, verdict):
    assert decide(bound, low, high) is verdict


@given(st.floats(-5, 5), st.floats(0, 3), st.floats(-5, 5))
def test_edge_and_no_edge_never_both_hold_nor_both_fail(low, width, floor):
    outside = decide(Bound("outside", -abs(floor), abs(floor)), low, low + width)
    inside = decide(Bound("inside", -abs(floor), abs(floor)), low, low + width)
    opposite = {HOLDS: FAILS, FAILS: HOLDS, OPEN: OPEN}
    assert inside is opposite[outside]


def test_a_measurement_against_a_control_is_paired():
    """A figure that beats the control on every prompt holds, however much both vary together."""
    values = np.random.default_rng(0).normal(size=100) * 100
    below = measured(values, values - 1, control=lambda means: means[..., 1])
    above = measured(values, values + 1, control=lambda means: means[..., 1])
    assert judge(below, Control("random heads", ">"), bootstrap(), 0.95).verdict is HOLDS
    assert judge(above, Control("random heads", ">"), bootstrap(), 0.95).verdict is FAILS
    assert judge(above, Control("random heads", "<"), bootstrap(), 0.95).verdict is HOLDS


def test_an_undefined_figure_is_an_error_not_a_failure():
    nothing = measured(np.ones(20), np.zeros(20), combine=lambda m: m[..., 0] / np.where(m[..., 1] == 0, np.nan, 1))
    judgement = judge(nothing, Bound(">=", low=0.0), bootstrap(), 0.95)
    assert judgement.verdict is ERROR
    assert judgement.p_value is None


def test_one_prompt_decides_nothing():
    alone = measured(np.array([1.0]), np.array([0.5]), control=lambda means: means[..., 1])
    for bound in (Bound(">=", low=0.0), Control("random heads")):
        assert judge(alone, bound, bootstrap(), 0.95).verdict is ERROR


def test_p_values_are_small_where_the_bound_is_met():
    values = np.random.default_rng(1).normal(0.3, 1, size=100)

    def p(bound: Bound) -> float:
        found = judge(measured(values), bound, bootstrap(), 0.95).p_value
        assert found is not None
        return found

    scipys: Any = stats.ttest_1samp(values, 0, alternative="greater")  # SciPy does not declare what it gives
    t_test = scipys.pvalue
    assert p(Bound(">=", low=0.0)) == pytest.approx(t_test, rel=0.5)
    assert p(Bound("<=", high=0.0)) == pytest.approx(1 - t_test, rel=0.1)
    assert p(Bound("in", -1.0, 0.0)) == p(Bound("<=", high=0.0))
    assert p(Bound("outside", -1.0, 0.0)) == pytest.approx(p(Bound(">=", low=0.0)))
    assert p(Bound(">=", low=-5.0)) < 1e-12
    constant = measured(np.ones(20))
    assert judge(constant, Bound(">=", low=1.0), bootstrap(), 0.95).p_value == 0.0
    assert judge(constant, Bound("<", high=0.5), bootstrap(), 0.95).p_value == 1.0


def test_holm_by_hand():
    adjusted = holm([0.01, 0.04, None, 0.03])
    assert adjusted[2] is None
    assert [adjusted[i] for i in (0, 1, 3)] == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.integers(1, 500), st.integers(0, 5000))
def test_looks_double_up_to_the_most(first, more):
    counts = prompt_counts(first, first + more)
    assert counts[0] == first
    assert counts[-1] == first + more
    assert all(b <= 2 * a and b > a for a, b in pairwise(counts))


def test_the_error_rate_is_split_over_the_looks():
    assert split_confidence(0.95, 5) == pytest.approx(0.99)
    assert split_confidence(0.95, 1) == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [([], 0), ([HOLDS], 0), ([HOLDS, FAILS], 1), ([HOLDS, OPEN], 3), ([FAILS, OPEN], 1), ([ERROR, FAILS], 4)],
)
def test_exit_codes(verdicts, code):
    assert exit_code(verdicts) == code

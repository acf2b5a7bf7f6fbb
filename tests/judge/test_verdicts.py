"""Verdicts from intervals, corrections for many claims and many looks."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from weighing import DATA, weighed

from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.looks import ONCE, Looks
from circuitdsl.judge.units import Origin, units_of
from circuitdsl.judge.verdicts import (
    UNDEFINED,
    Ranked,
    decide,
    holm,
    judge,
    split_confidence,
)
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.circuit import Bound, Control
from circuitdsl.measures.estimands import average, proportion, relative_change
from circuitdsl.measures.measurement import RandomSets, Sample
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


def test_a_claim_holds_exactly_where_its_p_value_is_at_most_one_less_the_confidence():
    values = np.random.default_rng(1).normal(0.25, 1, size=100)
    for bound in (Bound(">=", low=0.0), Bound("<=", high=0.6), Bound("in", -0.1, 0.5), Bound("outside", -0.02, 0.02)):
        for confidence, looks in product((0.51, 0.8, 0.95, 0.99), (ONCE, Looks((50, 100, 200)))):
            found = judge(replace(weighed(values), looks=looks), bound, confidence)
            assert found.p_value is not None
            assert (found.verdict is HOLDS) == (found.p_value <= 1 - confidence)
            assert found.estimate.low is not None and found.estimate.high is not None
            if bound.op != "outside":  # which pays for both sides
                assert found.verdict is decide(bound, found.estimate.low, found.estimate.high)


def test_p_values_are_those_of_the_two_sided_test():
    values = np.random.default_rng(1).normal(0.3, 1, size=50)
    values = np.concatenate([values, 0.6 - values])  # no skewness

    def p(bound: Bound) -> float:
        found = judge(weighed(values), bound, 0.95).p_value
        assert found is not None
        return found

    scipys: Any = stats.ttest_1samp(values, 0)  # SciPy does not declare what it gives
    assert p(Bound(">=", low=0.0)) == pytest.approx(scipys.pvalue)
    assert p(Bound("<=", high=0.0)) == 1.0
    assert p(Bound("in", -1.0, 0.0)) == p(Bound("<=", high=0.0))
    assert p(Bound("outside", -1.0, 0.0)) == pytest.approx(p(Bound(">=", low=0.0)))
    assert p(Bound(">=", low=-5.0)) < 1e-12


def test_an_effect_of_unstated_sign_pays_for_both_sides():
    """At the bound of a floor that is small beside the error, either side would otherwise hold in 2.5%."""
    one = weighed(np.random.default_rng(2).normal(0.2, 1, size=100))
    p = judge(one, Bound("outside", -0.001, 0.001), 0.95).p_value
    assert p == pytest.approx(2 * (2 * one.evidence().above(0.0)), rel=0.1)  # pyright: ignore[reportOptionalMemberAccess]


def test_a_figure_that_is_the_same_on_every_prompt_is_on_the_side_that_it_is_on():
    constant = weighed(np.ones(20))
    assert judge(constant, Bound(">=", low=1.0), 0.95).verdict is HOLDS
    assert judge(constant, Bound(">", low=1.0), 0.95).verdict is FAILS
    assert judge(constant, Bound("<=", high=1.0), 0.95).verdict is HOLDS
    assert judge(constant, Bound("<", high=0.5), 0.95).p_value == 1.0
    assert judge(constant, Bound("inside", 0.0, 1.0), 0.95).verdict is FAILS
    assert judge(constant, Bound("outside", 0.0, 1.0), 0.95).verdict is HOLDS


@pytest.mark.parametrize("better", [0, 4, 5, 60])
def test_random_sets_are_a_monte_carlo_test(better):
    """(1 + b) / (1 + B): of 99 sets four may do as well, and five may not."""
    values = np.random.default_rng(3).normal(1.0, 0.2, size=50)
    sets = np.concatenate([np.full(better, 2.0), np.full(99 - better, 0.0)])
    found = judge(weighed(values, control=RandomSets(lambda means: sets)), Control("random heads", ">"), 0.95)
    assert found.p_value == pytest.approx((1 + better) / 100)
    assert found.verdict is (HOLDS if better < 5 else FAILS if better == 60 else OPEN)
    less = judge(weighed(values, control=RandomSets(lambda means: 2 - sets)), Control("random heads", "<"), 0.95)
    assert less.p_value == pytest.approx((1 + better) / 100)


@pytest.mark.parametrize("op", [">", "<"])
def test_random_sets_that_are_the_real_one_are_named_where_nothing_holds_for_them(op):
    """Of one head among eight an eighth of the random sets is the head itself."""
    values = np.random.default_rng(3).normal(1.0, 0.2, size=50)
    better = 1.0 if op == ">" else -1.0

    def against(*others: float):
        sets = np.array([*others, *[values.mean() - better] * (99 - len(others))])
        return judge(weighed(values, control=RandomSets(lambda means: sets)), Control("random heads", op), 0.95)

    own = float(values.mean())
    few = against(*[own] * 12, own + better)
    assert few.note.startswith("13 of 99 random sets do as well, 12 of them exactly as well")
    assert "exactly" not in against(*[own + better] * 13).note
    assert against(own, own).verdict is HOLDS and "exactly" not in against(own, own).note


def test_random_sets_on_few_prompts_are_compared_with_the_real_one_there():
    """On all prompts the figure is 3; on few it is 1, between random sets of 0 and of 2."""
    few = Sample(DATA, np.array([[1.0, 0.0, 2.0]] * 8))
    control = RandomSets(lambda means: means[..., 1:]).of_few(average(), 1, 3)
    measured = replace(weighed(np.full(20, 3.0)).measurement, control=control)
    beside = replace(measured, samples=(*measured.samples, few))
    each = tuple(units_of([Origin("t", i, "") for i in range(count)], {}) for count in (20, 8))
    found = judge(Weighed(beside, each), Control("random heads", ">"), 0.95)
    assert (found.estimate.value, found.p_value) == (pytest.approx(3.0), pytest.approx(2 / 3))
    assert found.note == "1 of 2 random sets do as well, on the first 8 prompts"
    assert found.control_prompts == 8
    assert beside.prompts == 20


@pytest.mark.parametrize("shared", [0.0, 0.7, 1.0])
def test_a_random_circuit_passes_two_looks_at_random_sets_one_time_in_twenty(shared):
    """Whatever the looks have in common: where none of 99 does as well on few prompts, or, at a second look on all, at
    most three."""
    draw = np.random.default_rng(8)
    times = 8000
    first = draw.normal(size=(times, 100))
    second = shared * first + np.sqrt(1 - shared**2) * draw.normal(size=(times, 100))

    def p_value(few: np.ndarray, many: np.ndarray) -> float:
        first, last = (
            Ranked(each[0], each[1:], int(np.sum(each[1:] >= each[0])), 0, look, 60)
            for look, each in ((1, few), (2, many))
        )
        return last.p_value if first.as_good else first.p_value

    found = np.array([p_value(*each) for each in zip(first, second, strict=True)])
    for level in (0.01, 0.03, 0.05, 0.2):
        false = int(np.sum(found <= level + 1e-12))
        assert stats.binomtest(false, times, level, alternative="greater").pvalue > 0.001
    assert int(np.sum(found <= 0.05 + 1e-12)) > 0.03 * times


def test_a_random_circuit_passes_against_random_sets_one_time_in_twenty():
    """However many prompts there are: real and random sets share them, so that noise of prompts cannot help."""
    draw = np.random.default_rng(4)
    holds = 0
    for _ in range(600):
        means = draw.normal(size=100)
        values = means[0] + draw.normal(size=40)
        values += means[0] - values.mean()
        found = judge(weighed(values, control=RandomSets(lambda _, m=means: m[1:])), Control("random heads", ">"), 0.95)
        holds += found.verdict is HOLDS
    assert stats.binomtest(holds, 600, 0.05, alternative="greater").pvalue > 1e-4
    assert stats.binomtest(holds, 600, 0.05, alternative="less").pvalue > 1e-4


def test_an_undefined_figure_is_undecided_not_a_failure():
    nothing = weighed(np.ones(20), np.zeros(20), estimand=relative_change())
    judgement = judge(nothing, Bound(">=", low=0.0), 0.95)
    assert judgement.verdict is OPEN
    assert (judgement.p_value, judgement.note) == (None, UNDEFINED)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7])
def test_a_few_prompts_decide_nothing_but_exact_tests(count):
    """The cases `two`, `three` and `copies`."""
    few = weighed(np.linspace(9.9, 10.1, count))
    judgement = judge(few, Bound(">=", low=0.0), 0.95)
    assert judgement.verdict is OPEN
    assert f"{count} independent prompt" in judgement.note
    copies = weighed(np.full(40, 10.0), units=units_of([Origin("t", "same")] * 40, {}))
    assert judge(copies, Bound(">=", low=0.0), 0.95).verdict is OPEN
    exact = judge(weighed(np.ones(count), estimand=proportion()), Bound(">=", low=0.3), 0.95)
    assert exact.verdict is (HOLDS if 0.3**count <= 0.025 else OPEN)


def test_holm_by_hand():
    adjusted = holm([0.01, 0.04, None, 0.03])
    assert adjusted[2] is None
    assert [adjusted[i] for i in (0, 1, 3)] == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.001], number=10) == [0.01]


def test_the_error_rate_is_split_over_the_looks():
    assert split_confidence(0.95, 5) == pytest.approx(0.99)
    assert split_confidence(0.95, 1) == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [([], 0), ([HOLDS], 0), ([HOLDS, FAILS], 1), ([HOLDS, OPEN], 3), ([FAILS, OPEN], 1), ([ERROR, FAILS], 4)],
)
def test_exit_codes(verdicts, code):
    assert exit_code(verdicts) == code

"""P-values and intervals against SciPy, against closed forms and by simulation with known truths."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from weighing import in_templates, weighed

from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.evidence import Betting, Binomial, Evidence, Extreme, Guarded, Ranks, Size, Student, ranks
from circuitdsl.judge.units import Origin, units_of
from circuitdsl.judge.verdicts import interval, judge
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.circuit import Bound
from circuitdsl.measures.estimands import (
    Contrast,
    Estimand,
    Folded,
    Largest,
    Mean,
    RankCorrelation,
    Ratio,
    Smallest,
    Smooth,
    average,
    column,
    difference,
    proportion,
    relative_change,
)
from circuitdsl.measures.measurement import Array


def found(each: Weighed) -> Evidence:
    evidence = each.evidence()
    assert evidence is not None
    return evidence


# --- Student -----------------------------------------------------------------------------------------


def test_a_mean_without_skewness_has_students_interval():
    values = np.random.default_rng(0).normal(3, 2, size=40)
    values = np.concatenate([values, 6 - values])  # symmetric about three
    one = found(weighed(values))
    scipys: Any = stats.ttest_1samp(values, 2.5, alternative="greater")  # SciPy does not declare what it gives
    ours = interval(one, 0.9)
    theirs = stats.t.interval(0.9, 79, values.mean(), stats.sem(values))
    assert (ours.low, ours.high) == (pytest.approx(theirs[0]), pytest.approx(theirs[1]))
    assert one.above(2.5) == pytest.approx(scipys.pvalue)
    assert one.above(2.5) + one.below(2.5) == pytest.approx(1.0)


def test_skewness_widens_the_side_of_the_long_tail_and_narrows_none():
    values = np.random.default_rng(1).lognormal(0, 1, size=40)
    ours = interval(found(weighed(values)), 0.95)
    low, high = stats.t.interval(0.95, 39, values.mean(), stats.sem(values))
    assert ours.low == pytest.approx(low)
    assert ours.high is not None and ours.high > high * 1.05


@given(st.floats(-3, 3), st.floats(0.1, 3), st.floats(2, 200), st.floats(-1, 1), st.floats(0.001, 0.3))
def test_the_ends_of_a_t_interval_are_where_the_p_value_is_the_level(value, error, freedom, skewness, level):
    one = Student(value, error, freedom, skewness)
    assert one.above(one.low(level)) == pytest.approx(level, rel=1e-5, abs=1e-6)
    assert one.below(one.high(level)) == pytest.approx(level, rel=1e-5, abs=1e-6)
    assert one.low(level) <= value + 1e-9 and one.high(level) >= value - 1e-9


# --- shares of prompts and other bounded means -------------------------------------------------------


@given(st.integers(0, 40), st.sampled_from([0.8, 0.95, 0.99]))
def test_a_share_of_prompts_has_clopper_and_pearsons_interval(successes, confidence):
    ours = interval(Binomial(successes, 40), confidence)
    theirs = stats.binomtest(successes, 40).proportion_ci(confidence, method="exact")
    assert (ours.low, ours.high) == (pytest.approx(theirs.low), pytest.approx(theirs.high))


def test_twenty_right_of_twenty_do_not_show_95_per_cent():
    one = found(weighed(np.ones(20), estimand=proportion()))
    assert one.above(0.95) == pytest.approx(0.95**20)
    assert interval(one, 0.95).low == pytest.approx(0.025 ** (1 / 20))


@pytest.mark.parametrize("chances", [(0.1, 0.1, 0.1, 0.1), (0.9, 0.8, 0.7, 0.2), (0.0, 1.0, 0.5, 0.5)])
def test_the_expected_capital_is_at_most_one_whatever_each_unit_expects(chances):
    """The theorem behind ``Betting``, by all outcomes of four units that are not alike. One over p is the capital."""
    truth, shares = float(np.mean(chances)), np.full(4, 0.25)
    over = under = 0.0
    for outcome in product((0.0, 1.0), repeat=4):
        likely = math.prod(p if x else 1 - p for x, p in zip(outcome, chances, strict=True))
        one = Betting(np.array(outcome), shares, 0.0, 1.0)
        over += likely * (1 / one.above(truth) if one.above(truth) < 1 else 0.0)
        under += likely * (1 / one.below(truth) if one.below(truth) < 1 else 0.0)
    assert over <= 1 + 1e-9
    assert under <= 1 + 1e-9


@settings(deadline=None, max_examples=40)
@example([0.0, 2.225073858507203e-309], 0.005)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.sampled_from([0.005, 0.025, 0.1]))
def test_a_betting_interval_holds_its_value_and_ends_at_its_level(values, level):
    one = Betting(np.array(values), np.full(len(values), 1 / len(values)), 0.0, 1.0)
    low, high = one.low(level), one.high(level)
    assert 0 <= low <= one.value + 1e-9 and one.value - 1e-9 <= high <= 1
    if low > 1e-6:
        assert one.above(low) == pytest.approx(level, rel=0.01)
    if high < 1 - 1e-6:
        assert one.below(high) == pytest.approx(level, rel=0.01)


def test_no_width_of_zero_from_bounded_values_that_agree():
    """The case `rep_acc`: twenty prompts that all agree do not show what the twenty-first does."""
    right = np.ones(20)
    change = found(weighed(right, right, estimand=difference(proportion(), proportion().moved(1, 1))))
    ends = interval(change, 0.95)
    assert ends.value == 0.0
    assert ends.low is not None and -0.25 < ends.low < -0.1
    copying = found(weighed(np.zeros(20), np.zeros(20), estimand=average(2, (0.0, 1.0))))
    assert copying.below(0.001) > 0.9
    assert 0.1 < copying.high(0.025) < 0.25


def test_a_prompt_that_counts_more_says_less():
    """A template of few prompts that stands for most of a file: the interval is that of fewer prompts."""
    values = np.tile([0.4, 0.6], 20)
    even = Betting(values, np.full(40, 1 / 40), 0.0, 1.0)
    uneven = Betting(values, np.repeat([0.9 / 20, 0.1 / 20], 20), 0.0, 1.0)
    assert uneven.high(0.025) - uneven.low(0.025) > 1.2 * (even.high(0.025) - even.low(0.025))


# --- ratios ------------------------------------------------------------------------------------------


def test_a_share_has_fiellers_interval():
    """The quadratic of Fieller (1954) for a ratio of two means of symmetric values."""
    draw = np.random.default_rng(2)
    under = draw.normal(5, 2, size=30)
    over = under * 0.3 + draw.normal(0, 1, size=30)
    both = np.stack([over, under])
    both = np.concatenate([both, 2 * both.mean(axis=1, keepdims=True) - both], axis=1)  # no skewness
    n = both.shape[1]
    (a, b), t2 = both.mean(axis=1), stats.t.isf(0.025, n - 1) ** 2
    (vaa, vab), (_, vbb) = np.cov(both) / n
    roots = np.sort(np.roots([b * b - t2 * vbb, -2 * (a * b - t2 * vab), a * a - t2 * vaa]).real)
    ours = interval(found(weighed(*both, estimand=Ratio(column(0), column(1)))), 0.95)
    assert ours.value == pytest.approx(a / b)
    assert (ours.low, ours.high) == (pytest.approx(roots[0], rel=1e-6), pytest.approx(roots[1], rel=1e-6))


def test_a_share_of_what_is_not_told_from_zero_has_no_bounds():
    """An untrained model: the metric is around zero, and no share of it is anything."""
    draw = np.random.default_rng(3)
    metric = draw.normal(0.0, 1.0, size=60)
    patched = metric + draw.normal(0.1, 0.01, size=60)
    one = found(weighed(patched, metric, estimand=relative_change()))
    ends = interval(one, 0.95)
    assert ends.unbounded and (ends.low, ends.high) == (-math.inf, math.inf)
    assert min(one.above(0.01), one.below(-0.01)) > 0.025


def test_a_metric_below_zero_is_no_metric_to_take_shares_of():
    metric = np.random.default_rng(4).normal(-5.0, 1.0, size=60)
    assert interval(found(weighed(metric + 1, metric, estimand=relative_change())), 0.95).unbounded
    turned = interval(found(weighed(metric + 1, metric, estimand=relative_change(either_sign=True))), 0.95)
    assert turned.value == pytest.approx(1 / 5, abs=0.02) and not turned.unbounded


def test_a_zero_denominator_is_undefined():
    assert weighed(np.ones(20), np.zeros(20), estimand=relative_change()).evidence() is None


# --- sizes, and the largest of several ---------------------------------------------------------------


def test_a_size_counts_both_sides():
    """Against the folded normal: P(|T| >= t) where the truth is at the bound."""
    one = Size(Student(2.0, 1.0, 1e9))
    assert one.above(0.5) == pytest.approx(stats.norm.sf(1.5) + stats.norm.sf(2.5), rel=1e-5)
    assert one.above(0.0) == pytest.approx(2 * stats.norm.sf(2.0), rel=1e-5)
    assert one.low(0.025) == 0.0
    assert one.high(0.025) == pytest.approx(2 + stats.norm.isf(0.025), rel=1e-5)
    minus = Size(Student(-2.0, 1.0, 1e9))
    assert (minus.above(0.5), minus.low(0.001), minus.high(0.025)) == (
        pytest.approx(one.above(0.5)),
        one.low(0.001),
        pytest.approx(one.high(0.025)),
    )


def test_the_largest_pays_for_the_choice_and_the_least_bound_on_all_holds_for_it():
    one, other = Student(2.0, 1.0, 30), Student(1.5, 1.0, 30)
    largest = Extreme((one, other), 1)
    assert largest.above(0.0) == pytest.approx(2 * one.above(0.0))
    assert largest.below(3.0) == pytest.approx(one.below(3.0))
    assert largest.low(0.02) == pytest.approx(one.low(0.01))
    smallest = Extreme((one, other), -1)
    assert smallest.above(0.0) == pytest.approx(other.above(0.0))
    assert smallest.below(3.0) == pytest.approx(2 * other.below(3.0))


def test_what_needs_something_else_is_worth_no_more_than_that():
    one = Guarded(Student(5.0, 1.0, 30), 0.3)
    assert (one.above(0.0), one.low(0.025), one.high(0.025)) == (0.3, -math.inf, math.inf)
    assert Guarded(Student(5.0, 1.0, 30), 1e-9).low(0.025) == Student(5.0, 1.0, 30).low(0.025)


def test_ranks_have_bonett_and_wrights_interval():
    """Their formula, by hand for r = 0.5 of 50 pairs: z +- 1.96 sqrt((1 + 0.125) / 47)."""
    ends = interval(Ranks(0.5, 50), 0.95)
    half = stats.norm.isf(0.025) * math.sqrt(1.125 / 47)
    assert ends.low == pytest.approx(math.tanh(math.atanh(0.5) - half))
    assert ends.high == pytest.approx(math.tanh(math.atanh(0.5) + half))
    assert ends.low is not None
    assert Ranks(0.5, 50).above(ends.low) == pytest.approx(0.025)
    assert (Ranks(0.5, 50).above(1.0), Ranks(0.5, 50).above(-1.1)) == (1.0, 0.0)
    assert (Ranks(0.5, 50).below(-1.0), Ranks(0.5, 50).below(1.1)) == (1.0, 0.0)


@pytest.mark.parametrize("value", [1.0, -1.0])
def test_four_pairs_in_order_say_little(value: float):
    """One of 24 orders is this one, and one of 24 the opposite: not even the sign is told at 95%."""
    ends = interval(Ranks(value, 4), 0.95)
    assert ends.low is not None and ends.high is not None
    assert ends.low < 0 < ends.high
    assert ends.low <= value <= ends.high


def test_prompts_that_do_not_agree_make_ranks_less_certain():
    left, right = np.arange(6.0), np.array([0.0, 2, 1, 3, 5, 4])
    exact = ranks((left, right), (np.tile(left, (10, 1)), np.tile(right, (10, 1))))
    assert exact is not None
    assert (exact.noise, exact.reliability) == (pytest.approx(0.0), pytest.approx(1.0))
    draw = np.random.default_rng(3)
    again = [side + draw.normal(0, 1, (500, 6)) for side in (left, right)]
    noisy = ranks((left, right), (again[0], again[1]))
    assert noisy is not None
    assert noisy.value == exact.value
    assert noisy.low(0.025) < exact.low(0.025)


@pytest.mark.parametrize("true", [1.0, 4.0])
def test_reliability_is_the_share_of_what_varies_that_is_no_noise(true: float):
    """Many pairs of known variances: true^2 of true values and one of noise; a resample adds as much noise again."""
    draw = np.random.default_rng(4)
    sides = [draw.normal(0, true, 4000) + draw.normal(0, 1, 4000) for _ in range(2)]
    again = [side + draw.normal(0, 1, (20, 4000)) for side in sides]
    found = ranks((sides[0], sides[1]), (again[0], again[1]))
    assert found is not None
    # Ranks of normal values correlate a little less than the values.
    assert found.reliability == pytest.approx(true**2 / (true**2 + 1), abs=0.06)


def test_where_all_is_noise_nothing_is_known_of_ranks():
    ends = interval(Ranks(0.3, 12, 0.1, 0.0), 0.95)
    assert (ends.low, ends.high) == (-1.0, 1.0)
    assert Ranks(0.3, 12, 0.1, 0.0).below(0.9) > 0.5


def test_a_smooth_figure_of_a_mean_is_the_mean():
    values = np.random.default_rng(5).normal(3, 2, size=(40, 1))
    plain = interval(found(weighed(values[:, 0])), 0.95)
    smooth = interval(found(weighed(values[:, 0], estimand=Smooth(lambda means: means[..., 0]))), 0.95)
    assert (smooth.low, smooth.high) == (pytest.approx(plain.low), pytest.approx(plain.high))


def test_a_chosen_contrast_is_told_by_the_prompts_that_did_not_choose_it():
    values = np.where(np.arange(40) < 10, 5.0, 1.0) + np.random.default_rng(6).normal(0, 0.1, 40)
    one = found(weighed(values, estimand=Mean(Contrast(((0, 1.0),), chosen=10))))
    assert one.value == pytest.approx(1.0, abs=0.1)


def test_what_few_of_the_prompts_are_left_to_tell_decides_nothing():
    """Of 14 prompts seven chose, and seven tell: with fewer than eight nothing is decided."""
    for chosen, verdict in ((6, Verdict.HOLDS), (7, Verdict.UNDECIDED)):
        of = Mean(Contrast(((0, 1.0),), chosen=chosen))
        values = np.random.default_rng(3).normal(1, 0.01, 14)
        assert judge(weighed(values, estimand=of), Bound(">=", low=0.5), 0.95).verdict is verdict


def test_templates_keep_their_shares_where_some_prompts_are_left_out():
    """Without the first of three prompts of one template, and none of the other's, both count equally still."""
    units = units_of([Origin(name, i) for i, name in enumerate("ababab")], {}).part(np.arange(6) >= 1)
    assert units.weights.tolist() == pytest.approx([1 / 6, 1 / 4, 1 / 6, 1 / 4, 1 / 6])
    assert units.part(np.arange(5) >= 2).weights.tolist() == pytest.approx([1 / 4, 1 / 2, 1 / 4])


# --- calibration: a small part of benchmarks/truth -------------------------------------------------

Draw = Callable[[np.random.Generator, int], Array]


def _normal(draw: np.random.Generator, n: int) -> Array:
    return draw.normal(1, 1, n)[:, None]


def _right(draw: np.random.Generator, n: int) -> Array:
    return (draw.random(n) < 0.97)[:, None].astype(float)


def _certain(draw: np.random.Generator, n: int) -> Array:
    return draw.beta(20, 0.2, n)[:, None]


def _changed(draw: np.random.Generator, n: int) -> Array:
    before = draw.random(n) < 0.99
    return np.stack([before & (draw.random(n) < 0.99), before], axis=1).astype(float)


def _knocked_out(draw: np.random.Generator, n: int) -> Array:
    metric = draw.normal(5, 2, n)
    return np.stack([0.7 * metric + draw.normal(0, 0.5, n), metric], axis=1)


def _nine_alike(draw: np.random.Generator, n: int) -> Array:
    pairs = [draw.normal(mean, 1, n) for _ in range(9) for mean in (1.0, 0.96)]
    return np.stack([draw.normal(5, 2, n), *pairs], axis=1)


def _rarely_kept(draw: np.random.Generator, n: int) -> Array:
    return np.stack([0.9 * (draw.random(n) < 0.01), np.full(n, 0.99)], axis=1)


def _ranked(draw: np.random.Generator, n: int) -> Array:
    """Sixteen pairs of true means in almost the same order, under noise that takes most of it away."""
    return np.concatenate([np.arange(16), np.arange(16) // 2]) / 16 + draw.normal(0, 2.5, (n, 32))


def _faint(draw: np.random.Generator, n: int) -> Array:
    return draw.normal(0.05, 1, n)[:, None]


_LARGEST = Largest(tuple(Folded(Ratio(Contrast(((1 + 2 * k, 1.0), (2 + 2 * k, -1.0))), column(0))) for k in range(9)))


_RANKS = RankCorrelation(lambda means: (means[..., :16], means[..., 16:]))


@pytest.mark.parametrize("count", [20, 60])
@pytest.mark.parametrize(
    ("draw", "estimand", "truth"),
    [
        (_normal, average(), 1.0),
        (_right, proportion(), 0.97),
        (_certain, average(limits=(0.0, 1.0)), 20 / 20.2),
        (_changed, difference(proportion(), proportion().moved(1, 1)), -0.0099),
        (_knocked_out, relative_change(), -0.3),
        (_rarely_kept, Ratio(column(0, (0.0, 1.0)), column(1, (0.0, 1.0))), 0.009 / 0.99),
        (_nine_alike, _LARGEST, 0.008),
        (_ranked, _RANKS, 0.9941),  # scipy.stats.spearmanr(np.arange(16), np.arange(16) // 2)
        (_faint, Folded(average()), 0.05),
        (_faint, Smallest((average(), average())), 0.05),
    ],
)
def test_intervals_miss_the_truth_no_more_often_than_they_say(draw: Draw, estimand: Estimand, truth: float, count: int):
    """150 samples of known truth: each side may be missed in 2.5% of them; more than 11 of 150 have p < 0.001."""
    generator, units = np.random.default_rng(7), in_templates(count, 10)
    above = below = 0
    for _ in range(150):
        columns = draw(generator, count)
        ends = interval(found(weighed(*columns.T, estimand=estimand, units=units)), 0.95)
        assert ends.low is not None and ends.value is not None and ends.high is not None
        assert ends.low - 1e-9 <= ends.value <= ends.high + 1e-9
        above += ends.low > truth
        below += ends.high < truth
    assert above <= 11
    assert below <= 11

"""What is judged on all prompts that there are is known: no interval, no test, and no rounding off a bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from weighing import weighed

from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.judge.looks import Looks
from circuitdsl.judge.verdicts import Judgement, judge
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.circuit import Bound, Control
from circuitdsl.measures.estimands import (
    Contrast,
    Dependence,
    Estimand,
    Folded,
    Largest,
    RankCorrelation,
    Smallest,
    Smooth,
    average,
    column,
    difference,
    proportion,
    relative_change,
)
from circuitdsl.measures.measurement import Paired, RandomSets

RNG = np.random.default_rng(5)
CHANGED, CLEAN = RNG.normal(2, 1, 40), RNG.normal(3, 1, 40)
CHANGE = relative_change()


def whole(*columns, **fields) -> Weighed:
    return replace(weighed(*columns, templates=2, **fields), whole=True)


FIGURES: dict[str, tuple[Estimand, float]] = {
    "mean": (average(), CHANGED.mean()),
    "change": (CHANGE, (CHANGED.mean() - CLEAN.mean()) / abs(CLEAN.mean())),
    "size": (Folded(CHANGE), abs(CHANGED.mean() - CLEAN.mean()) / abs(CLEAN.mean())),
    "largest": (Largest((average(), relative_change())), CHANGED.mean()),
    "smallest": (Smallest((average(), relative_change())), (CHANGED.mean() - CLEAN.mean()) / abs(CLEAN.mean())),
    "difference": (difference(CHANGE, CHANGE), 0.0),
    "smooth": (Smooth(lambda means: means[..., 0] * means[..., 1]), CHANGED.mean() * CLEAN.mean()),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_all_prompts_is_its_value_and_the_verdict_is_which_side_it_is_on(name):
    estimand, value = FIGURES[name]
    measured = whole(CHANGED, CLEAN, estimand=estimand)
    for bound, verdict in (
        (Bound(">=", low=value - 1e-6), Verdict.HOLDS),
        (Bound(">=", low=value + 1e-6), Verdict.FAILS),
        (Bound("in", value - 1e-6, value + 1e-6), Verdict.HOLDS),
        (Bound("outside", value - 1e-6, value + 1e-6), Verdict.FAILS),
        (Bound("<", high=value + 1e-6), Verdict.HOLDS),
    ):
        judged = judge(replace(measured, looks=Looks((2, 4, 6))), bound, 0.95)
        assert (judged.verdict, judged.exact) == (verdict, True)
        assert judged.estimate.value == judged.estimate.low == judged.estimate.high == pytest.approx(value)


@pytest.mark.parametrize(("op", "verdict"), [(">=", "holds"), (">", "fails"), ("<=", "holds"), ("<", "fails")])
def test_nineteen_of_twenty_are_95_per_cent(op, verdict):
    """And every other whole per cent of every number of prompts, however a mean of zeros and ones is rounded."""
    for count in (10, 20, 30, 50, 60, 70, 90, 100):
        for percent in range(0, 100, 10):
            hits = (np.arange(count) < count * percent // 100).astype(float)
            measured = replace(weighed(hits, templates=2, estimand=proportion()), whole=True)
            bound = Bound(op, low=percent / 100) if op[0] == ">" else Bound(op, high=percent / 100)
            assert judge(measured, bound, 0.95).verdict == verdict, (count, percent)


def test_two_prompts_are_enough_if_there_are_no_more():
    two = weighed([1.0, 2.0])
    assert judge(two, Bound(">=", low=1.0), 0.95).verdict is Verdict.UNDECIDED
    assert judge(replace(two, whole=True), Bound(">=", low=1.0), 0.95).verdict is Verdict.HOLDS


def test_a_share_of_a_metric_that_is_not_above_zero_means_nothing_on_all_prompts_either():
    judged = judge(whole(CHANGED, -CLEAN, estimand=CHANGE), Bound("<=", high=9.0), 0.95)
    assert (judged.verdict, judged.exact, judged.estimate.unbounded) == (Verdict.UNDECIDED, False, True)
    assert judge(whole(CHANGED, 0 * CLEAN, estimand=CHANGE), Bound("<=", high=9.0), 0.95).verdict is Verdict.UNDECIDED


def sampled_too(measured: Weighed, bound: Bound | Control) -> tuple[Judgement, Judgement]:
    return judge(measured, bound, 0.95), judge(replace(measured, whole=False), bound, 0.95)


def test_random_sets_are_random_on_all_prompts_too():
    columns = [CHANGED, *(RNG.normal(0, 1, 40) for _ in range(99))]
    measured = whole(*columns, control=RandomSets(lambda means: means[..., 1:]))
    known, sampled = sampled_too(measured, Control("random heads"))
    assert known.p_value == sampled.p_value == pytest.approx(0.01)
    assert not known.exact
    assert known.estimate.low == known.estimate.high


def test_a_sham_is_drawn_whatever_prompts_there_are():
    sham = relative_change()
    other = replace(sham, over=Contrast(((2, 1.0), (1, -1.0))))
    excess = Folded(CHANGE)
    measured = whole(CHANGED, CLEAN, CLEAN, estimand=Folded(CHANGE), control=Paired(Folded(other), excess))
    known, sampled = sampled_too(measured, Control("sham"))
    assert known.p_value == sampled.p_value and not known.exact
    assert sampled.control is not None and known.control == sampled.control


def test_rank_correlations_and_dependences_are_estimated_all_the_same():
    def sides(means):
        return means[..., :10], means[..., 10:]

    ranked = [column + shift for shift in range(20) for column in (RNG.normal(0, 1, 40),)]
    for measured in (
        whole(*ranked, estimand=RankCorrelation(sides)),
        whole(CHANGED, CLEAN + CHANGED, estimand=Dependence(column(0), column(1))),
    ):
        known, sampled = sampled_too(measured, Bound(">=", low=0.1))
        assert known == sampled
        assert not known.exact
        assert isinstance(known.estimate, Estimate) and known.estimate.low != known.estimate.high

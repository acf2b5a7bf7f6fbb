"""Verdicts against shams and shuffled prompts: how often they are wrong where nothing is there, and what is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weighing import in_templates, weighed

from circuitdsl.judge import dependence as dependences
from circuitdsl.judge.dependence import dependence, shuffled
from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.looks import ONCE, Looks
from circuitdsl.judge.verdicts import judge
from circuitdsl.language.circuit import Bound, Control
from circuitdsl.measures.controls import against_sham, sizes_of
from circuitdsl.measures.estimands import Dependence, Folded, column, ratio, relative_change
from circuitdsl.measures.measurement import Shuffled

CHANGE = relative_change()
SHAM, EDGES, CHANCE = Control("sham"), Control("random edges"), Control("chance")
SOME = st.floats(-3, 3).filter(lambda x: x == 0 or abs(x) > 1e-3)


def against(patched, clean, sham):
    return weighed(patched, clean, sham, estimand=Folded(CHANGE), control=against_sham(CHANGE, 2))


# --- shams -----------------------------------------------------------------------------------------


@given(SOME, SOME, st.floats(0.5, 3))
def test_the_excess_is_the_difference_of_sizes(changed: float, sham: float, clean: float):
    means = np.array([clean + changed, clean, clean + sham])
    assert against_sham(CHANGE, 2).excess.value(means) == pytest.approx((abs(changed) - abs(sham)) / clean, abs=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sham_as_strong_is_beaten_at_most_as_often_as_the_level_says(sign: int):
    rng, wrong = np.random.default_rng(0), {Verdict.HOLDS: 0, Verdict.FAILS: 0, Verdict.UNDECIDED: 0}
    for _ in range(400):
        clean = 3 + rng.normal(size=40)
        found = judge(against(clean - 1 + rng.normal(size=40), clean, clean + sign + rng.normal(size=40)), SHAM, 0.9)
        wrong[found.verdict] += 1
    assert wrong[Verdict.HOLDS] <= 32 and wrong[Verdict.FAILS] <= 32  # 5% a side, and chance


@pytest.mark.parametrize("sign", [1, -1])
def test_a_weaker_sham_is_beaten_and_a_stronger_one_is_not(sign: int):
    rng = np.random.default_rng(1)
    clean = 3 + rng.normal(size=60)
    weak, strong = (clean + sign * size + 0.1 * rng.normal(size=60) for size in (0.2, 2.0))
    patched = clean - 1 + 0.1 * rng.normal(size=60)
    found = judge(against(patched, clean, weak), SHAM, 0.95)
    assert found.verdict is Verdict.HOLDS
    assert found.control is not None and found.control.value == pytest.approx(0.2 / 3, abs=0.02)
    assert found.control_prompts == 60
    assert judge(against(patched, clean, strong), SHAM, 0.95).verdict is Verdict.FAILS
    assert judge(against(patched, clean, strong), Control("sham", "<"), 0.95).verdict is Verdict.HOLDS


def test_rounding_beats_no_sham():
    clean = 3 + np.random.default_rng(2).normal(size=60)
    assert judge(against(clean + 1e-7, clean, clean), SHAM, 0.95).verdict is not Verdict.HOLDS


def test_looks_count():
    rng = np.random.default_rng(3)
    clean = 3 + rng.normal(size=40)
    figure = against(clean - 1 + rng.normal(size=40), clean, clean + 0.5 * rng.normal(size=40))
    once, again = (judge(replace(figure, looks=looks), SHAM, 0.95) for looks in (ONCE, Looks((40, 80, 160))))
    assert once.p_value is not None and again.p_value is not None
    assert 1.5 * once.p_value < again.p_value < 3 * once.p_value


# --- random edges ----------------------------------------------------------------------------------


def test_random_edges_are_compared_by_size_and_nothing_exceeds_nothing():
    clean = np.full(20, 2.0)
    sets = [clean + change for change in (0.5, -0.5, 0.0, 0.0)]
    edges = weighed(clean - 1, clean, *sets, estimand=Folded(CHANGE), control=sizes_of(CHANGE, 2, 4))
    found = judge(edges, EDGES, 0.5)
    assert found.p_value == 1 / 5
    nothing = weighed(clean - 1e-7, clean, *sets, estimand=Folded(CHANGE), control=sizes_of(CHANGE, 2, 4))
    assert judge(nothing, EDGES, 0.5).p_value == 1.0


# --- dependence ------------------------------------------------------------------------------------


def pairs(x, y, templates: int = 1, **fields):
    fields.setdefault("control", Shuffled(199, 0))
    return weighed(x, y, templates=templates, estimand=Dependence(column(0), column(1)), **fields)


def by_definition(x, y) -> float:
    """The U-statistic of Szekely and Rizzo 2013, from U-centred distances."""
    n = len(x)

    def centred(values):
        d = np.abs(values[:, None] - values[None])
        rows = d.sum(1)
        u = d - rows[:, None] / (n - 2) - rows[None] / (n - 2) + d.sum() / ((n - 1) * (n - 2))
        return u - np.diag(np.diag(u))

    def covariance(a, b):
        return float((a * b).sum()) / (n * (n - 3))

    a, b = centred(x), centred(y)
    square = covariance(a, b) / np.sqrt(covariance(a, a) * covariance(b, b))
    return float(np.sign(square) * np.sqrt(abs(square)))


def test_the_figure_is_that_of_the_definition_with_and_without_each_pair():
    x, y = np.random.default_rng(0).normal(size=(2, 15))
    x, y = x - x.mean(), y - y.mean()
    found = dependence(x, y, in_templates(15))
    assert found is not None and found.value == pytest.approx(by_definition(x, y))
    a, b = (np.abs(v[:, None] - v[None]) for v in (x, y))
    _, without = dependences._covariance(a, b)
    for k in range(15):
        rest, _ = dependences._covariance(*(np.delete(np.delete(d, k, 0), k, 1) for d in (a, b)))
        assert without[k] == pytest.approx(rest)


def test_templates_that_differ_are_no_dependence():
    rng, held = np.random.default_rng(4), 0
    for _ in range(60):
        x, y = rng.normal(size=(2, 40)) + 5 * (np.arange(40) % 4)
        held += judge(pairs(x, y, templates=4), CHANCE, 0.9).verdict is Verdict.HOLDS
    assert held <= 14  # 10% of 60, and chance


def test_the_permutation_test_is_right_about_nothing_and_finds_what_is_not_linear():
    rng = np.random.default_rng(5)
    p_values = [judge(pairs(*rng.normal(size=(2, 25))), CHANCE, 0.95).p_value or 0 for _ in range(150)]
    assert np.mean(np.array(p_values) <= 0.2) == pytest.approx(0.2, abs=0.09)
    x = rng.normal(size=80)
    found = judge(pairs(x, np.abs(x) + 0.2 * rng.normal(size=80)), CHANCE, 0.95)
    assert found.verdict is Verdict.HOLDS
    assert found.control is not None and found.control.value is not None and found.control.value < 0.3


def test_nothing_found_is_undecided():
    x, y = np.random.default_rng(6).normal(size=(2, 60))
    assert judge(pairs(x, y), CHANCE, 0.95).verdict is Verdict.UNDECIDED


def test_a_bound_on_dependence_is_met_where_there_is_none_and_prompts_are_many():
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(2, 300))
    little = Bound("<=", high=0.3)
    assert judge(pairs(x, y, control=None), little, 0.95).verdict is Verdict.HOLDS
    assert judge(pairs(x, x + 0.3 * y, control=None), little, 0.95).verdict is Verdict.FAILS
    assert judge(pairs(x[:12], y[:12], control=None), little, 0.95).verdict is Verdict.UNDECIDED
    found = judge(pairs(x, x + y, control=None), little, 0.95).estimate
    assert found.low is not None and found.high is not None and found.value is not None
    assert found.low < 0.65 < found.high  # of normal values correlated at 0.71


def test_a_bound_at_the_truth_is_seldom_said_to_be_met():
    """Normal values correlated at 0.334 have a distance correlation of 0.3."""
    rng, wrong = np.random.default_rng(8), 0
    for _ in range(150):
        x, noise = rng.normal(size=(2, 50))
        wrong += (
            judge(pairs(x, 0.334 * x + 0.943 * noise, control=None), Bound("<=", high=0.3), 0.9).verdict
            is Verdict.HOLDS
        )
    assert wrong <= 14  # 5%, and chance


def test_two_prompts_a_template_are_told_apart_too():
    """Each then mirrors the other, and the figure still has an error."""
    rng, verdicts = np.random.default_rng(9), []
    for _ in range(60):
        x, noise = rng.normal(size=(2, 60)) + 3 * (np.arange(60) % 30)
        figure = pairs(x, 0.334 * x + 0.943 * noise, templates=30, control=None)
        verdicts.append(judge(figure, Bound("<=", high=0.3), 0.9).verdict)
    assert verdicts.count(Verdict.HOLDS) <= 8 and verdicts.count(Verdict.FAILS) <= 8


def test_what_does_not_vary_has_none():
    found = judge(pairs(np.ones(20), np.arange(20.0)), CHANCE, 0.95)
    assert (found.verdict, found.control, found.control_prompts) == (Verdict.UNDECIDED, None, None)
    assert judge(pairs(np.arange(20.0), np.arange(20.0)), CHANCE, 0.95).control_prompts == 20
    assert np.isnan(shuffled(np.ones(20), np.arange(20.0), in_templates(20), 9, 0)).all()
    assert np.isnan(ratio(np.zeros(1), np.zeros(1))).all()

"""The race: what is settled is settled rightly as often as is said, and nothing false is found more easily."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from weighing import weighed

from circuitdsl.judge.evidence import Student
from circuitdsl.judge.race import (
    MISS,
    Correction,
    Foreseen,
    Sketch,
    early_looks,
    out_of_reach,
    race,
    shows,
    sketched_looks,
    within,
)
from circuitdsl.judge.verdicts import false_discovery, holm, met
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.circuit import Bound
from circuitdsl.measures.estimands import relative_change

FLOOR = 0.01
BEYOND = Bound("outside", -FLOOR, FLOOR)


def change(changed: np.ndarray, clean: np.ndarray, **fields) -> Weighed:
    """(F changed - F) / |F| of these values of F, [prompts] each."""
    return weighed(changed, clean, estimand=relative_change(), **fields)


# --- the course ------------------------------------------------------------------------------------


def test_who_is_settled_is_measured_on_no_more():
    asked: list[tuple[tuple[str, ...], int]] = []
    leaves = {"a": 25, "b": 50, "c": 50}

    def settling(items, count):
        asked.append((tuple(items), count))
        return {item for item in items if leaves.get(item) == count}

    raced = race("abcd", 100, (25, 50), settling)
    assert asked == [(("a", "b", "c", "d"), 25), (("b", "c", "d"), 50)]
    assert raced.rest == ("d",)
    assert raced.settled == leaves
    assert raced.looks == ((25, 4), (50, 3), (100, 1))


def test_without_early_looks_all_are_left():
    raced = race("ab", 10, (), lambda items, count: items)
    assert (raced.rest, raced.settled, raced.looks) == (("a", "b"), {}, ((10, 2),))


@given(st.integers(2, 3000))
def test_early_looks_have_units_enough_and_are_fewer_than_all(prompts: int):
    looks = early_looks(prompts)
    assert sorted(set(looks)) == list(looks)
    assert all(8 <= count < prompts for count in looks) or prompts < 16


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.data())
def test_leaving_out_finds_nothing_that_would_not_be_found(p_values: list[float], data: st.DataObject):
    """Who is left out counts with a p-value of one: no adjusted p-value becomes smaller by it."""
    out = data.draw(st.sets(st.integers(0, len(p_values) - 1)))
    whole = holm(p_values)
    left = [p for place, p in enumerate(p_values) if place not in out]
    raced = iter(holm(left, len(p_values)))
    assert all(place in out or next(raced) >= p for place, p in enumerate(whole))  # type: ignore[operator]


# --- out of reach ----------------------------------------------------------------------------------


def test_the_best_p_value_is_students_prediction_limit():
    """Of 12 units and of 48, they among them: the z of the whole, with the first's error, passes the limit in 2.5%."""
    rng = np.random.default_rng(0)
    values = rng.normal(0.3, 1.0, (4000, 48))
    first = values[:, :12]
    errors = first.std(axis=1, ddof=1) / math.sqrt(12)
    passed = 0
    for value, error, mean in zip(first.mean(axis=1), errors, values.mean(axis=1), strict=True):
        limit = -stats.norm.ppf(Foreseen.of(Student(value, error, 11), 4.0).best_p_value(0.025) / 2)
        passed += mean / (error / 2) > limit
    assert passed / 4000 == pytest.approx(0.025, abs=0.008)


def test_a_figure_without_spread_stays_where_it_is():
    assert Foreseen.of(Student(-0.1, 0.0, 7), 4.0).best_p_value(0.025) == 1.0
    assert Foreseen.of(Student(0.1, 0.0, 7), 4.0).best_p_value(0.025) == 0.0


def test_what_an_estimate_leaves_open_counts_where_nothing_spreads():
    still, moving = Student(-0.1, 0.0, 7), Student(-0.05, 0.2, 7)
    wide = Foreseen(-0.1, 0.15, 7, 0.0)
    assert wide.best_p_value(0.01) == 0.0
    assert Foreseen(-0.1, 0.001, 7, 0.0).best_p_value(0.01) == 1.0
    assert Foreseen.by(moving, still, still, Student(0.05, 0.15, 7), 7.5).own == moving.error
    by = Foreseen.by(still, moving, moving, Student(0.05, 0.15, 7), 7.5)
    assert (by.own, by.best_p_value(0.01)) == (0.0, 0.0)


def test_what_is_not_known_at_all_may_be_found():
    assert Foreseen.of(Student(-0.1, math.inf, 1), 4.0).best_p_value(0.01) == 0.0


def heads(rng: np.random.Generator, effects: np.ndarray, noise: str, prompts: int) -> list[np.ndarray]:
    """F without each head, [prompts] each, and last F itself."""
    clean = rng.normal(3, 1.2, prompts)
    shape = (len(effects), prompts)
    drawn = {
        "normal": lambda: rng.normal(0, 1, shape),
        "skewed": lambda: rng.exponential(1, shape) - 1,
        "heavy": lambda: rng.standard_t(3, shape) / math.sqrt(3),
    }[noise]()
    return [*(clean * (1 + effects[:, None]) + 0.25 * drawn), clean]


def beyond(changed: np.ndarray, clean: np.ndarray) -> float:
    """The p-value by which a check lists a head."""
    evidence = change(changed, clean).evidence()
    return 1.0 if evidence is None else min(1.0, 2 * met(BEYOND, evidence))


@pytest.mark.parametrize("noise", ["normal", "skewed", "heavy"])
@pytest.mark.parametrize("corrected", [holm, false_discovery])
def test_what_all_prompts_would_find_is_lost_no_more_often_than_is_said(noise: str, corrected: Correction):
    """Heads of all sizes about what 64 prompts just find, of 40 that are searched."""
    rng = np.random.default_rng(1)
    prompts, looks = 64, early_looks(64)
    effects = np.concatenate([np.linspace(0.02, 0.07, 12), np.zeros(28)]) * rng.choice([-1, 1], 40)
    found, lost, left, tries = np.zeros(40), np.zeros(40), 0, 12
    for _ in range(tries):
        *changed, clean = heads(rng, effects, noise, prompts)
        adjusted = corrected([beyond(each, clean) for each in changed], 40)
        listed = np.array([p is not None and p <= 0.05 for p in adjusted])
        alive = dict(enumerate(changed))
        for count in looks:
            known = {head: change(each[:count], clean[:count]) for head, each in alive.items()}
            for head in out_of_reach(known, FLOOR, prompts / count, len(looks), 0.05, 40, corrected=corrected):
                del alive[head]
        found += listed
        lost += listed & ~np.isin(np.arange(40), list(alive))
        left += len(alive)
    assert found.sum() > 5 * tries / 2
    # Of those that are found at all it is a small part.
    assert lost.sum() <= MISS * found.sum()
    assert left < (0.5 if corrected is holm else 0.7) * 40 * tries


def sketched(changed: np.ndarray, estimate: np.ndarray, clean: np.ndarray, count: int) -> Sketch:
    """An estimate on all prompts of what was measured on the first of them."""
    rest = weighed((changed - estimate)[:count]).evidence()
    assert isinstance(rest, Student)
    return Sketch(change(estimate, clean), change(estimate[:count], clean[:count]), rest)


@pytest.mark.parametrize("noise", ["normal", "skewed", "heavy"])
@pytest.mark.parametrize(("off", "biased"), [(0.1, 0.2), (0.5, 0.0), (3.0, -0.3)])
def test_estimates_that_are_off_lose_no_more(noise: str, off: float, biased: float):
    """``off`` is how much an estimate is off from prompt to prompt, as a share of what effects differ by; ``biased``
    what it is off on all prompts. Good ones leave less to be measured, bad ones more."""
    rng = np.random.default_rng(3)
    prompts, looks, tries = 64, sketched_looks(64), 8
    effects = np.concatenate([np.linspace(0.02, 0.07, 12), np.zeros(28)]) * rng.choice([-1, 1], 40)
    found, lost, left = 0, 0, 0
    for _ in range(tries):
        *changed, clean = heads(rng, effects, noise, prompts)
        listed = {n for n, p in enumerate(holm([beyond(each, clean) for each in changed])) if p and p <= 0.05}
        estimates = [each + biased + off * 0.25 * rng.standard_t(4, prompts) for each in changed]
        alive = set(range(40))
        for count in looks:
            known = {head: change(changed[head][:count], clean[:count]) for head in sorted(alive)}
            sketches = {head: sketched(changed[head], estimates[head], clean, count) for head in alive}
            alive -= out_of_reach(known, FLOOR, prompts / count, len(looks), 0.05, 40, sketches)
        found, lost, left = found + len(listed), lost + len(listed - alive), left + len(alive)
    assert found > 5 * tries / 2
    assert lost <= MISS * found
    assert left < (0.4 if off < 0.5 else 0.6) * 40 * tries


@pytest.mark.parametrize(("shown", "lost"), [(1.0, 0), (0.5, 1), (0.0, 12)])
def test_of_a_head_that_few_prompts_need_eight_say_nothing_without_its_estimate(shown: float, lost: int):
    """It takes half of F on 32 of 200 prompts, which the first eight have none of; ``shown`` is the part of that which
    its estimate has. By eight prompts alone nearly all would be lost."""
    rng, prompts = np.random.default_rng(4), 200
    outside = 0
    for _ in range(30):
        clean = rng.normal(3, 1.2, prompts)
        effect = np.where((np.arange(prompts) % 6 == 0) & (np.arange(prompts) >= 8), 0.5, 0.0)
        changed, estimate = (clean * (1 - of * effect) + 0.012 * rng.normal(size=prompts) for of in (1.0, shown))
        assert beyond(changed, clean) * 250 <= 0.05
        known = {0: change(changed[:8], clean[:8])}
        outside += len(out_of_reach(known, FLOOR, 25.0, 4, 0.05, 250, {0: sketched(changed, estimate, clean, 8)}))
    assert outside <= lost if shown else outside > lost


def test_without_an_estimate_fewer_than_a_quarter_of_the_prompts_settle_nothing():
    clean = np.linspace(2, 4, 16)
    still = {"still": change(clean + 0.001 * np.cos(np.arange(16)), clean)}
    assert out_of_reach(still, FLOOR, 4.0, 2, 0.05, 2) == {"still"}
    assert out_of_reach(still, FLOOR, 4.1, 2, 0.05, 2) == frozenset()


def test_a_head_shows_on_so_many_prompts_that_matter_to_it():
    """So is what a report says of the first look: with a chance of 95% one of 8 is among 31% of all."""
    rng = np.random.default_rng(6)
    for count in (8, 15, 50):
        blank = (rng.random((20_000, count)) >= shows(count)).all(axis=1).mean()
        assert blank == pytest.approx(MISS, abs=0.006)


def test_a_good_estimate_settles_on_eight_prompts_what_these_alone_do_not():
    rng = np.random.default_rng(5)
    *changed, clean = heads(rng, np.zeros(20), "normal", 64)
    known = {head: change(each[:8], clean[:8]) for head, each in enumerate(changed)}
    sketches = {head: sketched(each, each + 0.01 * rng.normal(size=64), clean, 8) for head, each in enumerate(changed)}
    alone = out_of_reach(known, FLOOR, 8.0, 3, 0.05, 20)
    assert len(out_of_reach(known, FLOOR, 8.0, 3, 0.05, 20, sketches)) >= 18 > len(alone)


def test_what_has_too_few_units_or_is_no_ratio_may_always_be_found():
    few = change(np.full(7, 3.0) + np.arange(7) / 100, np.full(7, 3.0) + np.arange(7) / 90)
    mean = weighed(np.arange(20.0))
    assert out_of_reach({"few": few, "mean": mean}, FLOOR, 4.0, 2, 0.05, 2) == frozenset()


def test_figures_within_limits_are_told_by_students_t_too():
    """Bets on few prompts tell nothing; what they would tell of all is less than the t does."""
    clean = np.linspace(0.5, 0.9, 16)
    same = weighed(clean + 1e-4 * np.cos(np.arange(16)), clean, estimand=relative_change((0.0, 1.0)))
    assert not within(same, FLOOR, 1)
    assert out_of_reach({"same": same}, FLOOR, 4.0, 2, 0.05, 1) == {"same"}


# --- within the floor ------------------------------------------------------------------------------


def test_a_figure_at_the_floor_is_called_within_no_more_often_than_is_said():
    rng = np.random.default_rng(2)
    wrong, tries, prompts = 0, 300, 60
    looks = (15, 30, 60)
    for _ in range(tries):
        changed, clean = heads(rng, np.array([FLOOR]), "normal", prompts)
        wrong += any(within(change(changed[:count], clean[:count]), FLOOR, len(looks)) for count in looks)
    assert wrong <= stats.binom.ppf(0.99, tries, MISS)


def test_what_is_surely_small_is_within_and_what_is_not_told_is_not():
    clean = np.linspace(2, 4, 16)
    assert within(change(clean * 1.001 + 0.001 * np.cos(np.arange(16)), clean), FLOOR, 3)
    assert not within(change(clean * 1.001 + np.cos(np.arange(16)), clean), FLOOR, 3)
    assert not within(change(clean[:7] * 1.001, clean[:7]), FLOOR, 1)

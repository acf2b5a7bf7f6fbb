"""Looking again at any growth of a fifth: what all looks together are worth, and that the error rate is kept."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats
from weighing import in_templates, weighed

from circuitdsl.judge.evidence import Betting, Binomial, Looked, Student
from circuitdsl.judge.looks import ONCE, Course, Looks, Split, crossing
from circuitdsl.judge.units import Origin, Units, units_of
from circuitdsl.measures.estimands import Contrast, Mean, average, column, proportion, relative_change

LEVEL = 0.025
"""Of one side."""

RANGES = ((8, 16), (20, 200), (60, 240), (200, 2000), (20, 2000))


# --- which looks -------------------------------------------------------------------------------------


@given(st.integers(1, 500), st.integers(0, 5000), st.integers(1, 60))
def test_looks_grow_from_the_first_number_to_the_most(first, more, turn):
    turn = min(turn, first)
    looks = Looks.between(first, first + more, turn)
    counts = looks.counts
    assert (counts[0], counts[-1]) == (first, first + more)
    assert all(before < now <= 1.5 * before + 2 * turn for before, now in pairwise(counts))
    assert all(now >= 1.09 * before for before, now in pairwise(counts[:-1]))
    assert all(count % turn == 0 for count in counts[1:-1])
    assert set(looks.seldom.counts) <= set(counts)
    assert (looks.seldom.counts[0], looks.seldom.counts[-1]) == (first, first + more)
    assert all(2 * before <= now for before, now in pairwise(looks.seldom.counts[:-1]))


def test_the_look_after_one():
    looks = Looks((20, 30, 60))
    assert [looks.after(count) for count in (20, 25, 30, 60)] == [30, 30, 60, None]


# --- what a look is worth ----------------------------------------------------------------------------


@pytest.mark.parametrize(("looks", "constant"), [(2, 2.178), (3, 2.289), (4, 2.361), (5, 2.413), (10, 2.555)])
def test_equally_spaced_looks_have_the_constants_of_pocock(looks, constant):
    """Pocock (1977), table 1: both sides together err in 5%; both at once almost never."""
    assert 2 * crossing(constant, range(1, looks + 1)) == pytest.approx(0.05, abs=2e-4)


@pytest.mark.parametrize("bound", [0.5, 2.0, 3.5])
def test_three_looks_are_three_dependent_normal_variables(bound):
    counts = (20, 24, 100)
    correlations = [[math.sqrt(min(a, b) / max(a, b)) for a in counts] for b in counts]
    normal: Any = stats.multivariate_normal  # SciPy declares a whole number for the covariance
    below = normal(cov=correlations, abseps=1e-9, releps=1e-9).cdf(np.full(3, bound))
    assert crossing(bound, counts) == pytest.approx(1 - below, rel=1e-3)


@pytest.mark.parametrize("bounds", RANGES)
def test_looks_cost_more_than_one_and_less_than_bonferroni_says(bounds):
    course = Course(Looks.between(*bounds).counts)
    levels = np.geomspace(1e-12, 0.4, 25).tolist()
    each = [course.each(level) for level in levels]
    for level, p in zip(levels, each, strict=True):
        assert level / len(course.counts) <= p <= level
        assert course.over(p) == pytest.approx(level, rel=1e-6, abs=0)
    assert each == sorted(each)
    assert course.over(0.0) == 0.0
    assert course.over(1.0) == 1.0
    assert 1e-40 < course.over(1e-40) <= len(course.counts) * 1e-40


def test_a_single_look_is_worth_what_it_says():
    for together in (Course((200,)), Split(1)):
        assert together.over(0.3) == together.each(0.3) == 0.3


def test_what_two_intervals_are_worth_together():
    """Over looks as over both sides: the interval is what no test rejects."""
    one = Looked(Student(1.0, 0.2, 30.0), Course((20, 40, 80)))
    for end, p in ((one.low(LEVEL), one.above), (one.high(LEVEL), one.below)):
        assert p(end) == pytest.approx(LEVEL)
    assert one.low(LEVEL) < one.of.low(LEVEL)


# --- shares of prompts -------------------------------------------------------------------------------


def test_a_share_of_prompts_errs_no_more_often_than_it_says_whatever_the_share():
    """No simulation: the probabilities of all numbers of successes, look by look."""
    for bounds, (level, share) in product(RANGES[:4], product((0.05, 0.01), (0.01, 0.05, 0.3, 0.5, 0.8, 0.97, 0.999))):
        counts = Looks.between(*bounds).counts
        assert _errs(counts, [share], level / 2, most=True) <= level / 2
        assert _errs(counts, [share], level / 2, most=False) <= level / 2


@pytest.mark.parametrize("shares", [(0.0, 1.0), (0.9, 0.1), (1.0, 0.5, 0.0), (0.6, 1.0, 1.0), (0.98, 1.0)])
def test_a_share_that_differs_between_templates_errs_less(shares):
    counts = Looks.between(18, 180, len(shares)).counts
    for most in (True, False):
        even = _errs(counts, [float(np.mean(shares))], LEVEL, most)
        assert _errs(counts, shares, LEVEL, most) <= max(even, LEVEL / 2)


def _errs(counts: tuple[int, ...], shares: list[float] | tuple[float, ...], level: float, most: bool) -> float:
    """How likely it is that a look rejects the true mean, of prompts whose templates have these shares and take
    turns."""
    share, gamma = float(np.mean(shares)), Course(counts).each(level)
    turn = np.array([1.0])
    for each in shares:
        turn = np.convolve(turn, [1 - each, each])
    alive, made, errs = np.array([1.0]), 0, 0.0
    for count in counts:
        for _ in range((count - made) // len(shares)):
            alive = np.convolve(alive, turn)
        made = count
        told = [Binomial(successes, count) for successes in range(count + 1)]
        wrong = np.array([(one.above(share) if most else one.below(share)) <= gamma for one in told])
        errs += float(alive[wrong].sum())
        alive = np.where(wrong, 0.0, alive)
    return errs


# --- bounded means -----------------------------------------------------------------------------------


def test_the_capital_of_bets_is_a_martingale_over_turns():
    """Every way that three turns of two templates can go: the capital is on average what it was, and no more."""
    chances = {(a, b): (0.9 if a else 0.1) * (0.3 if b else 0.7) for a, b in product((0.0, 1.0), repeat=2)}
    mean = (0.9 + 0.3) / 2

    def capital(values: tuple[float, ...]) -> float:
        even = np.full(len(values), 1 / len(values))
        gains = np.array(values) - mean
        one = Betting(np.array(values), even, 0.0, 1.0, 60)
        # ``above`` says no more than 1: the capital itself, of the same bets.
        return float(np.mean(np.prod(1 + np.outer(one._bets / mean, gains), axis=1)))

    for start in ((), (1.0, 1.0), (1.0, 0.0, 1.0, 1.0)):
        had = capital(start) if start else 1.0
        assert sum(chance * capital((*start, *turn)) for turn, chance in chances.items()) <= had * (1 + 1e-12)


def test_the_p_value_of_a_bet_is_one_over_the_capital():
    values = np.random.default_rng(0).beta(8, 2, size=80)
    one = Betting(values, np.full(80, 1 / 80), 0.0, 1.0, 2000)
    capital = np.mean(np.prod(1 + np.outer(one._bets / 0.7, values - 0.7), axis=1))
    assert one.above(0.7) == pytest.approx(min(1.0, 1 / capital))
    # The bets do not depend on how many units there are by now.
    assert np.array_equal(one._bets, Betting(values[:20], np.full(20, 1 / 20), 0.0, 1.0, 2000)._bets)


CONFSEQ: dict[tuple[float, float, int], dict[str, tuple[float, float]]] = {
    (8.0, 2.0, 40): {"bernstein": (0.60065, 0.98748), "hedged": (0.66375, 0.85000), "averaged": (0.68775, 0.84600)},
    (8.0, 2.0, 160): {"bernstein": (0.76368, 0.86772), "hedged": (0.77600, 0.83800), "averaged": (0.78175, 0.84250)},
    (8.0, 2.0, 640): {"bernstein": (0.78499, 0.82097), "hedged": (0.78875, 0.82000), "averaged": (0.78775, 0.81800)},
    (0.5, 0.5, 40): {"bernstein": (0.32151, 0.81510), "hedged": (0.38175, 0.69625), "averaged": (0.38775, 0.72775)},
    (0.5, 0.5, 160): {"bernstein": (0.38917, 0.58623), "hedged": (0.41050, 0.58475), "averaged": (0.39475, 0.56950)},
    (0.5, 0.5, 640): {"bernstein": (0.45070, 0.55248), "hedged": (0.45575, 0.55500), "averaged": (0.45675, 0.54975)},
    (50.0, 5.0, 40): {"bernstein": (0.71674, 1.00000), "hedged": (0.76200, 0.94550), "averaged": (0.79200, 0.92575)},
    (50.0, 5.0, 160): {"bernstein": (0.86150, 0.95686), "hedged": (0.86900, 0.92275), "averaged": (0.87825, 0.91850)},
    (50.0, 5.0, 640): {"bernstein": (0.89817, 0.92291), "hedged": (0.89975, 0.91625), "averaged": (0.90200, 0.91575)},
}
"""Intervals of 95% of the first so many beta values, by the package confseq 0.0.11 (``record_confseq.py``): the
predictable plug-in empirical Bernstein, the hedged capital, and the capital of ten bets that are fixed beforehand and
averaged over, all of Waudby-Smith and Ramdas (2024). The package cannot be imported beside NumPy 2."""


def beta_values(a: float, b: float, count: int) -> np.ndarray:
    return np.random.default_rng(1).beta(a, b, size=640)[:count]


def ours(values: np.ndarray) -> tuple[float, float]:
    one = Betting(values, np.full(len(values), 1 / len(values)), 0.0, 1.0, 2000)
    return one.low(LEVEL), one.high(LEVEL)


@pytest.mark.parametrize(("a", "b", "count"), CONFSEQ)
def test_bets_are_as_narrow_as_those_of_the_package_confseq(a, b, count):
    (low, high), theirs = ours(beta_values(a, b, count)), CONFSEQ[a, b, count]
    widths = {name: most - least for name, (least, most) in theirs.items()}
    assert low <= a / (a + b) <= high
    assert high - low < 0.9 * widths["bernstein"] or count == 640
    assert high - low < 1.02 * widths["bernstein"]
    assert high - low < 1.15 * widths["hedged"]
    # The same construction with other bets: ours are fixed by the most prompts there will be.
    assert 0.9 * widths["averaged"] < high - low < 1.06 * widths["averaged"]
    for end, beside in zip((low, high), theirs["averaged"], strict=True):
        assert abs(end - beside) < 0.1 * widths["averaged"]


def test_what_confseq_was_asked_is_what_is_asked_here():
    """The hedged capital, written down here as its equation stands: the recorded ends are those of these values, to the
    step of the package's grid."""
    for (a, b, count), theirs in CONFSEQ.items():
        assert _hedged(beta_values(a, b, count)) == pytest.approx(theirs["hedged"], abs=1e-3)


def _hedged(values: np.ndarray, alpha: float = 2 * LEVEL) -> tuple[float, float]:
    """Equation 26 of the paper, on a grid."""
    t = np.arange(1, len(values) + 1)
    means = (0.5 + np.cumsum(values)) / (t + 1)
    spreads = (0.25 + np.cumsum((values - means) ** 2)) / (t + 1)
    before = np.concatenate([[0.25], spreads[:-1]])
    bets = np.sqrt(2 * np.log(2 / alpha) / (before * t * np.log(t + 1)))
    grid = np.linspace(0.0005, 0.9995, 2000)[:, None]
    up = np.log1p(np.minimum(bets, 0.5 / grid) * (values - grid)).sum(axis=1)
    down = np.log1p(-np.minimum(bets, 0.5 / (1 - grid)) * (values - grid)).sum(axis=1)
    inside = grid[:, 0][np.maximum(up, down) + math.log(0.5) < math.log(1 / alpha)]
    return float(inside.min()), float(inside.max())


# --- means of any size -------------------------------------------------------------------------------


@pytest.mark.parametrize("bounds", RANGES)
def test_a_course_that_ends_is_narrower_than_one_without_end(bounds):
    """Beside the asymptotic confidence sequence of Waudby-Smith et al. (2024), equation 10 with the rho of their
    appendix (the narrowest at the first look), in standard errors of the mean."""
    first, most = bounds
    z = -float(special.ndtri(Course(Looks.between(first, most).counts).each(LEVEL)))
    alpha = 2 * LEVEL
    rho = math.sqrt((-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / first)
    for count in Looks.between(first, most).counts:
        endless = math.sqrt((count * rho**2 + 1) / (count * rho**2) * math.log((count * rho**2 + 1) / alpha**2))
        assert z < endless


@pytest.mark.parametrize("estimand", ["mean", "ratio", "share", "bounded"])
def test_the_truth_seldom_ever_leaves_the_interval(estimand):
    """1,000 courses from 20 prompts to 120 in two templates; the interval is looked at by its two p-values. By chance
    alone 5% would come out as 7.5% once in three thousand."""
    rng, looks, samples = np.random.default_rng(7), Looks.between(20, 120, 2), 1000
    units = {count: in_templates(count, 2) for count in looks.counts}
    made = [_made(estimand, rng) for _ in range(samples)]
    left = 0
    for columns, figure, truth in made:
        for count in looks.counts:
            part = weighed(*(each[:count] for each in columns), units=units[count], estimand=figure)
            evidence = replace(part, looks=looks).evidence()
            assert evidence is not None
            if min(evidence.above(truth), evidence.below(truth)) <= LEVEL:
                left += 1
                break
    assert left <= (0.05 + 0.025) * samples
    assert left > 0 or estimand == "bounded"


def _made(estimand: str, rng: np.random.Generator):
    template = np.arange(120) % 2
    if estimand == "mean":
        return [template + rng.exponential(size=120)], average(), 1.5
    if estimand == "ratio":
        clean = 4 + template + rng.normal(size=120)
        return [0.7 * clean + rng.normal(size=120), clean], relative_change(), -0.3
    if estimand == "share":
        return [(rng.random(120) < 0.85 + 0.1 * template).astype(float)], proportion(), 0.9
    return [rng.beta(8, 2, size=120)], average(limits=(0.0, 1.0)), 0.8


# --- what has no sequence ----------------------------------------------------------------------------


LOOKS = Looks.between(20, 160)


def _at(units: Units, **fields) -> Looks:
    return replace(weighed(np.ones(len(units.unit)), units=units, **fields), looks=LOOKS).claimed.looks


def test_bounded_figures_are_bet_on_from_turn_to_turn():
    bounded = average(limits=(0.0, 1.0))
    assert _at(in_templates(40, 4), estimand=bounded) == LOOKS
    assert _at(in_templates(40, 30), estimand=bounded) == LOOKS.seldom  # twenty prompts are no turn
    assert _at(in_templates(40, 30)) == LOOKS
    grouped = units_of([Origin("t", place, str(place % 4)) for place in range(40)], {})
    named = units_of([Origin("t", place, named=True) for place in range(40)], {})
    copied = units_of([Origin("t", place % 10) for place in range(40)], {})
    of_a_file = units_of([Origin("t", place) for place in range(40)], {"t": 1.0})
    for units in (grouped, named, copied, of_a_file):
        assert _at(units, estimand=bounded) == LOOKS.seldom
        assert _at(units) == LOOKS


def test_which_looks_are_used_does_not_change_when_prompts_follow():
    later = units_of([Origin(str(place % 2), place if place < 30 else 0) for place in range(60)], {})
    assert (later.turns.templates, later.turns.whole, later.turns.alone) == (2, 60, 30)
    assert _at(later, estimand=average(limits=(0.0, 1.0))) == LOOKS
    uneven = units_of([Origin("ab"[place % 2] if place < 40 else "a", place) for place in range(60)], {})
    assert uneven.turns.whole == 40


def test_only_whole_turns_count_for_a_share():
    values = np.concatenate([np.ones(40), np.zeros(1)])
    one = replace(weighed(values, units=in_templates(41, 4), estimand=proportion()), looks=LOOKS).claimed.evidence()
    assert isinstance(one, Looked) and one.value == 1.0
    assert isinstance(one.together, Course) and all(count % 4 == 0 for count in one.together.counts)


def test_figures_without_a_sequence_pay_for_each_look():
    values = np.random.default_rng(0).beta(8, 2, size=40)
    units = units_of([Origin("t", place) for place in range(40)], {"t": 1.0})
    once = weighed(values, units=units, estimand=average(limits=(0.0, 1.0)))
    again = replace(once, looks=LOOKS).claimed
    alone, paid = once.evidence(), again.evidence()
    assert alone is not None and paid is not None
    assert paid.above(0.7) == pytest.approx(4 * alone.above(0.7))  # 20, 40, 80 and 160 prompts


@pytest.mark.parametrize("bounds", [(20, 160), (20, 25), (200, 250), (20, 26)])
def test_what_has_no_sequence_is_never_bet_on_from_turn_to_turn(bounds):
    """Also where all looks are few: twenty prompts of ten lines are ten units, as a claim or beside one."""
    units = units_of([Origin("t", place % 10) for place in range(40)], {})
    values = np.tile(np.random.default_rng(3).beta(8, 2, size=10), 4)
    once = weighed(values, units=units, estimand=average(limits=(0.0, 1.0)))
    claimed = replace(once, looks=Looks.between(*bounds)).claimed
    beside = replace(once, looks=claimed.looks)
    alone = once.evidence()
    assert alone is not None
    for evidence in (claimed.evidence(), beside.evidence()):
        assert evidence is not None and evidence.low(LEVEL) < alone.low(LEVEL)


def test_first_prompts_of_fewer_than_all_templates_have_no_sequence():
    values = np.random.default_rng(3).beta(8, 2, size=20)
    for estimand in (average(limits=(0.0, 1.0)), proportion()):
        one = weighed(np.round(values), units=in_templates(20, 30), estimand=estimand)
        claimed = replace(one, looks=Looks.between(20, 400)).claimed
        assert claimed.looks.counts == (20, 40, 80, 160, 320, 400)
        assert replace(one, looks=claimed.looks).evidence() is not None


def test_what_stands_beside_a_claim_pays_for_every_look_of_the_claim():
    units = units_of([Origin("t", place) for place in range(40)], {"t": 1.0})
    one = weighed(np.random.default_rng(0).beta(8, 2, size=40), units=units, estimand=average(limits=(0.0, 1.0)))
    many = Looks.between(20, 160)
    beside, alone = replace(one, looks=many).evidence(), one.evidence()
    assert beside is not None and alone is not None
    assert beside.above(0.7) == pytest.approx(len(many.counts) * alone.above(0.7))


def test_prompts_whose_templates_come_at_random_are_all_counted():
    template = np.random.default_rng(1).integers(0, 3, size=60).tolist()
    units = units_of([Origin(str(each), place) for place, each in enumerate(template)], {})
    assert _at(units, estimand=average(limits=(0.0, 1.0))) == LOOKS.seldom


def test_one_number_of_prompts_is_judged_as_ever():
    values = np.random.default_rng(0).beta(8, 2, size=40)
    for estimand in (average(), average(limits=(0.0, 1.0))):
        one = weighed(values, estimand=estimand)
        assert one.looks == ONCE
        evidence = one.evidence()
        assert isinstance(evidence, Student | Betting)
    assert isinstance(weighed(np.ones(40), estimand=proportion()).evidence(), Binomial)


def test_a_chosen_half_of_the_prompts_has_no_turns():
    units = in_templates(40, 2)
    assert units.part(np.arange(40) % 2 == 1).turns.templates == 0
    assert column(0).range is None


@pytest.mark.parametrize(("first", "most"), [(20, 200), (200, 800)])
def test_what_was_chosen_by_the_first_prompts_is_a_walk_over_the_others(first, most):
    """Half of the first look chooses, so that the second look has many times the prompts of the first, not twice."""
    looks, values = Looks.between(first, most), np.random.default_rng(first).normal(1.0, 1.0, first)
    chosen = Mean(Contrast(((0, 1.0),), chosen=first // 2))
    p = replace(weighed(values, estimand=chosen), looks=looks).evidence_of(chosen)
    alone = weighed(values[first // 2 :]).evidence()
    assert p is not None and alone is not None
    later = [count - first // 2 for count in looks.counts]
    for bound in (-0.2, 0.2):
        z = -float(special.ndtri(alone.above(bound)))
        assert p.above(bound) == pytest.approx(crossing(z, later), rel=0.02)
        assert p.above(bound) > Course(looks.counts).over(alone.above(bound))

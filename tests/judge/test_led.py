"""The largest of several figures, some of which are measured on all prompts and the others on few."""

from __future__ import annotations

import numpy as np
import pytest
from weighing import DATA, in_templates

from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.evidence import Evidence
from circuitdsl.judge.looks import ONCE, Looks
from circuitdsl.judge.verdicts import interval, judge, left_open, p_value
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.circuit import Bound
from circuitdsl.measures.estimands import (
    Contrast,
    Folded,
    Largest,
    Led,
    Limits,
    Mean,
    Ratio,
    column,
    is_share_of_metric,
)
from circuitdsl.measures.few import EARLY, quarter_of
from circuitdsl.measures.measurement import Array, Measurement, Sample

PROMPTS, FEW, SETS = 60, 15, 5
ADDS = (0.05, 0.048, 0.03, 0.01, 0.0)


def adds(offset: int, place: int, limits: Limits | None = None) -> Folded:
    """What is added, of columns F, without both, without one."""
    return Folded(Ratio(Contrast(((offset + place, 1.0), (offset + place + 1, -1.0)), limits), column(offset, limits)))


def drawn(seed: int, sizes: tuple[float, ...] = ADDS, noise: float = 0.3) -> Array:
    """F around 5, and for each set what is left without both, and without one."""
    draw = np.random.default_rng(seed)
    pairs = [draw.normal(3 - 5 * size * left, noise, PROMPTS) for size in sizes for left in (1, 0)]
    return np.stack([draw.normal(5, 0.5, PROMPTS), *pairs], axis=1)


def both(columns: Array, looks: Looks | None = None) -> tuple[Weighed, Weighed]:
    """All sets on all prompts; and led by the one that is largest on few."""
    whole = Largest(tuple(adds(0, 1 + 2 * k) for k in range(SETS)))
    means = columns[:FEW].mean(axis=0)
    best = int(np.argmax([float(each.value(means)) for each in whole.of]))
    own = columns[:, [0, 1 + 2 * best, 2 + 2 * best]]
    others = tuple(adds(3, 1 + 2 * k) for k in range(SETS) if k != best)
    led = Measurement((Sample(DATA, own), Sample(DATA, columns[:FEW])), Led((adds(0, 1),), others, (best,), 0.5))

    def weighed(of: Measurement) -> Weighed:
        found = Weighed.of(of, lambda sample: in_templates(len(sample.columns), 5))
        return found if looks is None else Weighed(of, found.units, looks=looks)

    return weighed(Measurement((Sample(DATA, columns),), whole)), weighed(led)


@pytest.mark.parametrize("looks", [None, Looks((60, 71, 85, 101, 120))])
@pytest.mark.parametrize("bound", [Bound(">=", low=0.01), Bound(">", low=0.015), Bound(">=", low=0.05)])
def test_what_holds_by_the_leader_holds_by_all_on_all_prompts(bound: Bound, looks: Looks | None):
    held = 0
    for seed in range(40):
        whole, led = both(drawn(seed), looks)
        ours, theirs = p_value(led, bound), p_value(whole, bound)
        assert ours is not None and theirs is not None
        assert ours >= theirs - 1e-12
        if judge(led, bound, 0.95).verdict is Verdict.HOLDS:
            held += 1
            assert judge(whole, bound, 0.95).verdict is Verdict.HOLDS
    assert (held > 0) == (bound.low != 0.05)


def test_intervals_of_what_is_led_hold_the_largest():
    """Either side may be missed in 2.5% of 200 samples; more than 13 of 200 have p < 0.001."""
    above = below = 0
    for seed in range(200):
        whole, led = both(drawn(seed))
        evidence, of_all = led.evidence(), whole.evidence()
        assert evidence is not None and of_all is not None
        ends, all_ends = interval(evidence, 0.95), interval(of_all, 0.95)
        assert ends.low is not None and ends.value is not None and ends.high is not None and all_ends.low is not None
        assert ends.low - 1e-9 <= ends.value <= ends.high + 1e-9
        assert ends.low <= all_ends.low + 1e-9
        above, below = above + (ends.low > ADDS[0]), below + (ends.high < ADDS[0])
    assert above <= 13
    assert below <= 13


def test_one_that_few_prompts_leave_open_keeps_the_upper_end_open():
    """A rival whose size is not known of few prompts may be the largest."""
    columns = drawn(0)
    columns[:FEW, 9:11] += np.random.default_rng(1).normal(0, 3, (FEW, 2))
    whole, led = both(columns)
    evidence, of_all = led.evidence(), whole.evidence()
    assert evidence is not None and of_all is not None
    assert evidence.high(0.025) > 2 * of_all.high(0.025)
    assert evidence.below(of_all.high(0.025)) > 0.025


def test_what_is_led_is_a_share_of_the_metric_and_counts_the_prompts_of_its_leader():
    _, led = both(drawn(0))
    assert is_share_of_metric(led.measurement.estimand)
    assert led.measurement.prompts == PROMPTS
    assert led.value == pytest.approx(float(led.measurement.estimand.value(led.means)))


# --- sets that stop by themselves --------------------------------------------------------------------

MANY = 200
GAPS = (1.0, 0.97, 0.6, 0.2, 0.0)
AT_THE_TRUTH = Bound("<=", high=1.0 - 1e-9)


def gap(place: int, offset: int = 0) -> Folded:
    return Folded(Mean(Contrast(((offset + 2 * place, 1.0), (offset + 2 * place + 1, -1.0)))))


def stopping(columns: Array, bound: Bound, looks: Looks = ONCE) -> Weighed:
    """The largest of several gaps, of which those stop that a quarter of the prompts shows to be within a bound, but
    the largest."""

    def weighed(of: Measurement, looks: Looks = ONCE) -> Weighed:
        return Weighed.of(of, lambda sample: in_templates(len(sample.columns), 5), looks=looks)

    first, sets = columns[: len(columns) // 4], range(columns.shape[1] // 2)
    few = Measurement((Sample(DATA, first),), Largest(tuple(map(gap, sets))))
    largest = int(np.argmax([float(gap(k).value(first.mean(axis=0))) for k in sets]))
    going = sorted({largest, *left_open(weighed(few), bound, EARLY * 0.05)})
    own = columns[:, [column for k in going for column in (2 * k, 2 * k + 1)]]
    others = tuple(gap(k, own.shape[1]) for k in sets if k not in going)
    estimand = Led(tuple(map(gap, range(len(going)))), others, tuple(going), EARLY, stopped=True)
    return weighed(Measurement((Sample(DATA, own), *(few.samples if others else ())), estimand), looks)


def gaps_drawn(seed: int) -> Array:
    draw = np.random.default_rng([7, seed])
    return np.stack([draw.normal(3 + sign * size / 2, 0.3, MANY) for size in GAPS for sign in (1, -1)], axis=1)


def test_with_the_bound_at_the_largest_of_sets_that_stop_verdicts_are_wrong_as_seldom_as_is_said():
    """Either side in 2.5% of 300 samples; more than 17 of 300 have p < 0.001."""
    held = missed = stopped = 0
    for seed in range(300):
        weighed = stopping(gaps_drawn(seed), AT_THE_TRUTH)
        evidence, estimand = weighed.evidence(), weighed.measurement.estimand
        assert evidence is not None and isinstance(estimand, Led)
        ends = interval(evidence, 0.95)
        assert ends.low is not None and ends.value is not None and ends.high is not None
        assert ends.low <= ends.value <= ends.high
        verdict = judge(weighed, AT_THE_TRUTH, 0.95).verdict
        assert (verdict is Verdict.HOLDS) is (ends.high < 1.0)
        held, missed = held + (verdict is Verdict.HOLDS), missed + (ends.low > GAPS[0])
        stopped += len(estimand.others)
    assert held <= 17
    assert missed <= 17
    assert stopped > 300


def test_of_several_leaders_the_largest_on_their_prompts_is_the_figure():
    found = stopping(gaps_drawn(0), AT_THE_TRUTH)
    estimand = found.measurement.estimand
    assert isinstance(estimand, Led) and len(estimand.leaders) > 1
    assert found.measurement.prompts == MANY
    each = [float(leader.value(found.means)) for leader in estimand.leaders]
    assert found.value == max(each)
    assert found.claimed.measurement.estimand.moved(0, 4) == estimand


RARE = [(60, 0.1, 14), (60, 0.2, 14), (MANY, 0.05, 33), (MANY, 0.1, 14), (MANY, 0.2, 14)]


@pytest.mark.parametrize(("prompts", "share", "most"), RARE)
def test_a_gap_that_few_prompts_have_is_seldom_taken_for_none(prompts: int, share: float, most: int):
    """The largest gap is that of few prompts, another of half its size is that of all. So many of 300 hold wrongly by
    what all prompts say of all sets, too: 2.5%, and more than 14 have p < 0.02. A gap that is on 5% of 200 prompts is
    missed in 7%, as docs/methods.md says. If 15 of 60 prompts could stop a set, 47 of 300 would hold."""
    held, stopped = held_wrongly(prompts, share, 300)
    assert held <= most
    assert (stopped > 0) is (quarter_of(prompts) > 0)


def held_wrongly(prompts: int, share: float, samples: int) -> tuple[int, int]:
    """How often the largest of three gaps, which this share of prompts has, holds at most just less than it is; and how
    many sets stopped."""
    draw, held, stopped = np.random.default_rng(1), 0, 0
    for _ in range(samples):
        rare = np.where(draw.random(prompts) < share, 1 / share, 0) + draw.normal(0, 0.05, prompts)
        still = np.zeros(prompts)
        columns = np.stack([rare, still, draw.normal(0.5, 0.1, prompts), still, still, still], axis=1)
        weighed = stopping(columns, AT_THE_TRUTH)
        assert isinstance(weighed.measurement.estimand, Led)
        held += judge(weighed, AT_THE_TRUTH, 0.95).verdict is Verdict.HOLDS
        stopped += len(weighed.measurement.estimand.others)
    return held, stopped


def test_where_nothing_stops_few_prompts_are_no_part_of_what_is_judged():
    """These have too few units for anything to be decided by them."""
    found = stopping(gaps_drawn(0)[:28], Bound("<=", high=100.0))
    assert len(found.units) == 1
    assert judge(found, Bound("<=", high=100.0), 0.95).verdict is Verdict.HOLDS


def test_of_a_sequence_of_looks_a_set_that_stopped_had_one():
    bound = Bound("<=", high=3.0)
    columns = gaps_drawn(0)
    columns[:50, -2:] += np.random.default_rng(2).normal(0, 2, (50, 2))  # of which the least is known
    once, looks = (stopping(columns, bound, looks).evidence() for looks in (ONCE, Looks((MANY, 250, 300, 350, 400))))
    assert once is not None and looks is not None
    assert looks.high(0.025) == once.high(0.025) > 1.5
    assert looks.low(0.025) < once.low(0.025)


def test_against_a_far_bound_an_interval_rests_on_few_prompts_where_gaps_are_alike():
    """Three times as wide, as docs/methods.md says, of gaps whose few largest prompts weigh; it has the truth."""
    draw, sizes, widths, missed = np.random.default_rng(3), (1.0, 0.95, 0.9, 0.8, 0.5), [], 0
    for _ in range(60):
        pairs = [(size * draw.exponential(size=MANY), np.zeros(MANY)) for size in sizes]
        columns = np.stack([column for pair in pairs for column in pair], axis=1)
        ends = [interval(each, 0.95) for each in far_and_near(columns)]
        widths.append([each.high - each.low for each in ends if each.high is not None and each.low is not None])
        missed += not (ends[0].low or 0.0) <= 1.0 <= (ends[0].high or 0.0)
    far, near = np.mean(widths, axis=0)
    assert missed <= 5
    assert 2 < far / near < 4


def far_and_near(columns: Array) -> list[Evidence]:
    """With a bound from which all but the largest stop, and with one from which none does."""
    found = [stopping(columns, Bound("<=", high=high)) for high in (20.0, -1.0)]
    led = [each.measurement.estimand for each in found]
    assert [len(each.others) for each in led if isinstance(each, Led)] == [4, 0]
    return [evidence for each in found if (evidence := each.evidence()) is not None]

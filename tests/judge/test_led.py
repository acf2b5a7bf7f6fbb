"""The largest of several figures, one of which is measured on all prompts and the others on few."""

from __future__ import annotations

import numpy as np
import pytest
from weighing import DATA, in_templates

from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.looks import Looks
from circuitdsl.judge.verdicts import interval, judge, p_value
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.circuit import Bound
from circuitdsl.measures.estimands import Contrast, Folded, Largest, Led, Limits, Ratio, column, is_share_of_metric
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
    led = Measurement((Sample(DATA, own), Sample(DATA, columns[:FEW])), Led(adds(0, 1), others, best))

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

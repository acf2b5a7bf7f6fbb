"""Figures of the same prompts in two reports: a change is said as seldom as promised, and small ones are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.drift import (
    DATA,
    KINDS,
    LARGEST,
    PROMPTS,
    SHARE,
    SIZE,
    digests,
    moved,
    noisy,
    standing,
    told,
    units,
    weighed,
)
from circuitdsl.judge.drift import apart
from circuitdsl.judge.looks import ONCE, Looks
from circuitdsl.judge.paired import difference, singles
from circuitdsl.judge.singles import MOST, Singles
from circuitdsl.judge.verdicts import estimated
from circuitdsl.judge.weigh import Weighed
from circuitdsl.measures.estimands import Contrast, Dependence, Estimand, Folded, Largest, Led, Mean, column
from circuitdsl.measures.measurement import Array, Measurement, Sample
from circuitdsl.models.listing import listed
from circuitdsl.outcome import PanelColumn
from circuitdsl.outcome.drift import MARGIN, Recorded, Standing, drifted
from circuitdsl.outcome.panel import panel_of

LEVEL = 0.0025


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_changed_it_is_said_no_more_often_than_promised(kind: str):
    """Of 400 pairs one in the mean, at this level; more than four are drawn once in 270 times."""
    draw, estimand, looks = KINDS[kind]
    rng = np.random.default_rng(0)
    assert sum(moved(*draw(rng), estimand, looks, LEVEL) for _ in range(400)) <= 4


# --- something did ---------------------------------------------------------------------------------


@pytest.mark.parametrize("estimand", [Mean(column(0)), SHARE, LARGEST, SIZE])
def test_a_change_that_two_intervals_do_not_tell_is_found(estimand: Estimand):
    rng = np.random.default_rng(1)
    old = rng.normal((2, 4, 1), 1, (PROMPTS, 3))
    new = old + rng.normal((0.4, 0.3, 0) if estimand is LARGEST else (0.4, 0, 0), 0.1, (PROMPTS, 3))
    both = [(estimated(weighed(columns, estimand), 0.95), 0.95) for columns in (old, new)]
    assert not apart(both, LEVEL) and moved(old, new, estimand)


def test_of_a_small_figure_intervals_tell_what_the_margin_hides():
    rng = np.random.default_rng(7)
    columns = rng.normal(0.001, 0.0005, (PROMPTS, 1))
    old, nudged, other = (
        Recorded({}, {}, {"c:f": standing(some, Mean(column(0)), ONCE)})
        for some in (columns, columns + 0.00001, columns + 0.005)
    )
    (hardly,), (much,) = drifted(old, nudged).claims, drifted(old, other).claims
    assert hardly.difference is not None and (hardly.difference.low or 0) > 0 and not hardly.moved
    assert much.difference is not None and (much.difference.high or 0) < MARGIN and much.moved


def test_the_weighted_mean_of_what_prompts_tell_is_the_figure():
    rng = np.random.default_rng(2)
    columns = rng.normal((2, 4, 1), 1, (PROMPTS, 3))
    for estimand in (Mean(column(0)), SHARE, Folded(Mean(column(2))), LARGEST):
        found = told(columns, estimand)
        mean = float(np.array(found.prompts.weights) @ np.array(found.values))
        assert mean == pytest.approx(float(estimand.value(columns.mean(axis=0))), rel=0.01)
    assert (told(columns, LARGEST).several, told(columns, LARGEST).taken) == (3, 1)


def test_of_what_the_first_prompts_chose_the_others_are_kept():
    """However many chose it: 600 of 1,200, of which a report keeps 512."""
    columns = np.random.default_rng(4).normal(1, 1, (1200, 1))
    found = told(columns, Mean(Contrast(((0, 1.0),), chosen=600)))
    assert found.values.tolist() == pytest.approx(columns[600 : 600 + MOST, 0].tolist(), rel=1e-6)
    assert len(found.prompts.digests) == MOST
    change = difference(found, found, LEVEL)
    assert change is not None and change.low == change.high == 0


def test_a_report_on_more_prompts_is_compared_on_those_that_both_have():
    rng = np.random.default_rng(3)
    columns = rng.normal(1, 1, (2 * MOST, 1))
    looks = Looks((PROMPTS, 2 * PROMPTS, 2 * MOST))
    few, many = told(columns[:PROMPTS], Mean(column(0)), looks), told(columns, Mean(column(0)), looks)
    assert (len(many.values), len(many.prompts.digests), many.looks) == (MOST, MOST, (PROMPTS, 2 * PROMPTS, MOST))
    found = difference(few, many, LEVEL)
    assert found is not None and (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_looks_and_what_a_figure_needs_widen_the_interval():
    rng = np.random.default_rng(4)
    old, new = noisy(rng)
    looks = Looks((PROMPTS // 2, PROMPTS))
    once, again = (
        difference(told(old, Mean(column(0)), at), told(new, Mean(column(0)), at), LEVEL) for at in (ONCE, looks)
    )
    assert once is not None and again is not None and once.high is not None and again.high is not None
    assert again.high > once.high
    hardly = np.hstack([old, rng.normal(0.1, 2, (PROMPTS, 1))])  # a share of what may be zero
    open_one = difference(told(hardly, SHARE), told(hardly, SHARE), LEVEL)
    assert open_one is not None and open_one.unbounded


def test_the_largest_is_paired_with_itself_alone():
    rng = np.random.default_rng(6)
    columns = rng.normal((2, 4, 1), 0.1, (PROMPTS, 3))
    first, other = (told(columns[:, order], LARGEST) for order in ([0, 1, 2], [1, 0, 2]))
    assert difference(first, first, LEVEL) is not None and difference(first, other, LEVEL) is None
    nested = Largest((Mean(column(0)), Largest((Mean(column(2)), Mean(column(1))))))
    assert (told(columns, nested).several, told(columns, nested).taken) == (3, 2)


def led(columns: Array, place: int) -> Singles | None:
    """Three means, of which the one of this place is measured on all prompts and the others on 15."""
    others = tuple(Mean(column(1 + other)) for other in range(3) if other != place)
    samples = Sample(DATA, columns[:, [place]]), Sample(DATA, columns[:15])
    measured = Measurement(samples, Led((Mean(column(0)),), others, (place,), early=0.5))
    return singles(Weighed.of(measured, lambda of: units(len(of.columns))), digests(PROMPTS))


def test_the_largest_that_is_led_is_paired_by_its_leader():
    rng = np.random.default_rng(8)
    columns = rng.normal((2, 4, 1), 1, (PROMPTS, 3))
    old, new, other = led(columns, 1), led(columns + rng.normal(0.4, 0.1, (PROMPTS, 3)), 1), led(columns, 0)
    assert old is not None and new is not None and other is not None
    assert (old.several, old.taken) == (3, 1) and old.ends is not None
    assert np.mean(old.values) == pytest.approx(columns[:, 1].mean())
    change = difference(old, new, LEVEL)
    assert change is not None and change.low is not None and change.low > 0
    assert difference(old, told(columns, LARGEST), LEVEL) is not None  # as where all were measured on all prompts
    assert difference(old, other, LEVEL) is None


def test_what_cannot_be_paired():
    rng = np.random.default_rng(5)
    columns = rng.normal(1, 1, (PROMPTS, 2))
    known = told(columns, SHARE)
    others = singles(weighed(columns, SHARE), digests(PROMPTS, 1))
    assert others is not None and difference(known, others, LEVEL) is None
    pairs = replace(known.prompts, units=tuple(place // 2 for place in range(PROMPTS)), strata=(0,) * (PROMPTS // 2))
    apart_again = replace(pairs, units=tuple(place % (PROMPTS // 2) for place in range(PROMPTS)))
    in_pairs, in_others = (replace(known, prompts=prompts) for prompts in (pairs, apart_again))
    assert difference(in_pairs, in_pairs, LEVEL) is not None and difference(in_pairs, in_others, LEVEL) is None
    one_stratum = replace(known, prompts=replace(known.prompts, strata=(0,) * len(known.prompts.strata)))
    assert difference(known, one_stratum, LEVEL) is None
    few = told(columns[:6], Mean(column(0)))
    assert difference(few, few, LEVEL) is None
    assert singles(weighed(columns, Dependence(column(0), column(1))), digests(PROMPTS)) is None
    samples = (Sample(DATA, columns), Sample(DATA, columns))
    of_two = Weighed.of(Measurement(samples, Mean(column(0))), lambda of: units(len(of.columns)))
    assert singles(of_two, digests(PROMPTS)) is None


def test_a_panel_tells_a_change_by_its_prompts_between_any_two_models():
    """Of the middle one of three, which the intervals do not tell."""
    rng = np.random.default_rng(1)
    still = rng.normal((2, 4, 1), 1, (PROMPTS, 3))
    middle = still + rng.normal((0.4, 0, 0), 0.1, (PROMPTS, 3))
    estimand = Mean(column(0))
    (same, changed) = (
        panel_of([_column(label, standing(of, estimand, ONCE)) for label, of in zip("abc", models, strict=True)], {})
        for models in ((still, still, still), (still, middle, still))
    )
    assert not apart([each.interval for each in changed.claims[0].standings if each], LEVEL)
    assert changed.claims[0].moved and not same.claims[0].moved


def _column(label: str, standing: Standing) -> PanelColumn:
    return PanelColumn(listed(label), Recorded({}, {}, {standing.id: standing}))

"""What is surely within the floor, on few prompts: said rightly as often as it says, and where F is not yet told."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from circuitdsl.draft.entry import Nothing
from circuitdsl.judge.race import MISS, within
from circuitdsl.judge.units import Origin, Units, units_of
from circuitdsl.judge.verdicts import estimated
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.estimands import Estimand, Mean, column, relative_change
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import Measurement, Sample

FLOOR, FEW, ALL, LOOKS = 0.01, 15, 60, 3


@cache
def units(count: int) -> Units:
    """Independent prompts of one template."""
    return units_of([Origin("one", number) for number in range(count)], {})


def weighed(estimand: Estimand, *columns: np.ndarray) -> Weighed:
    sample = Sample(Data(TaskRef("ioi"), 0, False), np.stack(columns, axis=1))
    return Weighed(Measurement((sample,), estimand), (units(len(sample.columns)),))


def effect(change: np.ndarray, metric: np.ndarray) -> Weighed:
    return weighed(relative_change(), metric + change, metric)


def least(metric: np.ndarray) -> float:
    """The lower end of the metric's interval."""
    return estimated(weighed(Mean(column(0)), metric), 0.95).low or 0.0


@pytest.mark.parametrize("noise", ["normal", "skewed", "heavy"])
@pytest.mark.parametrize("spread", [0.2, 2.0])
def test_what_reaches_the_floor_is_settled_no_more_often_than_is_said(noise: str, spread: float):
    """Effects at the floor itself, whose changes are spread by so many times the floor; three looks at each."""
    rng = np.random.default_rng(0)
    draws = {
        "normal": lambda: rng.normal(0, 1, ALL),
        "skewed": lambda: rng.exponential(1, ALL) - 1,
        "heavy": lambda: rng.standard_t(3, ALL) / np.sqrt(3),
    }
    times, lost = 800, 0
    for _ in range(times):
        metric = rng.normal(3, 3, ALL)
        change = FLOOR * 3 * (1 + spread * draws[noise]())
        nothing = Nothing(FLOOR * least(metric), LOOKS)
        lost += any(nothing(effect(change[:count], metric[:count])) for count in (FEW, 2 * FEW, ALL))
    assert lost / times <= MISS + 0.02


def test_few_prompts_settle_what_does_nothing_where_they_do_not_tell_the_metric_from_zero():
    rng = np.random.default_rng(3)
    metric = rng.normal(3, 5, ALL)
    tiny = effect(rng.normal(0, 0.003, FEW), metric[:FEW])
    assert not within(tiny, FLOOR, LOOKS), "as a share of the metric on the same prompts nothing can be said of it"
    assert Nothing(FLOOR * least(metric), LOOKS)(tiny)


def test_nothing_is_settled_where_the_metric_may_be_zero_or_prompts_are_too_few():
    tiny = effect(np.full(FEW, 1e-6), np.ones(FEW))
    assert Nothing(FLOOR, LOOKS)(tiny)
    assert not Nothing(0.0, LOOKS)(tiny) and not Nothing(-1.0, LOOKS)(tiny)
    assert not Nothing(FLOOR, LOOKS)(effect(np.full(7, 1e-6), np.ones(7)))

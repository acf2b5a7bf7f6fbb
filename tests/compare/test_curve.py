"""The overlap curve: exact on effects written by hand, and true on models whose heads are known."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from circuitdsl.compare.curve import (
    Effects,
    arises,
    ceiling,
    correlation,
    curve,
    entry,
    mean_changes,
    overlaps,
    resampled,
)
from circuitdsl.components import Head
from circuitdsl.judge.bootstrap import Bootstrap
from circuitdsl.judge.units import Origin, Units, units_of
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import CannotMeasure, Sample
from circuitdsl.measures.ranks import spearman
from samples import known

torch.set_num_threads(1)


def one_template(sample: Sample) -> Units:
    """Independent prompts, all of one template."""
    return units_of([Origin("one", i) for i in range(len(sample.columns))], {})


LEFT, RIGHT = Data(TaskRef("left"), 0, False), Data(TaskRef("right"), 0, False)
HEADS = tuple(Head(layer, index) for layer in range(2) for index in range(3))
BOOTSTRAP = Bootstrap(one_template)


def constant(data: Data, *stages: list[float]) -> Effects:
    """The same effects on all of ten prompts."""
    return Effects(data, tuple(map(str, range(len(stages)))), np.tile(np.array(stages), (10, 1, 1)))


def drawn(left: Effects, right: Effects, quoted: float | None = None):
    return curve("direct", ("left", "right"), HEADS, left, right, BOOTSTRAP, 0.95, 3, quoted)


def scipys_correlation(left: Sequence[float] | np.ndarray, right: Sequence[float] | np.ndarray) -> float:
    found: Any = spearmanr(left, right)  # SciPy does not declare what it gives
    return found.statistic


def test_a_curve_worked_by_hand():
    #                        0.0  0.1   0.2  1.0  1.1  1.2
    left = constant(LEFT, [[5.0, -4.0, 3.0, 0.0, 2.0, 1.0]][0])
    right = constant(RIGHT, [[1.0, -4.0, 3.0, 5.0, 0.0, 2.0]][0])
    found = drawn(left, right, quoted=0.67)
    assert [p.shared for p in found.points] == [0, 1, 2, 2, 4]  # five and no more: one head has no effect
    assert [p.overlap for p in found.points] == pytest.approx([0, 1 / 2, 2 / 3, 2 / 4, 4 / 5])
    assert [p.share for p in found.points] == pytest.approx([k / 6 for k in range(1, 6)])
    assert [p.least_left for p in found.points] == pytest.approx([5, 4, 3, 2, 1])
    # Three and three: 0.0 0.1 0.2 and 0.1 0.2 1.0. By chance 3 * 2 / 3 of the first layer, out of 3.
    assert found.points[2].chance == pytest.approx(2 / 3)
    assert found.points[2].p_value == pytest.approx(1.0)
    assert found.arises == (3, 5)  # two thirds, and again on the way from a half to four fifths
    assert all(p.ceiling == 1 and p.low == p.high == pytest.approx(p.overlap) for p in found.points)
    assert found.correlation.value == pytest.approx(scipys_correlation([5, 4, 3, 0, 2, 1], [1, 4, 3, 5, 0, 2]))


def test_stages_take_their_strongest_each():
    means = np.array([[9.0, 1.0, 0.0, 0.0], [0.0, 0.1, 0.3, 0.2]])
    assert entry(means).tolist() == [1, 2, 1, 2]
    found = overlaps(entry(means), np.array([1, 5, 5, 1]), 3)
    assert found.tolist() == pytest.approx([1 / 2, 1.0, 1.0])  # 0 2 against 0 3, then all of them against 0 3


def test_heads_without_any_effect_are_never_taken():
    assert entry(np.array([[0.0, 1.0, 1e-5, -2.0]])).tolist() == [5, 2, 5, 1]
    with pytest.raises(CannotMeasure, match="no head has an effect on right"):
        drawn(constant(LEFT, [1.0] * 6), constant(RIGHT, [0.0] * 6))


def test_where_a_quoted_share_arises():
    assert arises([0.0, 0.5, 0.78, 0.9, 0.95], 0.78) == (3,)  # it rounds to it; leaving it is no other crossing
    assert arises([0.0, 0.5, 0.9, 0.95], 0.78) == (3,)
    assert arises([0.9, 0.7, 0.9], 0.78) == (2, 3)
    assert arises([0.1, 0.2], 0.78) == ()


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_overlaps_are_those_of_sets(data):
    heads = data.draw(st.integers(1, 7))
    entries = st.lists(st.integers(1, heads + 1), min_size=heads, max_size=heads)
    left, right = (np.array(data.draw(entries)) for _ in range(2))
    for count, value in enumerate(overlaps(left, right, heads), start=1):
        ours, theirs = ({i for i, at in enumerate(each) if at <= count} for each in (left, right))
        smaller = min(len(ours), len(theirs))
        assert value == pytest.approx(len(ours & theirs) / smaller if smaller else 0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_rank_correlation_is_scipys(seed):
    generator = np.random.default_rng(seed)
    left, right = generator.integers(0, 5, size=(2, 3, 8)).astype(float)
    for row, value in enumerate(spearman(left, right)):
        if np.ptp(left[row]) and np.ptp(right[row]):
            assert value == pytest.approx(scipys_correlation(left[row], right[row]))
        else:
            assert np.isnan(value)


# --- the ceiling -----------------------------------------------------------------------------------


def test_a_circuit_that_never_varies_agrees_with_itself():
    effects = constant(LEFT, [5.0, 4.0, 3.0, 2.0, 1.0, 0.5])
    assert ceiling(entry(resampled(effects, BOOTSTRAP)), 5).tolist() == [1.0] * 5


def test_the_ceiling_by_enumeration():
    """Two heads, of which each of three prompts wants one: the top head of a resample is a vote of three draws."""
    changes = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.05]])[:, None]
    effects = Effects(LEFT, ("direct",), changes)
    # From three prompts two are drawn at a time (see Bootstrap), each draw any of the three.
    first = np.mean([changes[list(draw), 0].sum(axis=0).argmax() == 0 for draw in product(range(3), repeat=2)])
    truth = first**2 + (1 - first) ** 2
    draws = (Bootstrap(one_template, seed, replicates=200) for seed in range(30))
    found = np.mean([ceiling(entry(resampled(effects, each)), 1)[0] for each in draws])
    assert found == pytest.approx(truth, abs=0.03)  # against the prompts as they are it would be 0.44


def test_noise_agrees_with_itself_only_where_it_is_the_same_noise():
    generator = np.random.default_rng(1)
    left, right = (Effects(data, ("direct",), generator.normal(size=(40, 1, 60))) for data in (LEFT, RIGHT))
    heads = tuple(Head(layer, index) for layer in range(6) for index in range(10))
    found = curve("direct", ("left", "right"), heads, left, right, BOOTSTRAP, 0.95, 10)
    at = found.at(12)
    assert at.chance == pytest.approx(12 / 60, abs=0.1)
    assert at.overlap < at.ceiling < 0.9
    assert known(found.correlation.low) < 0 < known(found.correlation.high)


def test_p_values_of_unrelated_tasks_are_valid():
    """Strongest heads of independent noise: P(p <= a) is at most a (it is discrete), and not far below."""
    generator = np.random.default_rng(2)
    heads = tuple(Head(layer, index) for layer in range(3) for index in range(8))
    few = Bootstrap(one_template, replicates=4)
    p_values = []
    for _ in range(300):
        left, right = (Effects(data, ("direct",), generator.normal(size=(2, 1, 24))) for data in (LEFT, RIGHT))
        p_values.append(curve("direct", ("a", "b"), heads, left, right, few, 0.95, 8).at(10).p_value)
    for level in (0.05, 0.1, 0.25, 0.5):
        assert np.mean(np.array(p_values) <= level) <= level + 2.6 * np.sqrt(level * (1 - level) / len(p_values))
    assert np.mean(np.array(p_values) <= 0.5) > 0.15


def test_the_correlation_is_of_both_tasks_prompts():
    left, right = constant(LEFT, [1.0, 2.0, 3.0]), constant(RIGHT, [1.0, -2.0, 3.0])
    means, again = ([of(each, BOOTSTRAP) for each in (left, right)] for of in (mean_changes, resampled))
    found = correlation(means, again, 0.95)
    assert found.value == pytest.approx(1.0)

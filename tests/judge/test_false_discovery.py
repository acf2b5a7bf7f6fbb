"""The correction for a false discovery rate: known values, what it does not depend on, and that the rate is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from circuitdsl.judge.verdicts import false_discovery

P_VALUES = st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=30)

FIFTEEN = (
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
)
"""The example of Benjamini and Hochberg (1995), section 3.2: at 5% their rule rejects the first four."""


def by_hand(p_values: list[float]) -> list[float]:
    """The definition: the least over all larger ones of p times the number over the rank."""
    number = len(p_values)
    ranks = {place: rank for rank, place in enumerate(sorted(range(number), key=lambda i: p_values[i]), start=1)}
    raw = {place: p_values[place] * number / rank for place, rank in ranks.items()}
    return [
        min(1.0, *(raw[other] for other in range(number) if ranks[other] >= ranks[place]), 1.0)
        for place in range(number)
    ]


def test_of_the_published_example_the_first_four_are_rejected():
    adjusted = false_discovery(FIFTEEN)
    assert adjusted[0] == pytest.approx(0.0001 * 15)
    assert adjusted[3] == pytest.approx(0.0095 * 15 / 4)
    assert [p is not None and p <= 0.05 for p in adjusted] == [True] * 4 + [False] * 11


@given(P_VALUES)
def test_it_is_the_definition_and_keeps_what_is_not_there(p_values: list[float | None]):
    adjusted = false_discovery(p_values)
    assert [p is None for p in adjusted] == [p is None for p in p_values]
    known = [p for p in p_values if p is not None]
    assert [p for p in adjusted if p is not None] == pytest.approx(by_hand(known))


@given(P_VALUES, st.integers(0, 40))
def test_others_count_as_one(p_values: list[float | None], more: int):
    known = [p for p in p_values if p is not None]
    padded = false_discovery([*known, *[1.0] * more])[: len(known)]
    assert [p for p in false_discovery(p_values, len(known) + more) if p is not None] == pytest.approx(padded)


def test_among_correlated_tests_the_share_of_false_ones_is_kept():
    """Two-sided tests that are correlated both ways, as those of senders on the same prompts may be."""
    generator = np.random.default_rng(0)
    shares: list[float] = []
    for _ in range(2000):
        common = generator.normal(size=4)
        signs = generator.choice([-1.0, 1.0], (60, 4))
        z = (signs @ common + generator.normal(size=60)) / np.sqrt(5)
        z[:10] += 4.0  # these are true
        found = [p is not None and p <= 0.05 for p in false_discovery((2 * ndtr(-np.abs(z))).tolist())]
        shares.append(sum(found[10:]) / max(1, sum(found)))
    assert 0.01 < np.mean(shares) <= 0.05

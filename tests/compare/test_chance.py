"""Chance against enumeration, and its p-values on circuits that share nothing but chance."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from circuitdsl.compare.chance import chance, overlap_distribution


def enumerated(left: dict[int, int], right: dict[int, int], population: int) -> Counter[int]:
    """How many of all placements of the right circuit share k elements with one fixed left circuit."""
    layers = sorted(left.keys() | right.keys())
    fixed = {layer: set(range(left.get(layer, 0))) for layer in layers}
    placements = [list(combinations(range(population), right.get(layer, 0))) for layer in layers]
    return Counter(
        sum(len(fixed[layer] & set(drawn)) for layer, drawn in zip(layers, placement, strict=True))
        for placement in product(*placements)
    )


@settings(max_examples=60, deadline=None)
@given(
    population=st.integers(1, 5),
    data=st.data(),
)
def test_the_distribution_is_that_of_enumeration(population, data):
    counts = st.dictionaries(st.integers(0, 2), st.integers(0, population))
    left, right = data.draw(counts), data.draw(counts)
    seen = enumerated(left, right, population)
    total = seen.total()
    distribution = overlap_distribution(left, right, population)
    assert distribution.sum() == pytest.approx(1.0)
    for overlap, probability in enumerate(distribution):
        assert probability == pytest.approx(seen[overlap] / total, abs=1e-12)
    mean = sum(overlap * count for overlap, count in seen.items()) / total
    for observed in range(len(distribution)):
        found = chance(left, right, population, observed)
        assert found.expected == pytest.approx(mean)
        tail = sum(count for overlap, count in seen.items() if overlap >= observed) / total
        assert found.p_value == pytest.approx(tail, abs=1e-12)


def test_one_layer_worked_by_hand():
    # 3 of 4 heads against 2 of 4: 1 shared for sure; both shared in C(3,2) of the C(4,2) = 6 placements.
    found = chance({0: 3}, {0: 2}, population=4, observed=2)
    assert found.expected == pytest.approx(1.5)
    assert found.p_value == pytest.approx(comb(3, 2) / comb(4, 2))


def test_layers_that_only_one_circuit_uses_can_share_nothing():
    assert overlap_distribution({0: 2}, {1: 2}, population=8).tolist() == [1.0]


def test_p_values_of_unrelated_circuits_are_uniform():
    """Randomised p-values P(> observed) + u P(= observed) are uniform exactly if the distribution is right."""
    draw = np.random.default_rng(0)
    population, layers = 8, 4
    p_values = []
    for _ in range(2000):
        sizes = draw.integers(0, population + 1, size=(2, layers))
        overlap = sum(
            len(
                np.intersect1d(
                    draw.choice(population, sizes[0, layer], replace=False),
                    draw.choice(population, sizes[1, layer], replace=False),
                )
            )
            for layer in range(layers)
        )
        distribution = overlap_distribution(
            dict(enumerate(sizes[0].tolist())), dict(enumerate(sizes[1].tolist())), population
        )
        p_values.append(distribution[overlap + 1 :].sum() + draw.random() * distribution[overlap])
    assert kstest(p_values, "uniform").pvalue > 0.01

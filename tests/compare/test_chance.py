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
from circuitdsl.compare.structure import compare
from circuitdsl.language.circuit import Circuit
from samples import circuit, geometry


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


# --- circuits that share nothing but chance --------------------------------------------------------

SHAPE = geometry(3, 8)


def drawn(draw: np.random.Generator, name: str) -> Circuit:
    """A circuit with a random number of heads in each layer, at random places."""
    sizes = draw.integers(0, SHAPE.n_heads + 1, size=SHAPE.n_layers)
    heads = [f"{layer}.{i}" for layer, size in enumerate(sizes) for i in draw.choice(SHAPE.n_heads, size, False)]
    return circuit(name, {"role": " ".join(heads)}, shape=SHAPE)


def test_p_values_of_unrelated_circuits_are_uniform():
    """An overlap is a whole number, so that its p-value P(>= observed) takes few values and is uniform at these only.

    Randomised, P(> observed) + u P(= observed), it is uniform everywhere exactly if the distribution is right. Both
    tails of what ``compare`` says are used: P(= observed) is their sum less one.
    """
    draw = np.random.default_rng(0)
    p_values, randomised = [], []
    for _ in range(2000):
        found = compare(drawn(draw, "left"), drawn(draw, "right")).heads_chance
        assert found is not None
        equal = found.p_value + found.p_fewer - 1
        p_values.append(found.p_value)
        randomised.append(found.p_value - draw.random() * equal)
    assert kstest(randomised, "uniform").pvalue > 0.01
    for level in (0.01, 0.05, 0.1, 0.25, 0.5):  # as it is: never too small too often
        assert np.mean(np.array(p_values) <= level) <= level + 2.6 * np.sqrt(level * (1 - level) / len(p_values))


@settings(max_examples=20, deadline=None)
@given(left=st.tuples(*[st.integers(0, 4)] * 2), right=st.tuples(*[st.integers(0, 4)] * 2))
def test_a_p_value_is_as_likely_as_it_says(left, right):
    """Over all placements of the right circuit P(p <= a) is a itself at every value a that p takes, and so the mid
    p-value is a half on average: exact uniformity of a discrete p-value."""
    shape = geometry(2, 4)
    fixed = circuit(
        "left", {"r": " ".join(f"{n}.{i}" for n, size in enumerate(left) for i in range(size))}, shape=shape
    )
    p_values, mid = [], []
    for placement in product(*(combinations(range(4), size) for size in right)):
        heads = " ".join(f"{layer}.{i}" for layer, placed in enumerate(placement) for i in placed)
        found = compare(fixed, circuit("right", {"r": heads}, shape=shape)).heads_chance
        assert found is not None
        p_values.append(found.p_value)
        mid.append(found.p_value - (found.p_value + found.p_fewer - 1) / 2)
    for level in p_values:
        assert np.mean(np.array(p_values) <= level + 1e-12) == pytest.approx(level)
    assert np.mean(mid) == pytest.approx(0.5)

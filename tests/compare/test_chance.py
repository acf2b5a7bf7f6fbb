"""Chance against enumeration, and its p-values on circuits that share nothing but chance."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, permutations, product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from circuitdsl.compare import chance as chance_module
from circuitdsl.compare.chance import DRAWS, chance, chance_of_nodes, overlap_distribution
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


# --- heads that take their positions along ---------------------------------------------------------


def node_overlaps(left, right, population: int) -> Counter[int]:
    """Of all permutations of the right circuit's heads in their layers, how many share k nodes with the left one."""
    seen = Counter({0: 1})
    for layer in left.keys() | right.keys():
        ours, theirs = (
            [*heads.get(layer, ()), *[frozenset()] * (population - len(heads.get(layer, ())))]
            for heads in (left, right)
        )
        here = Counter(
            sum(len(a & theirs[i]) for a, i in zip(ours, places, strict=True))
            for places in permutations(range(population))
        )
        both: Counter[int] = Counter()
        for (one, ways), (other, more) in product(seen.items(), here.items()):
            both[one + other] += ways * more
        seen = both
    return seen


def layers_of_heads(population: int):
    positions = st.frozensets(st.sampled_from(["S1", "S2", "IO", "END"]), min_size=1)
    return st.dictionaries(st.integers(0, 2), st.lists(positions, max_size=population), max_size=3)


@settings(max_examples=60, deadline=None)
@given(population=st.integers(1, 5), data=st.data())
def test_nodes_by_chance_are_those_of_all_permutations(population, data):
    left, right = (data.draw(layers_of_heads(population)) for _ in range(2))
    seen = node_overlaps(left, right, population)
    for observed in range(max(seen) + 2):
        found = chance_of_nodes(left, right, population, observed)
        assert found.draws == 0
        assert found.expected == pytest.approx(sum(k * ways for k, ways in seen.items()) / seen.total())
        for p, tail in (
            (found.p_value, sum(ways for k, ways in seen.items() if k >= observed)),
            (found.p_fewer, sum(ways for k, ways in seen.items() if k <= observed)),
        ):
            assert p == pytest.approx(tail / seen.total(), abs=1e-12)
    turned = chance_of_nodes(right, left, population, 1)
    assert turned.p_value == pytest.approx(chance_of_nodes(left, right, population, 1).p_value)


@settings(max_examples=60, deadline=None)
@given(population=st.integers(1, 16), data=st.data())
def test_with_one_position_a_head_nodes_are_heads(population, data):
    counts = st.dictionaries(st.integers(0, 3), st.integers(0, population))
    left, right = data.draw(counts), data.draw(counts)
    observed = data.draw(st.integers(0, sum(min(left[n], right[n]) for n in left.keys() & right.keys())))
    heads = chance(left, right, population, observed)
    one, other = ({layer: [frozenset({"END"})] * count for layer, count in some.items()} for some in (left, right))
    nodes = chance_of_nodes(one, other, population, observed)
    assert (nodes.expected, nodes.p_value, nodes.p_fewer) == pytest.approx(
        (heads.expected, heads.p_value, heads.p_fewer), rel=1e-9, abs=1e-15
    )


def test_what_cannot_be_counted_is_drawn(monkeypatch):
    """Twelve heads of twelve, each at positions of its own: counting takes too long, drawing does not."""
    names = [f"P{i}" for i in range(4)]
    places = [frozenset(some) for size in (1, 2, 3) for some in combinations(names, size)][:12]
    found = chance_of_nodes({0: places}, {0: places}, 12, observed=21)
    assert found.draws == DRAWS
    assert found == chance_of_nodes({0: places}, {0: places}, 12, observed=21)
    assert found.p_value == 1 / (1 + DRAWS)
    few = {0: places[:3], 1: places[5:8]}
    exact = chance_of_nodes(few, few, 6, observed=2)
    monkeypatch.setattr(chance_module, "MOST_STEPS", 0)
    drawn = chance_of_nodes(few, few, 6, observed=2)
    assert (exact.draws, drawn.draws) == (0, DRAWS)
    assert drawn.expected == pytest.approx(exact.expected)
    for p, wanted in ((drawn.p_value, exact.p_value), (drawn.p_fewer, exact.p_fewer)):
        assert p == pytest.approx(wanted, abs=4 * np.sqrt(wanted * (1 - wanted) / DRAWS))


@pytest.mark.parametrize("positions", [["S1", "S2"], ["S1", "S2", "END"]])
def test_a_p_value_of_nodes_is_too_small_no_more_often_than_it_says(positions):
    """Two heads of six at several positions: over all placements, P(p <= a) is a at each value that p takes."""
    shape = geometry(1, 6)
    fixed = circuit("left", {f"r{p}": f"0.0 0.1 at {p}" for p in positions}, shape=shape)
    p_values = []
    for placed in combinations(range(6), 2):
        heads = " ".join(f"0.{i}" for i in placed)
        found = compare(fixed, circuit("right", {f"r{p}": f"{heads} at {p}" for p in positions}, shape=shape))
        assert found.nodes_chance is not None and found.heads_chance is not None
        p_values.append(found.nodes_chance.p_value)
        assert found.nodes_chance.p_value == pytest.approx(found.heads_chance.p_value)
    for level in p_values:
        assert np.mean(np.array(p_values) <= level + 1e-12) == pytest.approx(level)

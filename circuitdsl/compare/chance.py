"""How much two circuits would share by chance.

The null: each circuit's heads are permuted within their layers, uniformly and independently of the other circuit. Of
heads the overlap is then a sum of independent hypergeometric variables, one a layer, whose distribution is the
convolution of theirs. Of nodes it is not: a head takes all of its positions along, so that they are one draw and no
draws of their own. A layer's distribution is then counted by a dynamic programme over the one circuit's heads.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from math import comb, prod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Stratum = TypeVar("Stratum")

Positions = frozenset[Hashable]
"""Where a circuit has one head."""

MOST_STEPS = 200_000
"""Steps of the dynamic programme in one layer, some half a second; beyond them placements are drawn."""

DRAWS = 9_999
"""Placements that are drawn where they cannot be counted; p-values are then at least 1 / (1 + DRAWS)."""


@dataclass(frozen=True)
class Chance:
    """What independent placement would give: the expected number shared, P(overlap >= the observed) and P(<=).

    ``draws`` is 0 where these are exact. Otherwise the two probabilities are (1 + b) / (1 + draws), b being how many of
    so many drawn placements are as extreme.
    """

    expected: float
    p_value: float
    p_fewer: float
    draws: int = 0


def overlap_distribution(
    left: Mapping[Stratum, int], right: Mapping[Stratum, int], population: int
) -> NDArray[np.float64]:
    """P(overlap = k) for k = 0, 1, ..., float [largest possible overlap + 1].

    ``left`` and ``right`` count each circuit's elements by stratum; a stratum holds ``population`` elements.
    """
    distribution = np.ones(1)
    for stratum in left.keys() & right.keys():
        ours, theirs = left[stratum], right[stratum]
        distribution = np.convolve(distribution, _hypergeometric(population, ours, theirs))
    return distribution


def _hypergeometric(population: int, marked: int, drawn: int) -> NDArray[np.float64]:
    """P(k of the ``drawn`` are ``marked``) for k = 0, 1, ..., min(marked, drawn), from exact binomials."""
    ways = comb(population, drawn)
    shares = [comb(marked, k) * comb(population - marked, drawn - k) / ways for k in range(min(marked, drawn) + 1)]
    return np.array(shares)


def chance(left: Mapping[Stratum, int], right: Mapping[Stratum, int], population: int, observed: int) -> Chance:
    """The expected overlap under independent placement and the exact p-value of ``observed`` elements shared.

    Two circuits with two of the four heads of layer 0 each, and both heads shared: one of six placements gives that.

    >>> found = chance({0: 2}, {0: 2}, population=4, observed=2)
    >>> found.expected, round(found.p_value, 3)
    (1.0, 0.167)
    """
    expected = sum(left[stratum] * right[stratum] for stratum in left.keys() & right.keys()) / population
    return _exact(expected, overlap_distribution(left, right, population), observed)


def _exact(expected: float, distribution: NDArray[np.float64], observed: int) -> Chance:
    more, fewer = distribution[observed:].sum(), distribution[: observed + 1].sum()
    return Chance(float(expected), p_value=float(np.clip(more, 0.0, 1.0)), p_fewer=float(np.clip(fewer, 0.0, 1.0)))


# --- heads that take their positions along ---------------------------------------------------------


def chance_of_nodes(
    left: Mapping[Stratum, Collection[Positions]],
    right: Mapping[Stratum, Collection[Positions]],
    population: int,
    observed: int,
) -> Chance:
    """The same for nodes: ``left`` and ``right`` list, by layer, the positions of each head that a circuit has there.

    It is exact, unless both circuits have very many heads with positions of their own in one layer (``MOST_STEPS``):
    then ``DRAWS`` placements are drawn, always the same ones.

    One head at the same three positions in both circuits, in a layer of six heads: one placement of six gives that.

    >>> found = chance_of_nodes({0: [frozenset("abc")]}, {0: [frozenset("abc")]}, population=6, observed=3)
    >>> found.expected, round(found.p_value, 3)
    (0.5, 0.167)
    """
    layers = [_layer(left[stratum], right[stratum]) for stratum in left.keys() & right.keys()]
    expected = sum(len(a & b) for ours, theirs in layers for a in ours for b in theirs) / population
    if any(_steps(*layer) > MOST_STEPS for layer in layers):
        return _drawn(expected, layers, population, observed)
    return _exact(
        expected, reduce(np.convolve, (_shared(*layer, population) for layer in layers), np.ones(1)), observed
    )


Layer = tuple[tuple[Positions, ...], tuple[Positions, ...]]
"""The heads of two circuits in one layer that could share a node."""


def _layer(left: Iterable[Positions], right: Iterable[Positions]) -> Layer:
    """Positions that only one circuit uses can share nothing and are left out, and so are heads without others.

    The circuit second in the pair is the one whose heads are fewer to keep account of.
    """
    ours, theirs = tuple(left), tuple(right)
    common = frozenset[Hashable]().union(*ours) & frozenset[Hashable]().union(*theirs)
    first, second = (tuple(kept for head in heads if (kept := head & common)) for heads in (ours, theirs))
    return min((first, second), (second, first), key=lambda layer: _steps(*layer))


def _steps(placed: Collection[Positions], others: Iterable[Positions]) -> int:
    kinds = Counter(others)
    return len(placed) * len(kinds) * prod(count + 1 for count in kinds.values())


def _shared(placed: Iterable[Positions], others: Iterable[Positions], population: int) -> NDArray[np.float64]:
    """P(k nodes shared) for k = 0, 1, ... in one layer.

    The heads of ``placed`` are put one by one on heads that are still free. The state is how many of the ``others``
    are free, of each kind: heads at the same positions are one kind, and its value the probabilities of every overlap
    so far together with the state.
    """
    heads, kinds = tuple(placed), Counter(others)
    most = sum(max((len(head & kind) for kind in kinds), default=0) for head in heads)
    states = {tuple(kinds.values()): np.eye(1, most + 1)[0]}
    for done, head in enumerate(heads):
        free = population - done
        gains = [len(head & kind) for kind in kinds]
        following: defaultdict[tuple[int, ...], NDArray[np.float64]] = defaultdict(lambda: np.zeros(most + 1))
        for state, known in states.items():
            following[state] += known * ((free - sum(state)) / free)  # on a head that the other circuit has not got
            for i, (count, gain) in enumerate(zip(state, gains, strict=True)):
                if count:
                    after = (*state[:i], count - 1, *state[i + 1 :])
                    following[after][gain:] += known[: most + 1 - gain] * (count / free)
        states = following
    return np.sum(list(states.values()), axis=0)


def _drawn(expected: float, layers: Iterable[Layer], population: int, observed: int) -> Chance:
    draw = np.random.default_rng(0)
    overlaps = np.zeros(DRAWS, dtype=int)
    for placed, others in layers:
        shared = np.zeros((population, population), dtype=int)
        shared[: len(placed), : len(others)] = [[len(a & b) for b in others] for a in placed]
        places = draw.permuted(np.tile(np.arange(population), (DRAWS, 1)), axis=1)
        overlaps += shared[np.arange(population), places].sum(axis=1)
    more, fewer = ((1 + int(np.sum(found))) / (1 + DRAWS) for found in (overlaps >= observed, overlaps <= observed))
    return Chance(expected, p_value=more, p_fewer=fewer, draws=DRAWS)

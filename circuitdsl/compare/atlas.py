"""Any number of circuits side by side, as descriptions: what every two of them share, and which are alike.

Every pair is compared as ``structure.compare`` does: heads against chance, nodes, and edges between single components.
p-values of heads are corrected for the number of pairs (Holm 1979). Circuits are ordered so that those with many heads
in common stand side by side: average linkage of 1 - Jaccard, leaves in their best order (Bar-Joseph et al. 2001).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage

from circuitdsl.compare.chance import Chance
from circuitdsl.compare.dictionaries import named_alike
from circuitdsl.compare.edges import head_edges
from circuitdsl.compare.overlap import Overlap, overlap
from circuitdsl.compare.structure import chance_of_heads, chance_share, notes_on, same_edges, shape_of
from circuitdsl.judge.verdicts import holm
from circuitdsl.language.circuit import Circuit


@dataclass(frozen=True)
class Pair:
    """Two circuits of an atlas, by their places in it, and what both have.

    ``p_holm`` is the p-value of sharing as many heads or more by chance, corrected for all pairs; None, as ``chance``,
    for circuits of models of two shapes.
    """

    left: int
    right: int
    heads: Overlap
    nodes: Overlap
    edges: Overlap
    chance: Chance | None
    p_holm: float | None = None

    @property
    def chance_share(self) -> float | None:
        """The share of the smaller set of heads that chance would give."""
        return chance_share(self.chance, self.heads)

    @property
    def ceiling(self) -> float | None:
        """The largest Jaccard that their numbers of heads allow: the smaller over the larger."""
        larger = max(self.heads.left, self.heads.right)
        return min(self.heads.left, self.heads.right) / larger if larger else None


def pairs_of(circuits: Sequence[Circuit]) -> tuple[Pair, ...]:
    """Every two of the circuits, in their order."""
    found = [_pair(circuits, left, right) for left, right in combinations(range(len(circuits)), 2)]
    corrected = holm([pair.chance.p_value if pair.chance is not None else None for pair in found])
    return tuple(replace(pair, p_holm=p) for pair, p in zip(found, corrected, strict=True))


def _pair(circuits: Sequence[Circuit], left: int, right: int) -> Pair:
    ours = circuits[left]
    theirs = named_alike(ours, circuits[right])
    same_shape = shape_of(ours) == shape_of(theirs)
    return Pair(
        left,
        right,
        heads=overlap(map(str, ours.heads), map(str, theirs.heads)),
        nodes=overlap(map(str, ours.nodes), map(str, theirs.nodes)),
        edges=same_edges(head_edges(ours), head_edges(theirs)),
        chance=chance_of_heads(ours.heads, theirs.heads, ours) if same_shape else None,
    )


def notes_on_all(circuits: Sequence[Circuit]) -> tuple[str, ...]:
    """What to know of the comparisons of all these circuits."""
    return tuple(dict.fromkeys(note for left, right in combinations(circuits, 2) for note in notes_on(left, right)))


def alike_together(pairs: Sequence[Pair]) -> tuple[int, ...]:
    """The places of all circuits of these pairs, which are in ``combinations`` order, those that are alike together.

    Circuits of which nothing is known (two without heads) count as unlike.
    """
    apart = np.array([1 - (pair.heads.jaccard or 0.0) for pair in pairs])
    return tuple(int(place) for place in leaves_list(linkage(apart, method="average", optimal_ordering=True)))

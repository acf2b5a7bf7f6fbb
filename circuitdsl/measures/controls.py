"""Random sets of heads, matched to a circuit by layer, number and position."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from circuitdsl.language.circuit import Head, Node
from circuitdsl.language.environment import Geometry
from circuitdsl.measures.measurement import CannotMeasure

RANDOM_SETS = 20


def random_nodes(
    nodes: Iterable[Node], geometry: Geometry, seed: int, count: int = RANDOM_SETS
) -> tuple[frozenset[Node], ...]:
    """``count`` random sets: every head is exchanged for a random one of its layer, the same one wherever it stands.

    Distinct heads stay distinct, so each set has as many heads in each layer as the circuit; a set may share heads with
    it, as the null hypothesis "these heads are no better than any others of their layers" wants. Other components stay.
    Raises CannotMeasure if every layer of the circuit is used whole, so that there is nothing to draw.
    """
    nodes = frozenset(nodes)
    by_layer: dict[int, list[Head]] = {}
    for head in sorted({n.component for n in nodes if isinstance(n.component, Head)}):
        by_layer.setdefault(head.layer, []).append(head)
    if all(len(heads) == geometry.n_heads for heads in by_layer.values()):
        raise CannotMeasure("there are no random heads to compare with: the circuit has all heads of its layers")
    generator = np.random.default_rng(seed)
    return tuple(_exchange(nodes, by_layer, geometry.n_heads, generator) for _ in range(count))


def _exchange(
    nodes: frozenset[Node], by_layer: dict[int, list[Head]], n_heads: int, generator: np.random.Generator
) -> frozenset[Node]:
    stand_in = {
        head: Head(layer, int(index))
        for layer, heads in by_layer.items()
        for head, index in zip(heads, generator.choice(n_heads, size=len(heads), replace=False), strict=True)
    }
    return frozenset(
        Node(stand_in[node.component], node.position) if isinstance(node.component, Head) else node for node in nodes
    )

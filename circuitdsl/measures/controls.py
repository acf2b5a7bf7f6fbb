"""What claims are compared with: random sets of heads and random edges, matched by layer, and shams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from circuitdsl.components import Geometry, Head, Node
from circuitdsl.measures.estimands import Contrast, Folded, Ratio, excess
from circuitdsl.measures.experiments import NodeEdge
from circuitdsl.measures.measurement import CannotMeasure, Paired, RandomSets

RANDOM_SETS = 99
"""So many, so that a real set which none of them equals has a Monte Carlo p-value of 1%."""

SHUFFLES = 999
"""So many permutations of prompts, which cost no run of the model."""

ROUNDING = 1e-6
"""A share of F, or a difference of shares, under this is rounding."""


def random_nodes(
    nodes: Iterable[Node], geometry: Geometry, seed: int, count: int = RANDOM_SETS
) -> tuple[frozenset[Node], ...]:
    """``count`` random sets: every head is exchanged for a random one of its layer, the same one wherever it stands.

    Distinct heads stay distinct, so each set has as many heads in each layer as the circuit; a set may share heads with
    it, as the null hypothesis "these heads are no better than any others of their layers" wants. Other components stay.
    Raises CannotMeasure if every layer of the circuit is used whole, so that there is nothing to draw.
    """
    nodes = frozenset(nodes)
    heads = {node.component for node in nodes if isinstance(node.component, Head)}
    return tuple(frozenset(exchanged(nodes, each)) for each in stand_ins(heads, geometry, seed, count))


def random_edges(
    edges: Iterable[NodeEdge], geometry: Geometry, seed: int, count: int = RANDOM_SETS
) -> tuple[frozenset[NodeEdge], ...]:
    """``count`` random sets of edges: every head at their ends is exchanged as in :func:`random_nodes`.

    Raises CannotMeasure as that does.
    """
    edges = frozenset(edges)
    ends = {node.component for edge in edges for node in (edge.sender, edge.receiver) if node is not None}
    heads = {component for component in ends if isinstance(component, Head)}
    return tuple(frozenset(_moved(edges, each)) for each in stand_ins(heads, geometry, seed, count))


def _moved(edges: Iterable[NodeEdge], stand_in: Mapping[Head, Head]) -> Iterator[NodeEdge]:
    for edge in edges:
        (sender,) = exchanged([edge.sender], stand_in)
        receiver = None if edge.receiver is None else next(exchanged([edge.receiver], stand_in))
        yield NodeEdge(sender, receiver, edge.input)


def stand_ins(
    heads: Iterable[Head], geometry: Geometry, seed: int, count: int = RANDOM_SETS
) -> Iterator[Mapping[Head, Head]]:
    """``count`` times a random head of the same layer for each of some heads, distinct ones for distinct ones.

    Raises CannotMeasure if there are no heads, or every layer is used whole.
    """
    by_layer: dict[int, list[Head]] = {}
    for head in sorted(set(heads)):
        by_layer.setdefault(head.layer, []).append(head)
    if not by_layer:
        raise CannotMeasure("there are no random heads to compare with: no head is part of it")
    if all(len(some) == geometry.n_heads for some in by_layer.values()):
        raise CannotMeasure("there are no random heads to compare with: the circuit has all heads of its layers")
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield {
            head: Head(layer, int(index))
            for layer, some in by_layer.items()
            for head, index in zip(some, generator.choice(geometry.n_heads, size=len(some), replace=False), strict=True)
        }


def exchanged(nodes: Iterable[Node], stand_in: Mapping[Head, Head]) -> Iterator[Node]:
    """The nodes with every head exchanged for its stand-in."""
    for node in nodes:
        yield Node(stand_in[node.component], node.position) if isinstance(node.component, Head) else node


# --- figures of controls ---------------------------------------------------------------------------


def sizes_of(own: Ratio, first: int, count: int) -> RandomSets:
    """The sizes of the changes of F that random sets make, from the columns F changed [first to first + count]."""
    each = [_changed(own, column) for column in range(first, first + count)]
    return lambda means: np.maximum(np.abs(np.stack([of.value(means) for of in each], axis=-1)), ROUNDING)


def against_sham(own: Ratio, column: int) -> Paired:
    """The size of the change of F that a sham makes, from the column F changed by it."""
    sham = _changed(own, column)
    return Paired(Folded(sham), excess(own, sham))


def _changed(own: Ratio, column: int) -> Ratio:
    """The same share of another change: ``own`` is of columns F changed and F, which come first."""
    return replace(own, over=Contrast(((column, 1.0), (1, -1.0)), own.over.limits))

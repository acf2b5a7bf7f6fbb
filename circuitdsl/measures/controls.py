"""What claims are compared with: random sets of heads and random edges, matched by layer, and shams.

Features are exchanged as heads are, for others of their dictionary.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import replace

from circuitdsl.components import Component, Feature, Geometry, Head, Node
from circuitdsl.measures.estimands import Contrast, Folded, Ratio, excess, side_by_side
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
    """``count`` random sets: every head is exchanged for a random one of its layer, the same one wherever it stands,
    and every feature for a random one of its dictionary.

    Distinct heads stay distinct, so each set has as many heads in each layer as the circuit; a set may share heads with
    it, as the null hypothesis "these heads are no better than any others of their layers" wants. Other components stay.
    Raises CannotMeasure if every layer of the circuit is used whole, so that there is nothing to draw.
    """
    nodes = frozenset(nodes)
    components = exchangeable(node.component for node in nodes)
    return tuple(frozenset(exchanged(nodes, each)) for each in stand_ins(components, geometry, seed, count))


def random_edges(
    edges: Iterable[NodeEdge], geometry: Geometry, seed: int, count: int = RANDOM_SETS
) -> tuple[frozenset[NodeEdge], ...]:
    """``count`` random sets of edges: every head at their ends is exchanged as in :func:`random_nodes`.

    Raises CannotMeasure as that does.
    """
    edges = frozenset(edges)
    ends = {node.component for edge in edges for node in (edge.sender, edge.receiver) if node is not None}
    components = exchangeable(ends)
    return tuple(frozenset(_moved(edges, each)) for each in stand_ins(components, geometry, seed, count))


def _moved(edges: Iterable[NodeEdge], stand_in: StandIns) -> Iterator[NodeEdge]:
    for edge in edges:
        (sender,) = exchanged([edge.sender], stand_in)
        receiver = None if edge.receiver is None else next(exchanged([edge.receiver], stand_in))
        yield NodeEdge(sender, receiver, edge.input)


Exchangeable = Head | Feature
StandIns = Mapping[Exchangeable, Exchangeable]
"""For each component another of its kin: of its layer, or of its dictionary."""


def exchangeable(components: Iterable[Component]) -> frozenset[Exchangeable]:
    """Those of some components that have kin."""
    return frozenset(component for component in components if isinstance(component, Head | Feature))


def stand_ins(
    components: Iterable[Exchangeable], geometry: Geometry, seed: int, count: int = RANDOM_SETS
) -> Iterator[StandIns]:
    """``count`` times a random one of the same layer for each of some heads, and of the same dictionary for each of
    some features, distinct ones for distinct ones.

    Raises CannotMeasure if there are none, or every layer and dictionary is used whole.
    """
    from numpy.random import default_rng

    by_kin: dict[Hashable, list[Exchangeable]] = {}
    for component in sorted(set(components), key=lambda each: (isinstance(each, Feature), each)):
        by_kin.setdefault(_kin(component), []).append(component)
    if not by_kin:
        raise CannotMeasure("there are no random heads to compare with: no head is part of it")
    if all(len(some) == _size(some[0], geometry) for some in by_kin.values()):
        raise CannotMeasure("there are no random heads to compare with: the circuit has all heads of its layers")
    generator = default_rng(seed)
    for _ in range(count):
        yield {
            component: replace(component, index=int(index))
            for some in by_kin.values()
            for component, index in zip(
                some, generator.choice(_size(some[0], geometry), size=len(some), replace=False), strict=True
            )
        }


def _kin(component: Exchangeable) -> Hashable:
    return component.layer if isinstance(component, Head) else component.dictionary


def _size(component: Exchangeable, geometry: Geometry) -> int:
    """How many there are of its kin, itself among them."""
    return geometry.n_heads if isinstance(component, Head) else component.dictionary.n_features


def exchanged(nodes: Iterable[Node], stand_in: StandIns) -> Iterator[Node]:
    """The nodes with every component that has a stand-in exchanged for it."""
    for node in nodes:
        component = node.component
        other = stand_in.get(component) if isinstance(component, Head | Feature) else None
        yield node if other is None else Node(other, node.position)


# --- figures of controls ---------------------------------------------------------------------------


def sizes_of(own: Ratio, first: int, count: int) -> RandomSets:
    """The sizes of the changes of F that random sets make, from the columns F changed [first to first + count]."""
    each = [_changed(own, column) for column in range(first, first + count)]
    return RandomSets(lambda means: abs(side_by_side(each, means)).clip(min=ROUNDING))


def against_sham(own: Ratio, column: int) -> Paired:
    """The size of the change of F that a sham makes, from the column F changed by it."""
    sham = _changed(own, column)
    return Paired(Folded(sham), excess(own, sham))


def _changed(own: Ratio, column: int) -> Ratio:
    """The same share of another change: ``own`` is of columns F changed and F, which come first."""
    return replace(own, over=Contrast(((column, 1.0), (1, -1.0)), own.over.limits))

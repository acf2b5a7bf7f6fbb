"""Graphs of small models, and the strategies by which hypothesis draws them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from hypothesis import strategies as st

import circuitdsl as cd
from circuitdsl import tasks
from circuitdsl.components import (
    ALL,
    Component,
    Embed,
    Geometry,
    Head,
    Mlp,
    Node,
    PosEmbed,
    Position,
    all_heads,
    can_carry,
)
from circuitdsl.exchange.graph import Graph, GraphEdge, GraphNode, Which
from circuitdsl.exchange.names import components
from circuitdsl.language.environment import Environment
from circuitdsl.measures.registry import measure_infos

TOY = Geometry("toy", 2, 2, 2, 4, 2, 8, 100, 32)
PARALLEL = Geometry("side_by_side", 3, 2, 2, 4, 2, 8, 100, 32, parallel_attn_mlp=True)
ATTENTION_ONLY = Geometry("attention_only", 2, 3, 3, 4, 2, 0, 100, 32)
SHAPES = {shape.model: shape for shape in (TOY, PARALLEL, ATTENTION_ONLY)}

ENVIRONMENT = Environment(SHAPES.__getitem__, tasks.describe, measure_infos())
HEADING = cd.exchange.Heading("found", "toy", "ioi")

PLACES = (ALL, Position("END"), Position("S2"), Position("S1", 1))
SCORES = st.one_of(st.none(), st.floats(-10, 10, width=32), st.floats(-1e6, 1e6))


@cache
def pairs(shape: Geometry) -> tuple[tuple[Component, Component | None], ...]:
    """Every sender with every receiver that it can reach; None for the logits."""
    parts = parts_of(shape)
    receivers: list[Component | None] = [*parts, None]
    parallel = shape.parallel_attn_mlp
    return tuple((a, b) for b in receivers for a in parts if b is None or can_carry(a, b, parallel))


@cache
def parts_of(shape: Geometry) -> tuple[Component, ...]:
    """Every component, embeddings among them."""
    return tuple(components(shape, (Embed(), PosEmbed())))


@st.composite
def edges(draw: st.DrawFn, shape: Geometry, places: Sequence[Position]) -> GraphEdge:
    sender, receiver = draw(st.sampled_from(pairs(shape)))
    which: Which = draw(st.sampled_from(("q", "k", "v", "qkv"))) if isinstance(receiver, Head) else ""
    place = st.sampled_from(places)
    return GraphEdge(
        Node(sender, draw(place)),
        None if receiver is None else Node(receiver, draw(place)),
        which,
        draw(st.booleans()),
        draw(SCORES),
        draw(st.booleans()),
    )


@st.composite
def nodes(draw: st.DrawFn, shape: Geometry, places: Sequence[Position]) -> GraphNode:
    part = draw(st.sampled_from(parts_of(shape)))
    width = shape.d_model
    return GraphNode(
        Node(part, draw(st.sampled_from(places))),
        draw(st.booleans()),
        draw(SCORES),
        draw(st.one_of(st.just(()), st.tuples(*[st.booleans()] * width))),
        draw(st.one_of(st.just(()), st.tuples(*[SCORES] * width))),
        draw(st.sampled_from(("", "mover", "S-Inhibition", "role", "2nd", "S2"))),
        draw(st.sampled_from(((), ("a", "b.c")))),
    )


@st.composite
def graphs(draw: st.DrawFn, places: Sequence[Position] = PLACES) -> Graph:
    """Graphs of anything: scores, neurons, roles and tags here and there, edges and nodes in and out of the circuit."""
    shape = draw(st.sampled_from(list(SHAPES.values())))
    found = draw(st.lists(edges(shape, places), max_size=12, unique_by=lambda edge: edge.ends))
    listed = draw(st.lists(nodes(shape, places), max_size=6, unique_by=lambda each: each.node))
    return Graph(shape, tuple(found), tuple(listed), draw(st.booleans()))


def head_graph(*heads: str, shape: Geometry = TOY) -> Graph:
    """A circuit of heads alone, as a specification lists them."""
    known = {str(head): head for head in all_heads(shape)}
    return Graph(shape, (), tuple(GraphNode(Node(known[head], ALL)) for head in heads), recomputing=True)


def direct(*written: tuple[Component, Component | None, Which], shape: Geometry = TOY) -> Graph:
    """Direct edges at all positions."""
    made = (GraphEdge(Node(a, ALL), None if b is None else Node(b, ALL), which) for a, b, which in written)
    return Graph(shape, tuple(made))


SMALL = direct(
    (Embed(), Head(0, 1), "v"),
    (Embed(), Mlp(0), ""),
    (Head(0, 1), Head(1, 0), "q"),
    (Mlp(0), Head(1, 0), "k"),
    (Head(1, 0), None, ""),
)
"""A circuit that all formats of edges can hold, but for the letters."""

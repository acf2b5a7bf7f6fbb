"""Sequence continuation (Lan et al. 2024): JSON ``{"heads": [[layer, head], ...], "mlps": [layer, ...]}``."""

from __future__ import annotations

import json

from circuitdsl.components import ALL, Component, Geometry, Head, Mlp, Node
from circuitdsl.exchange.fields import Field
from circuitdsl.exchange.format import Format
from circuitdsl.exchange.graph import Aspect, Graph, GraphNode
from circuitdsl.exchange.names import head_at, mlp_at

HOLDS: frozenset[Aspect] = frozenset(("lone nodes", "membership", "mlps"))


def _read(content: Field, geometry: Geometry) -> Graph:
    parts = content.fields(("heads",), ("mlps",))
    found: dict[Component, None] = {}
    places = [(head_at(place, geometry), place) for place in parts["heads"].elements()]
    mlps = [(mlp_at(place, geometry), place) for place in parts["mlps"].elements()] if "mlps" in parts else []
    for component, place in (*places, *mlps):
        if component in found:
            place.wrong(f"{component} stands here a second time", "leave it out")
        found[component] = None
    nodes = tuple(GraphNode(Node(component, ALL)) for component in found)
    return Graph(geometry, (), nodes, recomputing=True)


def _write(graph: Graph) -> bytes:
    parts = [each.node.component for each in graph.nodes]
    content = {
        "heads": [[part.layer, part.index] for part in parts if isinstance(part, Head)],
        "mlps": [part.layer for part in parts if isinstance(part, Mlp)],
    }
    return json.dumps(content).encode() + b"\n"


def _is(content: object) -> bool:
    return isinstance(content, dict) and "heads" in content and content.keys() <= {"heads", "mlps"}


FORMAT = Format("seqcont", "sequence continuation: JSON of heads and MLPs", "json", HOLDS, _is, _read, _write)

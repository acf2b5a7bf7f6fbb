"""A format of circuits: a list of heads."""

from __future__ import annotations

import json

from circuitdsl.components import ALL, Geometry, Head, Node
from circuitdsl.exchange.fields import Field
from circuitdsl.exchange.format import Format
from circuitdsl.exchange.graph import Aspect, Graph, GraphNode
from circuitdsl.exchange.names import head_at

HOLDS: frozenset[Aspect] = frozenset(("lone nodes", "membership"))


def _read(content: Field, geometry: Geometry) -> Graph:
    heads = (head_at(place, geometry) for place in content.elements())
    return Graph(geometry, nodes=tuple(GraphNode(Node(head, ALL)) for head in heads), recomputing=True)


def _write(graph: Graph) -> bytes:
    heads = [each.node.component for each in graph.nodes]
    return json.dumps([[head.layer, head.index] for head in heads if isinstance(head, Head)]).encode()


def _recognises(content: object) -> bool:
    return isinstance(content, list) and all(isinstance(pair, list) for pair in content)


PAIRS = Format("pairs", "a list of heads", "json", HOLDS, _recognises, _read, _write)

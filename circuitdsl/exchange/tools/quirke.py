"""Quirke et al. 2024 (arithmetic): JSON ``[{"position": 18, "layer": 0, "is_head": true, "num": 1, "tags": [...]}]``.

Positions are numbers of tokens. A circuit of ours names its positions: an import needs to be told which is which.
"""

from __future__ import annotations

import json
from typing import Any, cast

from circuitdsl.components import Geometry, Head, Node, Position
from circuitdsl.errors import InputError
from circuitdsl.exchange.fields import Field
from circuitdsl.exchange.format import Format
from circuitdsl.exchange.graph import Aspect, Graph, GraphNode
from circuitdsl.exchange.names import head_of, mlp_of

HOLDS: frozenset[Aspect] = frozenset(("lone nodes", "membership", "mlps", "positions", "tags"))

_KEYS = ("position", "layer", "is_head", "num")


def _read(content: Field, geometry: Geometry) -> Graph:
    nodes: dict[Node, GraphNode] = {}
    for place in content.elements():
        each = _node(place, geometry)
        if each.node in nodes:
            place.wrong(f"{each.node.component} stands at this position a second time", "leave it out")
        nodes[each.node] = each
    return Graph(geometry, (), tuple(nodes.values()), recomputing=True)


def _node(place: Field, geometry: Geometry) -> GraphNode:
    parts = place.fields(_KEYS, ("tags",))
    layer, number = parts["layer"].whole(), parts["num"].whole()
    if parts["is_head"].boolean():
        component = head_of(layer, number, parts["num"], geometry)
    else:
        component = mlp_of(layer, parts["layer"], geometry)
        if number:
            parts["num"].wrong("a part of an MLP is no node of the language", "write 0 for the whole MLP")
    tags = tuple(tag.text() for tag in parts["tags"].elements()) if "tags" in parts else ()
    return GraphNode(Node(component, Position(str(parts["position"].whole()))), tags=tags)


def _write(graph: Graph) -> bytes:
    content = [_described(each) for each in graph.nodes]
    return json.dumps(content, indent=1).encode() + b"\n"


def _described(each: GraphNode) -> dict[str, object]:
    component, position = each.node.component, each.node.position
    if not position.name.isdecimal() or position.offset:
        raise InputError(
            f"this format has numbers of tokens for positions, and {component} stands at {position}",
            "say which number it is: --position 18=END",
        )
    head = isinstance(component, Head)
    return {
        "position": int(position.name),
        "layer": component.layer,
        "is_head": head,
        "num": component.index if head else 0,
        "tags": each.tags,
    }


def _is(content: object) -> bool:
    items = cast(list[Any], content) if isinstance(content, list) else []
    return bool(items) and all(isinstance(item, dict) and {*_KEYS} <= item.keys() for item in items)


FORMAT = Format("quirke", "Quirke et al.: JSON of nodes at numbered positions", "json", HOLDS, _is, _read, _write)

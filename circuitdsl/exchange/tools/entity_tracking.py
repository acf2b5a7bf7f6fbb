"""Entity tracking (Prakash et al. 2024): JSON ``{role: [[layer, head], ...]}``, heads without positions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from circuitdsl.components import ALL, Geometry, Head, Node
from circuitdsl.exchange.fields import Field
from circuitdsl.exchange.format import Format
from circuitdsl.exchange.graph import Aspect, Graph, GraphNode
from circuitdsl.exchange.names import head_at

HOLDS: frozenset[Aspect] = frozenset(("lone nodes", "membership", "roles"))

UNNAMED = "circuit"
"""The role of heads of which none is known."""


def _read(content: Field, geometry: Geometry) -> Graph:
    return Graph(geometry, (), tuple(_nodes(content, geometry)), recomputing=True)


def _nodes(content: Field, geometry: Geometry) -> Iterator[GraphNode]:
    for role, heads in content.items():
        seen: set[Head] = set()
        for place in heads.elements():
            head = head_at(place, geometry)
            if head in seen:
                place.wrong(f"head {head} stands in {role} a second time", "leave it out")
            seen.add(head)
            yield GraphNode(Node(head, ALL), role=role)


def _write(graph: Graph) -> bytes:
    roles: dict[str, list[tuple[int, int]]] = {}
    for each in graph.nodes:
        assert isinstance(each.node.component, Head)
        head = each.node.component
        roles.setdefault(each.role or UNNAMED, []).append((head.layer, head.index))
    return json.dumps(roles, indent=1).encode() + b"\n"


def _is(content: object) -> bool:
    if not isinstance(content, dict) or not content or content.keys() <= {"heads", "mlps"}:
        return False
    lists: list[Any] = list(cast(dict[str, object], content).values())
    return all(isinstance(heads, list) and all(isinstance(head, list) for head in heads) for heads in lists)


FORMAT = Format("entity-tracking", "entity tracking: JSON {role: [[layer, head]]}", "json", HOLDS, _is, _read, _write)

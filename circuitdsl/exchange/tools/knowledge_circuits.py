"""KnowledgeCircuits (Yao et al. 2024): a graph in the language of Graphviz, ``"<a21.12>" -> "<resid_post>"``.

Nodes are ``<aL.H>``, ``<mL>``, what enters the first layer (``embed``) and what leaves the last (``<resid_post>``). The
inputs of a head are merged. Attributes, in square brackets or set by statements, are how the graph is drawn: they are
not read. A node that is only declared is in the circuit, too.
"""

from __future__ import annotations

import re
from dataclasses import replace

from circuitdsl.components import ALL, Component, Geometry, Head, Mlp, Node
from circuitdsl.exchange.fields import Field
from circuitdsl.exchange.format import Format
from circuitdsl.exchange.graph import Aspect, Graph, GraphEdge, GraphNode
from circuitdsl.exchange.names import ARROW, LOGITS, Names, Reading, components, edge_between, once, reading_of

HOLDS: frozenset[Aspect] = frozenset(("edges", "membership", "lone nodes", "mlps", "joined inputs"))

_TEXT_OR_ATTRIBUTES = re.compile(r'("[^"]*")|\[(?:[^\]"]|"[^"]*")*\]')
_NAME = r'(?:"([^"]*)"|(\w+))'
_NODE = re.compile(rf"{_NAME}\s*;?")
_EDGE = re.compile(rf"{_NAME}\s*->\s*{_NAME}\s*;?")
_DRAWING = re.compile(r"(?:strict\s+)?digraph\b[^{}]*\{|\}|\w+\s*=[^;>]*;?|(?:graph|node|edge)\s*;?|;")


def _name(component: Component) -> str:
    match component:
        case Head(layer, index):
            return f"<a{layer}.{index}>"
        case Mlp(layer):
            return f"<m{layer}>"
        case _:
            return "embed"


def names(geometry: Geometry) -> Names:
    senders = {_name(component): component for component in components(geometry)}
    receivers: dict[str, Reading] = {
        _name(component): (component, "qkv" if component.inputs else "") for component in components(geometry, ())
    }
    return Names("KnowledgeCircuits", geometry, senders, {**receivers, "<resid_post>": LOGITS})


def _read(content: Field, geometry: Geometry) -> Graph:
    table = names(geometry)
    _require_whole(content)
    edges: list[tuple[GraphEdge, Field]] = []
    nodes: dict[Node, GraphNode] = {}
    for line in Field(_without_attributes(content.text()), content.file).lines():
        if found := _EDGE.fullmatch(line.text()):
            ends = ARROW.join(name for name in found.groups() if name is not None)
            edges.append((edge_between(*table.ends(ends, line)), line))
        elif _DRAWING.fullmatch(line.text()):
            continue
        elif found := _NODE.fullmatch(line.text()):
            name = found[1] or found[2] or ""
            component = None if table.receivers.get(name) == LOGITS else table.sender(name, line)
            if component is not None and component.claims_to_matter:
                nodes[Node(component, ALL)] = GraphNode(Node(component, ALL))
        else:
            line.wrong(f"`{line.text()[:80]}` is no edge and no node", 'write "<a0.1>" -> "<m2>", one a line')
    graph = Graph(geometry, once(edges))
    joined = graph.joined_nodes()
    return replace(graph, nodes=tuple(each for node, each in nodes.items() if node not in joined))


def _require_whole(content: Field) -> None:
    """Raise InputError for a graph that is not closed: what was cut off would be left out unseen."""
    signs = _TEXT_OR_ATTRIBUTES.sub("", content.text())
    if signs.count("{") > signs.count("}"):
        place = Field(None, content.file, f"line {len(content.text().splitlines())}")
        place.wrong("the graph ends before its `}`", "the file may be cut off: export it again")


def _without_attributes(text: str) -> str:
    """The text without what stands in square brackets, on as many lines as before."""
    return _TEXT_OR_ATTRIBUTES.sub(lambda found: found[1] or "\n" * found[0].count("\n"), text)


def _write(graph: Graph) -> bytes:
    table = names(graph.geometry)
    joined = graph.joined_nodes()
    lone = (table.of_sender[each.node.component] for each in graph.nodes if each.node not in joined)
    edges = ((table.of_sender[edge.sender.component], table.of_receiver[reading_of(edge)]) for edge in graph.edges)
    lines = (*(f'  "{name}";\n' for name in lone), *(f'  "{left}" -> "{right}";\n' for left, right in edges))
    return f"digraph circuit {{\n{''.join(lines)}}}\n".encode()


def _is(content: object) -> bool:
    return isinstance(content, str) and re.match(r"\s*(?:strict\s+)?digraph\b", content) is not None


FORMAT = Format("knowledge-circuits", "KnowledgeCircuits: a graph in .gv", "text", HOLDS, _is, _read, _write)

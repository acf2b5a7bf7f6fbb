"""Fits a graph to what a format can hold, and says what is lost and what has to be added.

Other tools' edges are direct, and nodes that are not joined to the input and to the logits vanish when they read a
circuit (FORMATS of EAP-IG and auto-circuit). An edge of ours is open to the MLPs on its way, and heads that are listed
read all that the circuit leaves running: for such tools these ways are spelled out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import networkx as nx

from circuitdsl.components import ALL, Component, Embed, Geometry, Head, Mlp, Node, PosEmbed, all_mlps, can_carry
from circuitdsl.errors import listed
from circuitdsl.exchange.graph import (
    MOST_NAMED,
    QKV,
    Aspect,
    Graph,
    GraphEdge,
    GraphNode,
    Which,
    counted,
    without_repeats,
)


@dataclass(frozen=True)
class Fitted:
    """A graph that a format can hold. ``lost`` and ``added``: in what it differs from the one that was given."""

    graph: Graph
    lost: tuple[str, ...]
    added: tuple[str, ...]


def fit(graph: Graph, holds: frozenset[Aspect]) -> Fitted:
    """The graph as a format that holds these aspects can have it."""
    lost: list[str] = []
    added: list[str] = []
    if "edges" in holds and "indirect" not in holds and graph.recomputing:
        lost += _reads_all(graph)
        graph, added = _spelled_out(graph)
        lost += _dead_ends(graph)
    implied = frozenset[Aspect]() if "edges" in holds else _OF_EDGES
    lost += [said for aspect, said in graph.aspects().items() if aspect not in holds | implied]
    if "edges" not in holds:
        graph = _of_nodes(graph)
    for aspect, without in _WITHOUT.items():
        if aspect not in holds:
            graph = without(graph)
    return Fitted(graph, tuple(lost), tuple(added))


_OF_EDGES: frozenset[Aspect] = frozenset(("inputs", "joined inputs", "position embedding", "edge scores", "indirect"))
"""What is lost with the edges and need not be said apart."""


def _of_nodes(graph: Graph) -> Graph:
    """What is in the circuit as nodes alone."""
    listed = {each.node for each in graph.nodes}
    more = (GraphNode(node) for node in graph.members() if node not in listed and node.component.claims_to_matter)
    return replace(graph, edges=(), nodes=(*graph.nodes, *more))


def _only_heads(graph: Graph) -> Graph:
    return _nodes_of(graph, lambda each: not isinstance(each.node.component, Mlp))


def _without_embeddings(graph: Graph) -> Graph:
    return _nodes_of(graph, lambda each: each.node.component.layer >= 0)


def _nodes_of(graph: Graph, wanted: Callable[[GraphNode], bool]) -> Graph:
    return replace(graph, nodes=tuple(filter(wanted, graph.nodes)))


def _without_position_embedding(graph: Graph) -> Graph:
    edges = tuple(edge for edge in graph.edges if edge.sender.component != PosEmbed())
    return _nodes_of(replace(graph, edges=edges), lambda each: each.node.component != PosEmbed())


def _all_inside(graph: Graph) -> Graph:
    edges = tuple(edge for edge in graph.edges if edge.included)
    return _nodes_of(replace(graph, edges=edges), lambda each: each.included)


def _none_inside(graph: Graph) -> Graph:
    edges = tuple(replace(edge, included=False) for edge in graph.edges)
    return _each_node(replace(graph, edges=edges), included=False)


def _without_edge_scores(graph: Graph) -> Graph:
    return replace(graph, edges=tuple(replace(edge, score=None) for edge in graph.edges))


def _each_node(graph: Graph, **changes: object) -> Graph:
    return replace(graph, nodes=tuple(replace(each, **changes) for each in graph.nodes))  # pyright: ignore[reportArgumentType]


def _split_inputs(graph: Graph) -> Graph:
    return replace(graph, edges=without_repeats(each for edge in graph.edges for each in _split(edge)))


def _joined_inputs(graph: Graph) -> Graph:
    return replace(graph, edges=without_repeats(map(_joined, graph.edges)))


# --- positions and inputs ----------------------------------------------------------------------------


def _anywhere(node: Node) -> Node:
    return Node(node.component, ALL)


def _at_all_positions(graph: Graph) -> Graph:
    edges = without_repeats(
        replace(edge, sender=_anywhere(edge.sender), receiver=edge.receiver and _anywhere(edge.receiver))
        for edge in graph.edges
    )
    nodes: dict[Component, GraphNode] = {}
    for each in graph.nodes:
        known = nodes.setdefault(each.node.component, replace(each, node=_anywhere(each.node)))
        nodes[each.node.component] = replace(known, included=known.included or each.included)
    return replace(graph, edges=edges, nodes=tuple(nodes.values()))


def _split(edge: GraphEdge) -> Iterator[GraphEdge]:
    letters = QKV if edge.which == "qkv" else (edge.which,)
    return (replace(edge, which=letter) for letter in letters)


def _joined(edge: GraphEdge) -> GraphEdge:
    return replace(edge, which="qkv") if edge.which else edge


_WITHOUT: Mapping[Aspect, Callable[[Graph], Graph]] = {
    "positions": _at_all_positions,
    "position embedding": _without_position_embedding,
    "embeddings": _without_embeddings,
    "lone nodes": lambda graph: replace(graph, nodes=()),
    "mlps": _only_heads,
    "joined inputs": _split_inputs,
    "inputs": _joined_inputs,
    "left out": _all_inside,
    "membership": _none_inside,
    "edge scores": _without_edge_scores,
    "node scores": lambda graph: _each_node(graph, score=None),
    "neurons": lambda graph: _each_node(graph, neurons=(), neuron_scores=()),
    "roles": lambda graph: _each_node(graph, role=""),
    "tags": lambda graph: _each_node(graph, tags=()),
}
"""What takes an aspect away, in the order in which this is done."""


# --- ways that are spelled out -----------------------------------------------------------------------


def _spelled_out(graph: Graph) -> tuple[Graph, list[str]]:
    """The graph of direct edges alone that says the same, and in words what was added."""
    if not graph.included:
        return _whole(graph)
    added: list[str] = []
    edges = list(graph.edges)
    through = [each for edge in graph.included if not edge.direct for each in _through_mlps(edge, graph.geometry)]
    edges = list(without_repeats(replace(edge, direct=True) for edge in (*edges, *through)))
    more = len(edges) - len(graph.edges)
    if more:
        added.append(f"{counted(more, 'edge')} through MLPs between two nodes of an edge, which recompute")
    listed = {
        each.node.component: each.node for each in graph.nodes if each.included and each.node.component.layer >= 0
    }
    leaving = list(_leaving(edges, listed))
    edges += leaving
    entering = list(_entering(edges, listed))
    if entering:
        added.append(f"{counted(len(entering), 'edge')} from the input, into inputs of nodes that no edge reaches")
    if leaving:
        added.append(f"{counted(len(leaving), 'edge')} to the logits, from listed nodes that send along no edge")
    return replace(graph, edges=without_repeats((*edges, *entering))), added


def _reads_all(graph: Graph) -> Iterator[str]:
    """What a circuit of roles that states edges, too, means by its roles and these tools do not."""
    if graph.included and any(each.included and each.node.component.claims_to_matter for each in graph.nodes):
        yield (
            "that a node in a role reads all that the circuit has before it: here it reads what an edge leads to "
            "(without any edge, a circuit of roles is written with all edges)"
        )


def _whole(graph: Graph) -> tuple[Graph, list[str]]:
    """Nodes without edges: each reads whatever stands before it in the circuit, and every MLP recomputes."""
    geometry = graph.geometry
    listed = [node.component for node in graph.members() if isinstance(node.component, Head)]
    if not graph.members():
        return graph, []
    parts: list[Component] = [Embed(), *sorted(listed), *all_mlps(geometry)]
    made = [
        edge
        for receiver in (*parts[1:], None)
        for sender in parts
        if receiver is None or can_carry(sender, receiver, geometry.parallel_attn_mlp)
        for edge in _into(sender, receiver)
    ]
    said = (
        f"all {len(made)} edges among the input, {counted(len(listed), 'head') or 'no heads'}, all MLPs and the logits"
    )
    return replace(graph, edges=without_repeats((*made, *graph.edges))), [f"{said}, for the circuit lists nodes only"]


def _into(sender: Component, receiver: Component | None) -> Iterator[GraphEdge]:
    letters: tuple[Which, ...] = QKV if isinstance(receiver, Head) else ("",)
    for letter in letters:
        yield GraphEdge(Node(sender, ALL), None if receiver is None else Node(receiver, ALL), letter)


def _through_mlps(edge: GraphEdge, geometry: Geometry) -> Iterator[GraphEdge]:
    """The direct edges on the ways from an edge's sender to its receiver by MLPs."""
    parallel = geometry.parallel_attn_mlp
    sender, receiver = edge.sender.component, edge.receiver and edge.receiver.component
    between = [
        mlp
        for mlp in all_mlps(geometry)
        if can_carry(sender, mlp, parallel) and (receiver is None or can_carry(mlp, receiver, parallel))
    ]
    for mlp in between:
        at = Node(mlp, edge.sender.position)
        yield GraphEdge(edge.sender, at)
        yield GraphEdge(at, edge.receiver, edge.which)
        yield from (GraphEdge(Node(lower, at.position), at) for lower in between if lower.layer < mlp.layer)


def _leaving(edges: Iterable[GraphEdge], listed: Mapping[Component, Node]) -> Iterator[GraphEdge]:
    """Edges to the logits from listed nodes that send along no edge: what they write is in the circuit."""
    sending = {edge.sender.component for edge in edges if edge.included}
    yield from (GraphEdge(node, None) for component, node in listed.items() if component not in sending)


def _entering(edges: Iterable[GraphEdge], listed: Collection[Component]) -> Iterator[GraphEdge]:
    """Edges from the input into senders that nothing reaches; of listed nodes into every input that nothing reaches."""
    included = [edge for edge in edges if edge.included]
    reached: dict[Component, set[str]] = {}
    places: dict[Component, Node] = {}
    for edge in included:
        if edge.receiver is not None:
            letters = QKV if edge.which == "qkv" else (edge.which,)
            reached.setdefault(edge.receiver.component, set()).update(letters)
        places.setdefault(edge.sender.component, edge.sender)
    for component, node in places.items():
        if isinstance(component, Head | Mlp) and (component in listed or component not in reached):
            for edge in _into(Embed(), component):
                if edge.which not in reached.get(component, set()):
                    yield replace(edge, receiver=node)


def _dead_ends(graph: Graph) -> Iterator[str]:
    """What other tools remove when they read the circuit: nodes from which no way leads to the logits."""
    ways: nx.DiGraph[str] = nx.DiGraph()
    ways.add_node("logits")
    ways.add_nodes_from(str(each.node.component) for each in graph.nodes if each.included)
    for edge in graph.included:
        ways.add_edge(str(edge.sender.component), str(edge.receiver.component) if edge.receiver else "logits")
    lost = set(ways) - nx.ancestors(ways, "logits") - {"logits"}
    if lost:
        names = listed((name for name in ways if name in lost), MOST_NAMED)
        yield f"nodes from which no edges lead to the logits, which their code removes: {names}"

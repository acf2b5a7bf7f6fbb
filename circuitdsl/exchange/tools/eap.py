"""EAP-IG (Hanna et al. 2024) and the circuit track of MIB (Mueller et al. 2025): JSON, and .pt files of matrices.

Both hold every edge of a model with its score and whether it is in the circuit. Edges are direct, q, k and v apart.

* JSON: ``cfg``, ``nodes`` {name: in_graph, score?, neurons?, neurons_scores?}, ``edges`` {name: score, in_graph}.
* .pt: ``cfg``, the names, and matrices of 1 + L(H+1) senders by L(3H+1) + 1 inputs: of a layer the queries of all
  heads, their keys, their values, the MLP.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

from circuitdsl.components import ALL, Component, Geometry, Head, Mlp, Node, all_heads, can_carry
from circuitdsl.exchange.fields import Field
from circuitdsl.exchange.format import Format
from circuitdsl.exchange.graph import QKV, Aspect, Graph, GraphEdge, GraphNode
from circuitdsl.exchange.names import ARROW, LOGITS, Names, Reading, components, edge_between, reading_of

HOLDS: frozenset[Aspect] = frozenset(
    (
        "edges",
        "membership",
        "lone nodes",
        "mlps",
        "embeddings",
        "inputs",
        "edge scores",
        "node scores",
        "neurons",
        "left out",
    )
)

_CFG = ("n_layers", "n_heads", "parallel_attn_mlp", "d_model")


def node_name(component: Component) -> str:
    """``a9.h6``, ``m5``, ``input``."""
    match component:
        case Head(layer, index):
            return f"a{layer}.h{index}"
        case Mlp(layer):
            return f"m{layer}"
        case _:
            return "input"


def names(geometry: Geometry) -> Names:
    """Senders and inputs in the order of the matrices."""
    senders = {node_name(component): component for component in components(geometry)}
    receivers: dict[str, Reading] = {}
    for layer in range(geometry.n_layers):
        heads = [head for head in all_heads(geometry) if head.layer == layer]
        receivers |= {f"{node_name(head)}<{letter}>": (head, letter) for letter in QKV for head in heads}
        if geometry.d_mlp:
            receivers[f"m{layer}"] = (Mlp(layer), "")
    return Names("EAP-IG", geometry, senders, {**receivers, "logits": LOGITS})


def complete(graph: Graph) -> Graph:
    """Every node and edge of the model, as these files have it.

    An edge without a score has 0. Where some nodes have neurons, or scores of these, all have: by themselves all the
    neurons of a node are in the circuit or none, and not scored.
    """
    table = names(graph.geometry)
    edges = {(edge.sender.component, *reading_of(edge)): edge for edge in graph.edges}
    nodes = {each.node.component: each for each in graph.nodes}
    joined = {node.component for node in graph.joined_nodes()}
    made = (
        edges.get((sender, *reading)) or edge_between(sender, reading, included=False)
        for sender, reading in _in_file_order(table)
    )
    scored = tuple(edge if edge.score is not None else replace(edge, score=0.0) for edge in made)
    every = (nodes.get(each) or GraphNode(Node(each, ALL), each in joined) for each in table.senders.values())
    return replace(graph, edges=scored, nodes=_with_neurons(tuple(every), table.geometry.d_model), recomputing=False)


def _with_neurons(nodes: tuple[GraphNode, ...], width: int) -> tuple[GraphNode, ...]:
    if any(each.neurons for each in nodes):
        nodes = tuple(replace(each, neurons=each.neurons or (each.included,) * width) for each in nodes)
    if any(each.neuron_scores for each in nodes):
        nodes = tuple(replace(each, neuron_scores=each.neuron_scores or (None,) * width) for each in nodes)
    return nodes


def _in_file_order(table: Names) -> Iterable[tuple[Component, Reading]]:
    """Edges by layer: of each sender to each head of the layer and its q, k, v; then into the MLP; the logits last."""
    geometry = table.geometry
    stages: dict[tuple[int, bool], list[Reading]] = {}
    ordered = sorted(
        table.receivers.values(), key=lambda reading: reading[0] if isinstance(reading[0], Head) else Head(-1, 0)
    )
    for reading in ordered:
        component = reading[0]
        layer = geometry.n_layers if component is None else component.layer
        stages.setdefault((layer, not isinstance(component, Head)), []).append(reading)
    for _, readings in sorted(stages.items()):
        for sender in table.senders.values():
            for reading in readings:
                if reading[0] is None or can_carry(sender, reading[0], geometry.parallel_attn_mlp):
                    yield sender, reading


# --- JSON --------------------------------------------------------------------------------------------


def _read_json(content: Field, geometry: Geometry) -> Graph:
    parts = content.fields(("cfg", "nodes", "edges"))
    _check_cfg(parts["cfg"], geometry)
    table = names(geometry)
    edges = tuple(_edge(name, field, table) for name, field in parts["edges"].items())
    nodes = tuple(each for name, field in parts["nodes"].items() if (each := _node(name, field, table)))
    return Graph(geometry, edges, nodes)


def _check_cfg(cfg: Field, geometry: Geometry) -> None:
    found = cfg.fields(_CFG)
    for key in _CFG:
        value = found[key].boolean() if key == "parallel_attn_mlp" else found[key].whole()
        if value != getattr(geometry, key):
            found[key].wrong(
                f"{json.dumps(value)}, and {geometry.model} has {json.dumps(getattr(geometry, key))}",
                "name the model that the file is of: --model NAME",
            )


def _edge(name: str, field: Field, table: Names) -> GraphEdge:
    sender, reading = table.ends(name, field)
    known = field.fields(("in_graph", "score"))
    return edge_between(sender, reading, known["in_graph"].boolean(), known["score"].number())


def _node(name: str, field: Field, table: Names) -> GraphNode | None:
    """A node, None for the logits, of which there is nothing to say."""
    known = field.fields(("in_graph",), ("score", "neurons", "neurons_scores"))
    included = known["in_graph"].boolean()
    if name == "logits":
        if not included or len(known) > 1:
            field.wrong("the logits are always in the circuit, with nothing else", 'write {"in_graph": true}')
        return None
    width = table.geometry.d_model
    for key in ("neurons", "neurons_scores"):
        if key in known and len(list(known[key].elements())) != width:
            known[key].wrong(f"{len(known[key].value)} values", f"a node of {table.geometry.model} has {width}")
    return GraphNode(
        Node(table.sender(name, field), ALL),
        included,
        known["score"].number_or_none() if "score" in known else None,
        tuple(each.boolean() for each in known["neurons"].elements()) if "neurons" in known else (),
        tuple(each.number_or_none() for each in known["neurons_scores"].elements())
        if "neurons_scores" in known
        else (),
    )


def _write_json(graph: Graph) -> bytes:
    graph = complete(graph)
    table = names(graph.geometry)
    nodes = {node_name(each.node.component): _described(each, graph) for each in graph.nodes}
    edges = {
        table.edge_name(edge.sender.component, reading_of(edge)): {"score": edge.score, "in_graph": edge.included}
        for edge in graph.edges
    }
    content = {"cfg": _cfg(graph.geometry), "nodes": {**nodes, "logits": {"in_graph": True}}, "edges": edges}
    return json.dumps(content).encode() + b"\n"


def _cfg(geometry: Geometry) -> dict[str, int | bool]:
    return {key: getattr(geometry, key) for key in _CFG}


def _described(each: GraphNode, graph: Graph) -> dict[str, object]:
    described: dict[str, object] = {"in_graph": each.included}
    if any(other.score is not None for other in graph.nodes):
        described["score"] = _or_nan(each.score)
    if each.neurons:
        described["neurons"] = each.neurons
    if each.neuron_scores:
        described["neurons_scores"] = [_or_nan(score) for score in each.neuron_scores]
    return described


def _or_nan(score: float | None) -> float:
    return math.nan if score is None else score


def _is_json(content: object) -> bool:
    return isinstance(content, dict) and {"cfg", "nodes", "edges"} <= cast(dict[object, object], content).keys()


JSON = Format("eap", "EAP-IG and MIB: JSON of all nodes and edges", "json", HOLDS, _is_json, _read_json, _write_json)


# --- matrices ----------------------------------------------------------------------------------------

_NEEDED = ("cfg", "src_nodes", "dst_nodes", "edges_scores", "edges_in_graph", "nodes_in_graph")
_OPTIONAL = ("nodes_scores", "neurons_in_graph", "neurons_scores")


def _read_tensors(content: Field, geometry: Geometry) -> Graph:
    from circuitdsl.exchange.tensors import matrix

    parts = content.fields(_NEEDED, _OPTIONAL)
    _check_cfg(parts["cfg"], geometry)
    table = names(geometry)
    _check_names(parts["src_nodes"], tuple(table.senders))
    _check_names(parts["dst_nodes"], tuple(table.receivers))
    shape = (len(table.senders), len(table.receivers))
    scores = matrix(parts["edges_scores"], shape)
    included = matrix(parts["edges_in_graph"], shape, boolean=True)
    row = {component: number for number, component in enumerate(table.senders.values())}
    column = {reading: number for number, reading in enumerate(table.receivers.values())}
    real = set(table.edges())
    for sender, i in row.items():
        for reading, j in column.items():
            if (sender, reading) not in real:
                _check_empty(parts, table, sender, reading, scores[i][j], included[i][j])

    def edge(sender: Component, reading: Reading) -> GraphEdge:
        i, j = row[sender], column[reading]
        score = parts["edges_scores"].inside(i, None).inside(j, scores[i][j]).number()
        return edge_between(sender, reading, included[i][j], score)

    edges = tuple(edge(sender, reading) for sender, reading in _in_file_order(table))
    return Graph(geometry, edges, _nodes_of_tensors(parts, table))


def _check_names(field: Field, wanted: tuple[str, ...]) -> None:
    found = [each.text() for each in field.elements()]
    for number, (name, other) in enumerate(zip(found, wanted, strict=False)):
        if name != other:
            field.inside(number, name).wrong(f"`{name[:80]}` where `{other}` should be", "export the file again")
    if len(found) != len(wanted):
        field.wrong(f"{len(found)} names, and this model has {len(wanted)}", "name the model that the file is of")


def _check_empty(
    parts: Mapping[str, Field], table: Names, sender: Component, reading: Reading, score: float, included: bool
) -> None:
    """Raise InputError where something is said of a pair that is no edge, as from a later layer to an earlier one."""
    if included or (score and math.isfinite(score)):
        pair = f"{table.of_sender[sender]}{ARROW}{table.of_receiver[reading]}"
        parts["edges_in_graph" if included else "edges_scores"].wrong(
            f"{pair} is no edge of {table.geometry.model}, and has a score or is in the circuit",
            "set it to 0 and False",
        )


def _nodes_of_tensors(parts: Mapping[str, Field], table: Names) -> tuple[GraphNode, ...]:
    from circuitdsl.exchange.tensors import matrix

    count, width = len(table.senders), table.geometry.d_model
    included = matrix(parts["nodes_in_graph"], (count,), boolean=True)
    scores = matrix(parts["nodes_scores"], (count,)) if "nodes_scores" in parts else [math.nan] * count
    shape = (count, width)
    neurons = matrix(parts["neurons_in_graph"], shape, boolean=True) if "neurons_in_graph" in parts else [()] * count
    neuron_scores = matrix(parts["neurons_scores"], shape) if "neurons_scores" in parts else [()] * count
    places = parts.get("nodes_scores", parts["nodes_in_graph"]), parts.get("neurons_scores", parts["nodes_in_graph"])
    return tuple(
        GraphNode(
            Node(component, ALL),
            included[i],
            places[0].inside(i, scores[i]).number_or_none(),
            tuple(neurons[i]),
            tuple(places[1].inside(i, score).number_or_none() for score in neuron_scores[i]),
        )
        for i, component in enumerate(table.senders.values())
    )


def _write_tensors(graph: Graph) -> bytes:
    from circuitdsl.exchange.tensors import booleans, numbers, save_tensors

    graph = complete(graph)
    table = names(graph.geometry)
    row = {component: number for number, component in enumerate(table.senders.values())}
    column = {reading: number for number, reading in enumerate(table.receivers.values())}
    scores = [[0.0] * len(column) for _ in row]
    included = [[False] * len(column) for _ in row]
    for edge in graph.edges:
        i, j = row[edge.sender.component], column[reading_of(edge)]
        scores[i][j], included[i][j] = edge.score or 0.0, edge.included
    content: dict[str, Any] = {
        "cfg": _cfg(graph.geometry),
        "src_nodes": list(table.senders),
        "dst_nodes": list(table.receivers),
        "edges_scores": numbers(scores),
        "edges_in_graph": booleans(included),
        "nodes_in_graph": booleans([each.included for each in graph.nodes]),
    }
    if any(each.score is not None for each in graph.nodes):
        content["nodes_scores"] = numbers([_or_nan(each.score) for each in graph.nodes])
    if graph.nodes[0].neurons:
        content["neurons_in_graph"] = booleans([each.neurons for each in graph.nodes])
    if graph.nodes[0].neuron_scores:
        content["neurons_scores"] = numbers([list(map(_or_nan, each.neuron_scores)) for each in graph.nodes])
    return save_tensors(content)


def _is_tensors(content: object) -> bool:
    return isinstance(content, dict) and "edges_scores" in content


TENSORS = Format(
    "eap-pt", "EAP-IG: a .pt file of score matrices", "torch", HOLDS, _is_tensors, _read_tensors, _write_tensors
)

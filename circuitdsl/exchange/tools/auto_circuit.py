"""auto-circuit (Miller et al. 2024): edges by name, scores as tensors; CircuitKIT's scores of nodes by the same names.

``A5.3->A9.6.Q`` leads from head 5.3 to the queries of 9.6; ``A9.6`` without a letter is a head whose q, k and v are
one; ``Resid Start`` and ``Resid End`` are what enters the first layer and what leaves the last. Three formats:

* text, one edge a line: those of the circuit;
* .pt, a dict: the hook point of receivers -> scores [head?, sender], of the senders before it in the order of
  computation. Scores alone, so that a threshold has to say what the circuit is. Tensors with a dimension of positions
  are refused: positions in a circuit have names.
* JSON {node: score}, as CircuitKIT writes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from circuitdsl.components import ALL, Component, Geometry, Head, Mlp, Node, all_heads, can_carry
from circuitdsl.errors import InputError
from circuitdsl.exchange.fields import Field
from circuitdsl.exchange.format import Format
from circuitdsl.exchange.graph import QKV, Aspect, Graph, GraphEdge, GraphNode
from circuitdsl.exchange.names import LOGITS, Names, Reading, components, edge_between, once, reading_of

EDGES: frozenset[Aspect] = frozenset(("edges", "membership", "mlps", "inputs", "joined inputs"))
SCORES: frozenset[Aspect] = frozenset(("edges", "mlps", "inputs", "edge scores", "left out"))
NODE_SCORES: frozenset[Aspect] = frozenset(("lone nodes", "mlps", "node scores", "left out"))


def node_name(component: Component) -> str:
    match component:
        case Head(layer, index):
            return f"A{layer}.{index}"
        case Mlp(layer):
            return f"MLP {layer}"
        case _:
            return "Resid Start"


def names(geometry: Geometry) -> Names:
    senders = {node_name(component): component for component in components(geometry)}
    receivers: dict[str, Reading] = {}
    for component in components(geometry, ()):
        name = node_name(component)
        if isinstance(component, Head):
            receivers |= {f"{name}.{letter.upper()}": (component, letter) for letter in QKV}
        receivers[name] = (component, "qkv" if component.inputs else "")
    return Names("auto-circuit", geometry, senders, {**receivers, "Resid End": LOGITS})


# --- names of edges ----------------------------------------------------------------------------------


def _read_text(content: Field, geometry: Geometry) -> Graph:
    table = names(geometry)
    edges = once((edge_between(*table.ends(line.text(), line)), line) for line in content.lines())
    return Graph(geometry, edges)


def _write_text(graph: Graph) -> bytes:
    table = names(graph.geometry)
    return "".join(f"{table.edge_name(edge.sender.component, reading_of(edge))}\n" for edge in graph.edges).encode()


def _is_text(content: object) -> bool:
    return isinstance(content, str) and "->" in content and "hook_" not in content and '"' not in content


TEXT = Format("auto-circuit", "auto-circuit: one edge a line", "text", EDGES, _is_text, _read_text, _write_text)


# --- scores of edges ---------------------------------------------------------------------------------


def _modules(geometry: Geometry) -> Mapping[str, tuple[Reading, ...]]:
    """The inputs that the tensor of each hook point is about, head by head."""
    found: dict[str, tuple[Reading, ...]] = {}
    for layer in range(geometry.n_layers):
        heads = [head for head in all_heads(geometry) if head.layer == layer]
        for letter in QKV:
            found[f"blocks.{layer}.hook_{letter}_input"] = tuple((head, letter) for head in heads)
        if geometry.d_mlp:
            found[f"blocks.{layer}.hook_mlp_in"] = ((Mlp(layer), ""),)
    found[f"blocks.{geometry.n_layers - 1}.hook_resid_post"] = (LOGITS,)
    return found


def _before(reading: Reading, table: Names) -> list[Component]:
    """The senders that an input can read, in order."""
    receiver, parallel = reading[0], table.geometry.parallel_attn_mlp
    return [each for each in table.senders.values() if receiver is None or can_carry(each, receiver, parallel)]


def _read_scores(content: Field, geometry: Geometry) -> Graph:
    table, modules = names(geometry), _modules(geometry)
    edges: list[GraphEdge] = []
    for name, field in content.items():
        if name not in modules:
            field.wrong(
                f"{geometry.model} has no receiving hook point of this name here",
                "scores are read of the factorised graph with q, k and v apart, of the model that --model names",
            )
        edges += _edges_of(field, modules[name], table)
    return Graph(geometry, tuple(edges))


def _edges_of(field: Field, readings: tuple[Reading, ...], table: Names) -> Iterator[GraphEdge]:
    from circuitdsl.exchange.tensors import matrix

    before = _before(readings[0], table)
    of_heads = isinstance(readings[0][0], Head)
    scores = matrix(field, (len(readings), len(before)) if of_heads else (len(before),))
    for number, reading in enumerate(readings):
        place, row = (field.inside(number, None), scores[number]) if of_heads else (field, scores)
        for index, (sender, score) in enumerate(zip(before, row, strict=True)):
            yield edge_between(sender, reading, False, place.inside(index, score).number())


def _write_scores(graph: Graph) -> bytes:
    from circuitdsl.exchange.tensors import numbers, save_tensors

    if not any(edge.score is not None for edge in graph.edges):
        raise InputError("this format holds scores of edges, and the circuit has none", "choose format auto-circuit")
    table = names(graph.geometry)
    scores = {(edge.sender.component, reading_of(edge)): edge.score or 0.0 for edge in graph.edges}
    content: dict[str, Any] = {}
    for module, readings in _modules(graph.geometry).items():
        rows = [[scores.get((sender, reading), 0.0) for sender in _before(readings[0], table)] for reading in readings]
        content[module] = numbers(rows if isinstance(readings[0][0], Head) else rows[0])
    return save_tensors(content)


def _is_scores(content: object) -> bool:
    keys = list(cast(dict[object, object], content)) if isinstance(content, dict) else []
    return bool(keys) and all(isinstance(key, str) and key.startswith("blocks.") for key in keys)


TENSORS = Format(
    "auto-circuit-pt",
    "auto-circuit: a .pt file of scores by receiver",
    "torch",
    SCORES,
    _is_scores,
    _read_scores,
    _write_scores,
)


# --- scores of nodes ---------------------------------------------------------------------------------


def _read_nodes(content: Field, geometry: Geometry) -> Graph:
    table = names(geometry)
    nodes = tuple(
        GraphNode(Node(table.sender(name, field), ALL), included=False, score=field.number())
        for name, field in content.items()
    )
    return Graph(geometry, (), nodes, recomputing=True)


def _write_nodes(graph: Graph) -> bytes:
    unscored = [each for each in graph.nodes if each.score is None]
    if unscored:
        raise InputError(
            f"this format holds scores of nodes, and {unscored[0].node.component} has none", "choose another format"
        )
    content = {node_name(each.node.component): each.score for each in graph.nodes}
    return json.dumps(content, indent=1).encode() + b"\n"


def _is_nodes(content: object) -> bool:
    pairs = cast(dict[str, object], content).items() if isinstance(content, dict) else ()
    return bool(pairs) and all(
        key.startswith(("A", "MLP ", "Resid ")) and isinstance(value, int | float) for key, value in pairs
    )


NODES = Format(
    "circuitkit", "CircuitKIT: JSON of scores of nodes", "json", NODE_SCORES, _is_nodes, _read_nodes, _write_nodes
)

"""ACDC (Conmy et al. 2023): edges between hook points of TransformerLens, each with an index.

``blocks.5.attn.hook_result[:, :, 3] -> blocks.9.hook_q_input[:, :, 6]``: head 5.3 to the queries of 9.6. Two formats:

* text, one edge a line: those of the circuit;
* .pth, an ordered dict (receiver, its index, sender, its index) -> bool over exactly all edges. Beside edges that add
  to the residual stream it has those inside a node (a head's query from the query's input, its result from its query,
  an MLP's output from its input), which follow from the others: they are checked when read and made when written.
  ACDC's list of edges with their effects is a pickle and is refused.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from circuitdsl.components import Component, Embed, Geometry, Head, Mlp, PosEmbed, all_heads
from circuitdsl.exchange.fields import Field
from circuitdsl.exchange.format import Format
from circuitdsl.exchange.graph import QKV, Aspect, Graph, GraphEdge
from circuitdsl.exchange.names import LOGITS, Names, Reading, components, edge_between, once, reading_of

HOLDS: frozenset[Aspect] = frozenset(("edges", "membership", "mlps", "inputs", "position embedding"))

HOLDS_ALL: frozenset[Aspect] = frozenset((*HOLDS, "left out"))
"""The same where every edge is listed."""

_START = "blocks.0.hook_resid_pre[:]"
"""What enters the first layer, in a model whose embeddings are not apart."""


def _head(index: int) -> str:
    return f"[:, :, {index}]"


def _sender_name(component: Component) -> str:
    match component:
        case Head(layer, index):
            return f"blocks.{layer}.attn.hook_result{_head(index)}"
        case Mlp(layer):
            return f"blocks.{layer}.hook_mlp_out[:]"
        case PosEmbed():
            return "hook_pos_embed[:]"
        case _:
            return "hook_embed[:]"


def names(geometry: Geometry) -> Names:
    """Hook points with their indices, as ACDC prints them."""
    start = (Embed(), PosEmbed())
    senders = {_sender_name(component): component for component in components(geometry, start)}
    receivers: dict[str, Reading] = {}
    for layer in range(geometry.n_layers):
        for head in (head for head in all_heads(geometry) if head.layer == layer):
            receivers |= {f"blocks.{layer}.hook_{letter}_input{_head(head.index)}": (head, letter) for letter in QKV}
        if geometry.d_mlp:
            receivers[f"blocks.{layer}.hook_mlp_in[:]"] = (Mlp(layer), "")
    receivers[f"blocks.{geometry.n_layers - 1}.hook_resid_post[:]"] = LOGITS
    return Names("ACDC", geometry, senders, receivers, {_START: Embed()})


# --- text --------------------------------------------------------------------------------------------


def _spelled(name: str) -> str:
    """A hook point with its index; ``[:]`` where none is written."""
    name = "".join(name.split())
    name = name if name.endswith("]") else f"{name}[:]"
    return name.replace(",", ", ")


def _read_text(content: Field, geometry: Geometry) -> Graph:
    table = names(geometry)
    edges = once((_edge(line, table), line) for line in content.lines())
    return Graph(geometry, edges)


def _edge(line: Field, table: Names) -> GraphEdge:
    written = " -> ".join(_spelled(end) for end in line.text().split("->"))
    return edge_between(*table.ends(written, line))


def _write_text(graph: Graph) -> bytes:
    table = names(graph.geometry)
    lines = (
        f"{table.of_sender[edge.sender.component]} -> {table.of_receiver[reading_of(edge)]}\n" for edge in graph.edges
    )
    return "".join(lines).encode()


def _is_text(content: object) -> bool:
    return isinstance(content, str) and "hook_" in content and "->" in content


TEXT = Format("acdc", "ACDC: one edge of hook points a line", "text", HOLDS, _is_text, _read_text, _write_text)


# --- subgraphs ---------------------------------------------------------------------------------------

_Index = tuple[int | None, ...]
_Key = tuple[str, _Index, str, _Index]


def _apart(name: str) -> tuple[str, _Index]:
    """``blocks.5.attn.hook_result[:, :, 3]`` as the hook point and the index (None, None, 3)."""
    point, _, inside = name.removesuffix("]").partition("[")
    return point, tuple(None if part.strip() == ":" else int(part) for part in inside.split(","))


def _together(point: str, index: _Index) -> str:
    return f"{point}[{', '.join(':' if part is None else str(part) for part in index)}]"


def _inner(geometry: Geometry) -> Iterator[tuple[str, str, Reading | None]]:
    """Edges inside nodes, (sender, receiver) by name, and the input that the edge carries on."""
    for head in all_heads(geometry):
        block, index = f"blocks.{head.layer}", _head(head.index)
        for letter in QKV:
            passed = f"{block}.attn.hook_{letter}{index}"
            yield f"{block}.hook_{letter}_input{index}", passed, (head, letter)
            yield passed, f"{block}.attn.hook_result{index}", None
    for layer in range(geometry.n_layers if geometry.d_mlp else 0):
        yield f"blocks.{layer}.hook_mlp_in[:]", f"blocks.{layer}.hook_mlp_out[:]", None


def _read_subgraph(content: Field, geometry: Geometry) -> Graph:
    table = names(geometry)
    inner = {(sender, receiver): reading for sender, receiver, reading in _inner(geometry)}
    if not isinstance(content.value, dict):
        content.wrong("this is no subgraph of ACDC", "save it with save_subgraph")
    found: list[tuple[GraphEdge, Field]] = []
    closed: dict[Reading, Field] = {}
    for key, value in content.value.items():
        place = Field(key, content.file, f"the edge {key!r}"[:160])
        receiver, sender = _ends_of_key(place)
        included = replace(place, value=value).boolean()
        if (sender, receiver) in inner:
            reading = inner[sender, receiver]
            if reading is not None and not included:
                closed[reading] = place
        else:
            component, reading = table.sender(sender, place), table.receiver(receiver, place)
            table.need_flow(component, reading, place)
            found.append((edge_between(component, reading, included), place))
    edges = once(found)
    for edge in edges:
        if edge.included and reading_of(edge) in closed:
            closed[reading_of(edge)].wrong(
                f"it is left out, while {edge}, which goes on by it, is in the circuit", "leave both out, or neither"
            )
    return Graph(geometry, edges)


def _ends_of_key(place: Field) -> tuple[str, str]:
    """The receiver and the sender of a key, as text."""
    parts = place.value
    if not (isinstance(parts, tuple) and len(parts) == 4):
        place.wrong("this key is no edge", "keys are (receiver, index, sender, index)")
    receiver, receiver_index, sender, sender_index = parts
    for index in (receiver_index, sender_index):
        if not (isinstance(index, tuple) and index and all(part is None or type(part) is int for part in index)):
            place.wrong("an index is (None,) or (None, None, head)", "save it with save_subgraph")
    if not (isinstance(receiver, str) and isinstance(sender, str)):
        place.wrong("hook points are named by texts", "save it with save_subgraph")
    return _together(receiver, cast(_Index, receiver_index)), _together(sender, cast(_Index, sender_index))


def complete(graph: Graph) -> Graph:
    """Every edge that adds to the residual stream; the embedding of positions apart, as ACDC has it."""
    known = {(edge.sender.component, *reading_of(edge)): edge for edge in graph.edges}
    made = (
        known.get((sender, *reading)) or edge_between(sender, reading, included=False)
        for sender, reading in names(graph.geometry).edges()
    )
    return replace(graph, edges=tuple(made), nodes=(), recomputing=False)


def _write_subgraph(graph: Graph) -> bytes:
    from circuitdsl.exchange.tensors import save_tensors

    table = names(graph.geometry)
    edges = complete(graph).edges
    entered = {reading_of(edge) for edge in edges if edge.included}
    content: OrderedDict[_Key, bool] = OrderedDict()
    for edge in edges:
        receiver, sender = table.of_receiver[reading_of(edge)], table.of_sender[edge.sender.component]
        content[(*_apart(receiver), *_apart(sender))] = edge.included
    for sender, receiver, reading in _inner(graph.geometry):
        content[(*_apart(receiver), *_apart(sender))] = reading is None or reading in entered
    return save_tensors(content)


def _is_subgraph(content: object) -> bool:
    return isinstance(content, dict) and any(isinstance(key, tuple) for key in cast(dict[object, object], content))


SUBGRAPH = Format(
    "acdc-pth",
    "ACDC: a subgraph, every edge with whether it is in",
    "torch",
    HOLDS_ALL,
    _is_subgraph,
    _read_subgraph,
    _write_subgraph,
)

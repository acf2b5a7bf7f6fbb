"""A circuit as other tools have it: edges and nodes, each in the circuit or not, with scores where there are some."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from circuitdsl.components import ALL, Geometry, Mlp, Node, PosEmbed
from circuitdsl.errors import listed

Which = Literal["", "q", "k", "v", "qkv"]
"""An input: of a head "q", "k", "v", or "qkv" for the three as one; of an MLP and of the logits ""."""

QKV: tuple[Which, ...] = ("q", "k", "v")
"""The three inputs of a head, each by itself."""


@dataclass(frozen=True)
class GraphNode:
    """A node, whether it is in the circuit, and what is known of it.

    ``neurons`` (in the circuit or not) and ``neuron_scores`` have one value for each of the model's d_model
    dimensions, or none at all; a score of None was not measured. ``role`` and ``tags`` are words of whoever wrote them.
    """

    node: Node
    included: bool = True
    score: float | None = None
    neurons: tuple[bool, ...] = ()
    neuron_scores: tuple[float | None, ...] = ()
    role: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class GraphEdge:
    """What one node sends to an input of another, or to the logits (``receiver`` None).

    ``receiver`` stands where the input is read: for "k" and "v" that is the key position. ``direct``: MLPs and norms on
    the way keep their values; otherwise they recompute.
    """

    sender: Node
    receiver: Node | None
    which: Which = ""
    included: bool = True
    score: float | None = None
    direct: bool = True

    @property
    def ends(self) -> tuple[Node, Node | None, Which]:
        """What makes it one edge, whatever is known of it."""
        return self.sender, self.receiver, self.which

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (self.sender,) if self.receiver is None else (self.sender, self.receiver)

    def __str__(self) -> str:
        receiver = "logits" if self.receiver is None else str(self.receiver.component)
        letter = f".{self.which}" if self.which in QKV else ""
        return f"{self.sender.component} -> {receiver}{letter}"


Aspect = Literal[
    "edges",
    "membership",
    "lone nodes",
    "mlps",
    "embeddings",
    "inputs",
    "joined inputs",
    "positions",
    "position embedding",
    "edge scores",
    "node scores",
    "neurons",
    "roles",
    "tags",
    "left out",
    "indirect",
]
"""What a graph can have that not every format can hold."""


@dataclass(frozen=True)
class Graph:
    """Nodes and edges of a model. What is not mentioned is not in the circuit.

    ``recomputing``: as in a specification, MLPs that are not mentioned are computed anew, and a listed node reads all
    that stands before it; otherwise only edges that are in the circuit carry anything. ``origin`` says in a few words
    where it is from.
    """

    geometry: Geometry
    edges: tuple[GraphEdge, ...] = ()
    nodes: tuple[GraphNode, ...] = ()
    recomputing: bool = False
    origin: str = field(default="", compare=False)

    @property
    def included(self) -> tuple[GraphEdge, ...]:
        """The edges that are in the circuit."""
        return tuple(edge for edge in self.edges if edge.included)

    def joined_nodes(self) -> frozenset[Node]:
        """The nodes at either end of an edge that is in the circuit."""
        return frozenset(node for edge in self.included for node in edge.nodes)

    def members(self) -> tuple[Node, ...]:
        """Every node that is in the circuit, once: those that are listed, then those of edges."""
        listed = (each.node for each in self.nodes if each.included)
        return tuple(dict.fromkeys((*listed, *(node for edge in self.included for node in edge.nodes))))

    def aspects(self) -> Mapping[Aspect, str]:
        """What it has, each as a sentence about what is lost where a format cannot hold it."""
        return {aspect: said for aspect, said in self._aspects() if said}

    def _aspects(self) -> Iterator[tuple[Aspect, str]]:
        edges, joined = self.included, self.joined_nodes()
        listed = [each.node for each in self.nodes if each.included]
        alone = [node for node in listed if node not in joined]
        places = {str(node.position) for node in self._all_nodes() if node.position != ALL}
        yield "edges", counted(len(self.edges), "edge")
        yield "membership", "what is in the circuit" if edges or listed else ""
        yield "lone nodes", _listed("nodes in no edge", (str(n.component) for n in alone if n.component.layer >= 0))
        yield "mlps", _listed("MLPs", (str(n.component) for n in self.members() if isinstance(n.component, Mlp)))
        yield "embeddings", _listed("that nodes are", (str(n.component) for n in alone if n.component.layer < 0))
        yield "inputs", _some(edges, lambda edge: edge.which in QKV, "into q, k or v by itself")
        yield "joined inputs", _some(edges, lambda edge: edge.which == "qkv", "into q, k and v together as one edge")
        yield "positions", _listed("the positions of nodes", sorted(places))
        yield "position embedding", self._of_position_embedding()
        yield "edge scores", _scores(self.edges, "edge")
        yield "node scores", _scores(self.nodes, "node")
        neurons = sum(bool(each.neurons or each.neuron_scores) for each in self.nodes)
        yield "neurons", f"which neurons of {counted(neurons, 'node')} are in it" if neurons else ""
        yield "roles", _listed("which role nodes have", (each.role for each in self.nodes if each.role))
        yield "tags", _listed("the tags of nodes", (tag for each in self.nodes for tag in each.tags))
        yield "left out", self._left_out()
        yield "indirect", _some(edges, lambda edge: not edge.direct, "by a way that is open to MLPs and norms")

    def _all_nodes(self) -> Iterator[Node]:
        yield from (each.node for each in self.nodes)
        yield from (node for edge in self.edges for node in edge.nodes)

    def _of_position_embedding(self) -> str:
        """Edges from it that are in the circuit or have a score, and whether it is listed by itself."""
        told = (edge for edge in self.edges if edge.included or edge.score)
        listed = any(each.node.component == PosEmbed() for each in self.nodes)
        said = _some(told, lambda edge: edge.sender.component == PosEmbed(), "from pos_embed")
        return " and ".join(filter(None, (said, "what is said of the node pos_embed" if listed else "")))

    def _left_out(self) -> str:
        away = (
            counted(sum(not each.included for each in self.edges), "edge"),
            counted(sum(not each.included for each in self.nodes), "node"),
        )
        return f"{' and '.join(filter(None, away))} outside of the circuit" if any(away) else ""


def counted(count: int, one: str, many: str = "") -> str:
    """``3 edges``, and "" for none."""
    return f"{count} {one if count == 1 else many or one + 's'}" if count else ""


MOST_NAMED = 8
"""So many of what is lost are named."""


def _some(edges: Iterable[GraphEdge], wanted: Callable[[GraphEdge], bool], what: str) -> str:
    found = sum(map(wanted, edges))
    return f"that {counted(found, 'edge leads', 'edges lead')} {what}" if found else ""


def _listed(what: str, names: Iterable[str]) -> str:
    text = listed(names, MOST_NAMED)
    return f"{what}: {text}" if text else ""


def _scores(scored: Iterable[GraphEdge | GraphNode], what: str) -> str:
    found = sum(each.score is not None for each in scored)
    return f"the scores of {counted(found, what)}" if found else ""


def without_repeats(edges: Iterable[GraphEdge]) -> tuple[GraphEdge, ...]:
    """Each edge once: in the circuit if one of its kind is, with the score that is largest in absolute value."""
    found: dict[tuple[Node, Node | None, Which], GraphEdge] = {}
    for edge in edges:
        known = found.setdefault(edge.ends, edge)
        if known is not edge:
            scores = [score for score in (known.score, edge.score) if score is not None]
            found[edge.ends] = replace(
                known,
                included=known.included or edge.included,
                score=max(scores, key=abs) if scores else None,
                direct=known.direct and edge.direct,
            )
    return tuple(found.values())

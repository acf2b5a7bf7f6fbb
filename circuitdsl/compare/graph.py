"""Two circuits as one graph: counterpart roles are one vertex, and every edge says whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from circuitdsl.compare.edges import Direction, Edge, components_of_edges, opposed, patched_from, role_edges
from circuitdsl.compare.matching import Match
from circuitdsl.compare.overlap import Overlap, overlap
from circuitdsl.language.circuit import Circuit, Role

Whose = Literal["both", "left", "right"]
WHOSE: tuple[Whose, ...] = ("both", "left", "right")


@dataclass(frozen=True)
class Elsewhere:
    """A component that a vertex has of one circuit only, and the roles in which the other circuit has it."""

    component: str
    roles: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        return {"component": self.component, "roles": list(self.roles)}


@dataclass(frozen=True)
class Vertex:
    """A role or two counterparts, a single component that an edge names, or the logits.

    ``name`` is unique in its graph; ``left`` and ``right`` are what each circuit calls it, None where it has none.
    ``components`` are compared, and ``moved`` are those of one side that the other circuit has in other roles.
    ``depth`` is the mean layer of its components, -1 for an embedding, infinite for the logits.
    """

    name: str
    kind: Literal["role", "component", "logits"]
    left: str | None
    right: str | None
    components: Overlap
    left_positions: tuple[str, ...]
    right_positions: tuple[str, ...]
    moved: tuple[Elsewhere, ...]
    depth: float

    @property
    def whose(self) -> Whose:
        return "both" if None not in (self.left, self.right) else "left" if self.right is None else "right"

    def to_dict(self) -> dict[str, object]:
        components = self.components
        return {
            "name": self.name,
            "kind": self.kind,
            "in": self.whose,
            "left": self.left,
            "right": self.right,
            "shared": list(components.shared),
            "left_only": list(components.left_only),
            "right_only": list(components.right_only),
            "left_positions": list(self.left_positions),
            "right_positions": list(self.right_positions),
            "moved": [each.to_dict() for each in self.moved],
        }


@dataclass(frozen=True)
class Link:
    """An edge between two vertices into one input, "q", "k" or "v"; "" for the logits and for an MLP.

    ``spelling`` is the left circuit's if it has the edge. ``denied``: the other circuit says ``no edge``, of the same
    counterfactual.
    ``opposed``: what this circuit says that the senders do to the metric where the other says the opposite, else "".
    Such an edge is not shared: it is two links, one of each circuit.
    """

    sender: str
    receiver: str
    input: str
    whose: Whose
    spelling: str
    denied: bool = False
    opposed: Direction = ""

    def to_dict(self) -> dict[str, object]:
        return {
            "sender": self.sender,
            "receiver": self.receiver,
            "input": self.input,
            "in": self.whose,
            "denied": self.denied,
            "opposed": self.opposed,
        }


@dataclass(frozen=True)
class Graph:
    """``vertices`` come from the first layer to the logits, ``links`` in the order in which they are stated."""

    vertices: tuple[Vertex, ...]
    links: tuple[Link, ...]

    @property
    def edges(self) -> Overlap:
        """The edges as each circuit spells them."""
        ours, left, right = (tuple(link.spelling for link in self.links if link.whose == each) for each in WHOSE)
        return Overlap(ours, left, right)

    def to_dict(self) -> dict[str, object]:
        return {
            "nodes": [vertex.to_dict() for vertex in self.vertices],
            "edges": [link.to_dict() for link in self.links],
        }


def overlay(left: Circuit, right: Circuit, matches: Sequence[Match]) -> Graph:
    """Two circuits over each other, their roles matched as ``matches`` say."""
    links = tuple(_links(left, right, matches))
    roles = {match.name for match in matches}
    layers = {str(each): each.layer for circuit in (left, right) for each in components_of_edges(circuit)}
    vertices = (*_role_vertices(left, right, matches), *_other_vertices(links, roles, layers))
    return Graph(tuple(sorted(vertices, key=lambda vertex: vertex.depth)), links)


# --- edges -----------------------------------------------------------------------------------------


def _links(left: Circuit, right: Circuit, matches: Iterable[Match]) -> Iterator[Link]:
    names = [{match[side]: match.name for match in matches} for side in (0, 1)]
    ours, theirs = _renamed(role_edges(left), names[0]), _renamed(role_edges(right), names[1])
    denied = {*_denied(left, right, names), *_denied(right, left, names[::-1])}
    for edge, (spelling, direction) in ours.items():
        if edge not in theirs:
            yield Link(*edge, "left", spelling, denied=edge in denied)
        elif opposed(direction, theirs[edge][1]):
            yield Link(*edge, "left", spelling, opposed=direction)
            yield Link(*edge, "right", theirs[edge][0], opposed=theirs[edge][1])
        else:
            yield Link(*edge, "both", spelling, denied=edge in denied)
    for edge, (spelling, _) in theirs.items():
        if edge not in ours:
            yield Link(*edge, "right", spelling, denied=edge in denied)


def _denied(one: Circuit, other: Circuit, names: Sequence[Mapping[str | None, str]]) -> Iterator[Edge]:
    """The edges of the other of which this one says that they are not there, by the same counterfactual. The one of
    its method stands for that of the other's where the other's task has none of that name."""
    theirs = {_between(edge, names[1]): by for edge, by in patched_from(other, "edge").items()}
    known = {name for name, _ in other.task_info.counterfactuals}
    alike = {} if one.method.against in known else {one.method.against: other.method.against}
    for edge, by in patched_from(one, "no edge").items():
        vertices = _between(edge, names[0])
        if {alike.get(each, each) for each in by} & theirs.get(vertices, frozenset()):
            yield vertices


def _renamed(edges: Mapping[Edge, Direction], vertex: Mapping[str | None, str]) -> dict[Edge, tuple[str, Direction]]:
    """Edges between vertices, each with the circuit's own spelling and what it says that the senders do."""
    return {_between(edge, vertex): (str(edge), direction) for edge, direction in edges.items()}


def _between(edge: Edge, vertex: Mapping[str | None, str]) -> Edge:
    """An edge between vertices. An end that is no role is itself (a head, ``logits``), the same in both circuits."""
    return Edge(vertex.get(edge.sender, edge.sender), vertex.get(edge.receiver, edge.receiver), edge.input)


# --- vertices --------------------------------------------------------------------------------------


def _role_vertices(left: Circuit, right: Circuit, matches: Iterable[Match]) -> Iterator[Vertex]:
    for match in matches:
        ours = left.role(match.left) if match.left is not None else Role("", ())
        theirs = right.role(match.right) if match.right is not None else Role("", ())
        found = overlap(*([str(node.component) for node in role.nodes] for role in (ours, theirs)))
        depths = [node.component.layer for role in (ours, theirs) for node in role.nodes]
        yield Vertex(
            name=match.name,
            kind="role",
            left=match.left,
            right=match.right,
            components=found,
            left_positions=_positions(ours),
            right_positions=_positions(theirs),
            moved=(*_elsewhere(found.left_only, right), *_elsewhere(found.right_only, left)),
            depth=sum(depths) / len(depths) if depths else -1.0,
        )


def _positions(role: Role) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(node.position) for node in role.nodes))


def _elsewhere(components: Iterable[str], other: Circuit) -> Iterator[Elsewhere]:
    for component in components:
        roles = tuple(role.name for role in other.roles if component in {str(node.component) for node in role.nodes})
        if roles:
            yield Elsewhere(component, roles)


def _other_vertices(links: Iterable[Link], roles: set[str], layers: Mapping[str, int]) -> Iterator[Vertex]:
    """The logits and the single components, of these ``layers``, at which links begin or end."""
    found: dict[str, set[Whose]] = {}
    for link in links:
        for end in (link.sender, link.receiver):
            if end not in roles:
                found.setdefault(end, set()).add(link.whose)
    for name, whose in found.items():
        ours, theirs = bool(whose & {"both", "left"}), bool(whose & {"both", "right"})
        logits = name == "logits"
        components = [name] * (not logits)
        yield Vertex(
            name=name,
            kind="logits" if logits else "component",
            left=name if ours or logits else None,
            right=name if theirs or logits else None,
            components=overlap(components * ours, components * theirs),
            left_positions=(),
            right_positions=(),
            moved=(),
            depth=float("inf") if logits else float(layers.get(name, -1)),
        )

"""A graph as a specification, and a specification's circuit as a graph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path

from circuitdsl.components import ALL, Component, Embed, Geometry, Head, Mlp, Node, PosEmbed, Position
from circuitdsl.errors import InputError, require
from circuitdsl.exchange.checking import checked
from circuitdsl.exchange.fitting import fit
from circuitdsl.exchange.format import Written
from circuitdsl.exchange.graph import Aspect, Graph, GraphEdge, GraphNode, Which, counted
from circuitdsl.language import tree as t
from circuitdsl.language.circuit import ANY_INPUT, Bound, Circuit, LogitsReceiver
from circuitdsl.language.circuit import Path as Way
from circuitdsl.language.diagnostics import nearest
from circuitdsl.language.environment import Environment, TaskInfo, TaskRef
from circuitdsl.language.format import print_tree
from circuitdsl.language.grammar import grammar
from circuitdsl.language.parse import parse
from circuitdsl.language.source import Source
from circuitdsl.language.statements import RESERVED

HOLDS: frozenset[Aspect] = frozenset(
    (
        "edges",
        "membership",
        "lone nodes",
        "mlps",
        "embeddings",
        "inputs",
        "joined inputs",
        "positions",
        "roles",
        "indirect",
    )
)
"""What a specification can say of a graph."""

UNNAMED = "nodes"
"""The role of nodes of which none is known."""


# --- graph -> specification --------------------------------------------------------------------------


@dataclass(frozen=True)
class Heading:
    """What a specification says before its circuit: its name, and the model and the task that it is about.

    ``task`` is written as in a specification, ``file("my.jsonl")``; file names count from ``folder``.
    """

    name: str
    model: str
    task: str
    folder: str = "."

    def __post_init__(self) -> None:
        """Raises InputError for what is no text."""
        for part in (self.name, self.model, self.task):
            require(part, str, "a heading is of texts", 'write Heading("found", "gpt2", "ioi")')
        require(self.folder, (str, Path), "files are named by a folder", 'write folder="specs"')


@checked
def to_spec(
    graph: Graph, heading: Heading, environment: Environment, positions: Mapping[str, str] | None = None
) -> Written:
    """The part of a graph that is in the circuit as a specification, in normal form.

    Edges become edges, senders of one layer that go to the same input in one statement; nodes become roles, unless they
    come with edges that carry everything (``Graph.recomputing``). ``positions`` names the graph's positions as the task
    does: {"18": "END"}. Raises InputError for a graph with nothing in the circuit, for positions that the task does not
    have, a node in two roles, and names that cannot be one; UnknownName for a task or model that is not known.
    """
    require(heading, Heading, "a specification has a Heading", 'write Heading("found", "gpt2", "ioi")')
    if not graph.members():
        scored = any(each.score is not None for each in (*graph.edges, *graph.nodes))
        raise InputError(
            "nothing is marked as being in the circuit",
            "choose by scores: --top 200 --by absolute, or --threshold 0.01 --by absolute"
            if scored
            else "it has no scores either to choose by: name a file that lists nodes or edges",
        )
    task_tree, info = _task(heading, environment)
    _check_shape(graph, environment.geometry(heading.model))
    named = renamed(graph, positions or {})
    _check_positions(named, info)
    as_edges = bool(named.included) and not named.recomputing
    fitted = fit(named, HOLDS - {"lone nodes", "embeddings"} if as_edges else HOLDS)
    taken = {info.name for info in info.positions}
    roles = () if as_edges else _roles(fitted.graph, taken)
    body: tuple[t.Statement, ...] = (
        *((t.About(t.Text(_one_line(graph.origin))),) if graph.origin else ()),
        t.Model(t.Name(heading.model), quoted=re.fullmatch(r"[\w.][\w./+-]*", heading.model, re.ASCII) is None),
        task_tree,
        *roles,
        *_edges(fitted.graph),
    )
    file = t.File((t.Circuit(t.Name(_name(heading.name, ())), body),))
    return Written(print_tree(file).encode("utf-8", "backslashreplace"), fitted.lost, fitted.added)


def _check_shape(graph: Graph, geometry: Geometry) -> None:
    shape = graph.geometry
    if (shape.n_layers, shape.n_heads) != (geometry.n_layers, geometry.n_heads):
        raise InputError(
            f"the circuit is one of {shape.model}, and {geometry.model} has another shape",
            f"name {shape.model} as the model, or read the file as one of {geometry.model}",
        )


@checked
def renamed(graph: Graph, positions: Mapping[str, str]) -> Graph:
    """The graph with other names of positions. Raises InputError for one that it does not have."""
    if not positions:
        return graph
    known = {str(node.position) for node in _nodes(graph)}
    for name in positions:
        if name not in known:
            raise InputError(f"no node stands at position {name}", f"positions: {', '.join(sorted(known))}")
    made = {name: _position(written) for name, written in positions.items()}

    def moved(node: Node) -> Node:
        return Node(node.component, made.get(str(node.position), node.position))

    edges = (
        replace(edge, sender=moved(edge.sender), receiver=edge.receiver and moved(edge.receiver))
        for edge in graph.edges
    )
    nodes = (replace(each, node=moved(each.node)) for each in graph.nodes)
    return replace(graph, edges=tuple(edges), nodes=tuple(nodes))


def _position(written: str) -> Position:
    found = re.fullmatch(r"(\w+)([+-]\d{1,6})?", written)
    if found is None:
        raise InputError(f"`{written[:80]}` is no position", "write a name, S2, or one with an offset, S1+1")
    return Position(found[1], int(found[2] or 0))


def _nodes(graph: Graph) -> Iterator[Node]:
    yield from (each.node for each in graph.nodes)
    yield from (node for edge in graph.edges for node in edge.nodes)


def _task(heading: Heading, environment: Environment) -> tuple[t.Task, TaskInfo]:
    """The task statement and what is known of the task. Raises SpecError or UnknownName for one that is none."""
    source = Source("--task", f"circuit c {{ task {heading.task} }}")
    (block,) = parse(source).blocks
    if not isinstance(block, t.Circuit) or len(block.body) != 1 or not isinstance(block.body[0], t.Task):
        raise InputError(f"`{heading.task[:80]}` is no task", 'write one as in a specification: ioi, file("my.jsonl")')
    arguments = tuple(
        (
            given.key.text if given.key else "",
            given.value.value if not isinstance(given.value, t.Name) else given.value.text,
        )
        for given in block.body[0].arguments
    )
    reference = TaskRef(block.body[0].name.text, arguments, heading.folder)
    return block.body[0], environment.task(reference)


def _check_positions(graph: Graph, info: TaskInfo) -> None:
    known = tuple(dict.fromkeys((*(each.name for each in info.positions), "END", "all")))
    for node in _nodes(graph):
        if node.position.name not in known:
            near = nearest(node.position.name, known)
            meant = f"did you mean {near}? " if near else ""
            raise InputError(
                f"{node.component} stands at position {node.position}, and task {info.name} has none of that name",
                f"{meant}say which it is: --position {node.position}=END; positions: {', '.join(known)}",
            )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _name(wanted: str, taken: Iterable[str]) -> str:
    """A name that the language accepts and that is not taken, as near to the wanted one as can be."""
    allowed = re.compile(grammar().lark.get_terminal("NAME").pattern.to_regexp())
    taken = {*taken, *RESERVED}
    name = re.sub(r"\W+", "_", wanted, flags=re.ASCII).strip("_") or "found"
    candidates = chain((name, f"r_{name}"), (f"r_{name}_{number}" for number in count(2)))
    return next(each for each in candidates if allowed.fullmatch(each) and each not in taken)


def _place(position: Position) -> t.Place:
    return t.Place(position.name, position.offset)


def _component(component: Component) -> t.Component:
    match component:
        case Head(layer, index):
            return t.Component(component.rule, (layer, index))
        case Mlp(layer):
            return t.Component(component.rule, (layer, None))
        case _:
            return t.Component(component.rule)


def _roles(graph: Graph, taken: Iterable[str]) -> Iterator[t.Role]:
    groups: dict[str, list[GraphNode]] = {}
    for each in graph.nodes:
        if each.included:
            default = UNNAMED if each.node.position == ALL else f"at_{each.node.position}"
            groups.setdefault(each.role or default, []).append(each)
    _check_roles(groups)
    names = set(taken)
    for wanted, members in groups.items():
        name = _name(wanted, names)
        names.add(name)
        places = {each.node.position for each in members}
        common = places.pop() if len(places) == 1 else None
        at = _place(common) if common is not None and common != ALL else None
        body = tuple(
            t.Member(_component(each.node.component), None if common is not None else _place(each.node.position))
            for each in members
        )
        yield t.Role(t.Name(name), at, body)


def _check_roles(groups: Mapping[str, list[GraphNode]]) -> None:
    first: dict[Node, str] = {}
    for role, members in groups.items():
        for each in members:
            other = first.setdefault(each.node, role)
            if other != role:
                raise InputError(
                    f"{each.node.component} is in roles {other} and {role} at the same position ({each.node.position})",
                    "a circuit lists a node once: leave it out of one of the roles",
                )


_Into = tuple[Node | None, Which, bool, Position, int]


def _edges(graph: Graph) -> Iterator[t.Edge]:
    """Edges into the same input, senders of one layer at one position in one statement."""
    groups: dict[tuple[Node | None, Which], dict[_Into, list[Component]]] = {}
    for edge in graph.included:
        into = groups.setdefault((edge.receiver, edge.which), {})
        key = (edge.receiver, edge.which, edge.direct, edge.sender.position, edge.sender.component.layer)
        into.setdefault(key, []).append(edge.sender.component)
    for into in groups.values():
        for (receiver, which, direct, position, _), senders in into.items():
            group = t.Group(tuple(t.Member(_component(each)) for each in senders), at=_place(position))
            yield t.Edge(group, _receiver(receiver, which), strict=direct)


def _receiver(receiver: Node | None, which: Which) -> t.Group | t.Logits:
    if receiver is None:
        return t.Logits()
    letter = "" if which == ANY_INPUT else which
    return t.Group((t.Member(_component(receiver.component)),), letter, _place(receiver.position))


# --- specification -> graph --------------------------------------------------------------------------


@checked
def of_circuit(circuit: Circuit) -> Graph:
    """The nodes of a circuit's roles and the edges that it states; what is denied (``no edge``) is not among them.

    Raises InputError for components of kinds that other tools do not know.
    """
    nodes = tuple(GraphNode(node, role=role.name) for role in circuit.roles for node in role.nodes)
    edges = {edge.ends: edge for edge in _edges_of(circuit)}
    for node in (*(each.node for each in nodes), *(node for edge in edges.values() for node in edge.nodes)):
        if not isinstance(node.component, Head | Mlp | Embed | PosEmbed):
            raise InputError(
                f"{node.component} is of a kind that no other tool's format has", "leave it out of what is exported"
            )
    return Graph(circuit.geometry, tuple(edges.values()), nodes, recomputing=True, origin=circuit.file)


def _edges_of(circuit: Circuit) -> Iterator[GraphEdge]:
    for claim in circuit.edge_claims():
        way = dict(claim.term.arguments)["path"]
        assert isinstance(way, Way)
        for sender in way.senders.nodes:
            for receiver, which in _inputs(way):
                yield GraphEdge(sender, receiver, which, direct="strict" in claim.term.options)


_LETTERS: Mapping[str, Which] = {"q": "q", "k": "k", "v": "v", "": ""}


def _inputs(way: Way) -> Iterator[tuple[Node | None, Which]]:
    receivers = way.receivers
    if isinstance(receivers, LogitsReceiver):
        yield None, ""
    elif receivers.inputs == ANY_INPUT:
        for node in receivers.nodes:
            yield node, "qkv" if node.component.inputs else ""
    else:
        for node, letter in receivers.reads():
            yield node, _LETTERS[letter]


@checked
def unsaid(circuit: Circuit) -> tuple[str, ...]:
    """What a specification says and no other format has: its claims but for those that there is a node or an edge."""
    kinds = [claim.kind for claim in circuit.claims]
    floor = circuit.method.floor
    plain = Bound("outside", -floor, floor)
    bounds = sum(claim.bound != plain for claim in circuit.edge_claims())
    named = sum(bool(claim.term.named_counterfactual) for claim in circuit.edge_claims())
    found = (
        counted(kinds.count("expect"), "`expect` claim"),
        counted(kinds.count("no edge"), "`no edge` claim"),
        counted(kinds.count("control task"), "`control task` claim"),
        f"the bounds of {counted(bounds, 'edge')}" if bounds else "",
        f"the counterfactual that {counted(named, 'edge')} name{'s' * (named == 1)}" if named else "",
        f"the model ({circuit.model}), the task ({circuit.task}) and the method",
    )
    return tuple(filter(None, found))

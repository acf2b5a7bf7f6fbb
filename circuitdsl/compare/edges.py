"""The edges that a circuit claims, between its roles and between its single components."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from circuitdsl.components import Component, Head, Mlp
from circuitdsl.language.circuit import Circuit, LogitsReceiver, Nodes, Path, Receivers

End = Nodes | Receivers | LogitsReceiver


class Edge(NamedTuple):
    """Information that flows into one input, "q", "k" or "v"; "" for the logits and for an MLP."""

    sender: str
    receiver: str
    input: str

    def __str__(self) -> str:
        return f"{self.sender} -> {self.receiver}" + (f".{self.input}" if self.input else "")


Stated = Literal["edge", "no edge"]


def role_edges(circuit: Circuit, stated: Stated = "edge") -> tuple[Edge, ...]:
    """The claimed edges between roles, one for each input, each once; an end without a role is a component.

    With ``"no edge"`` those that the circuit claims not to be there.
    """
    found = (
        Edge(sender, receiver, letter)
        for path in _paths(circuit, stated)
        for sender in _roles(circuit, path.senders)
        for receiver in _roles(circuit, path.receivers)
        for letter in _inputs(path)
    )
    return tuple(dict.fromkeys(found))


def head_edges(circuit: Circuit) -> tuple[Edge, ...]:
    """The claimed edges between single components, one for each input, without positions.

    A pair that the model's order of computation rules out (a later layer to an earlier one) is no edge.
    """
    found = (
        Edge(_written(sender), _written(receiver), letter)
        for path in _paths(circuit, "edge")
        for sender in _components(path.senders)
        for receiver, letter in _read(path)
        if _depth(sender) < _depth(receiver)
    )
    return tuple(dict.fromkeys(found))


def _paths(circuit: Circuit, stated: Stated) -> Iterator[Path]:
    for claim in circuit.claims:
        if claim.kind == stated:
            path = dict(claim.term.arguments)["path"]
            assert isinstance(path, Path)
            yield path


def _read(path: Path) -> tuple[tuple[Component | LogitsReceiver, str], ...]:
    """What the path ends at, by component and input, each once."""
    if isinstance(path.receivers, LogitsReceiver):
        return ((path.receivers, ""),)
    return tuple(dict.fromkeys((node.component, letter) for node, letter in path.receivers.reads()))


def _inputs(path: Path) -> tuple[str, ...]:
    """The inputs that the path leads into, each once; ``edge a -> b`` is three edges."""
    return tuple(dict.fromkeys(letter for _, letter in _read(path)))


def _roles(circuit: Circuit, end: End) -> tuple[str, ...]:
    """The roles that an end of an edge stands for, then the components that belong to none of them."""
    if isinstance(end, LogitsReceiver):
        return (end.label,)
    if any(role.name == end.label for role in circuit.roles):
        return (end.label,)
    components = _components(end)
    # Components, not nodes: the nodes of a k or v receiver carry the key position, not the role's own.
    inside = [role for role in circuit.roles if {node.component for node in role.nodes} <= set(components)]
    covered = {node.component for role in inside for node in role.nodes}
    return tuple(role.name for role in inside) + tuple(_written(c) for c in components if c not in covered)


def _components(end: End) -> tuple[Component | LogitsReceiver, ...]:
    if isinstance(end, LogitsReceiver):
        return (end,)
    return tuple(dict.fromkeys(node.component for node in end.nodes))


def _written(component: Component | LogitsReceiver) -> str:
    return component.label if isinstance(component, LogitsReceiver) else str(component)


def _depth(component: Component | LogitsReceiver) -> tuple[float, int]:
    """Where a component stands in the order of computation; in a layer the MLP reads after the heads."""
    match component:
        case Head(layer=layer):
            return (layer, 0)
        case Mlp(layer=layer):
            return (layer, 1)
        case LogitsReceiver():
            return (float("inf"), 0)
        case _:
            return (-1, 0)

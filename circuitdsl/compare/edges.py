"""The edges that a circuit claims, between its roles and between its single components."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from circuitdsl.components import Component, can_carry
from circuitdsl.language.circuit import Bound, Circuit, Control, LogitsReceiver, Nodes, Path, Receivers

End = Nodes | Receivers | LogitsReceiver


class Edge(NamedTuple):
    """Information that flows into one input, "q", "k" or "v"; "" for the logits and for an MLP.

    "k of group" is the key of all heads that share it, which is another input than the own copies of single heads.
    """

    sender: str
    receiver: str
    input: str

    def __str__(self) -> str:
        return f"{self.sender} -> {self.receiver}" + (f".{self.input}" if self.input else "")


def inputs_text(inputs: Iterable[str]) -> str:
    """Inputs of edges between the same two, as one label: ``kv``, or ``k, v of group``."""
    some = tuple(inputs)
    return (", " if any(" " in each for each in some) else "").join(some)


Stated = Literal["edge", "no edge"]

Direction = Literal["raises", "lowers", ""]
"""What an edge's senders are claimed to do to the metric; "" where that is not said, or not the same everywhere."""


def opposed(one: Direction, other: Direction) -> bool:
    """Whether one raises the metric and the other lowers it."""
    return {one, other} == {"raises", "lowers"}


def role_edges(circuit: Circuit) -> Mapping[Edge, Direction]:
    """The claimed edges between roles, one for each input; an end without a role is a component."""
    claims = _paths(circuit, "edge")
    return _directed((edge, direction) for path, direction, _ in claims for edge in _between_roles(circuit, path))


def patched_from(circuit: Circuit, stated: Stated) -> Mapping[Edge, frozenset[str]]:
    """The counterfactuals by which a circuit claims its edges between roles to be there, or not to be."""
    found: dict[Edge, frozenset[str]] = {}
    for path, _, against in _paths(circuit, stated):
        for edge in _between_roles(circuit, path):
            found[edge] = found.get(edge, frozenset()) | {against}
    return found


def _between_roles(circuit: Circuit, path: Path) -> Iterator[Edge]:
    for sender in _roles(circuit, path.senders):
        for receiver in _roles(circuit, path.receivers):
            yield from (Edge(sender, receiver, letter) for letter in _inputs(path))


def head_edges(circuit: Circuit) -> Mapping[Edge, Direction]:
    """The claimed edges between single components, one for each input, without positions.

    A pair that the model's order of computation rules out (a later layer to an earlier one) is no edge.
    """
    return _directed(
        (Edge(_written(sender), _written(receiver), letter), direction)
        for path, direction, _ in _paths(circuit, "edge")
        for sender in _components(path.senders)
        for receiver, letter in _read(path)
        if _carries(circuit, sender, receiver)
    )


def components_of_edges(circuit: Circuit) -> Iterator[Component]:
    """The components that claimed edges name, by themselves or as a role's."""
    for path, *_ in _paths(circuit, "edge"):
        ends = (*_components(path.senders), *_components(path.receivers))
        yield from (end for end in ends if not isinstance(end, LogitsReceiver))


def _directed(claimed: Iterable[tuple[Edge, Direction]]) -> Mapping[Edge, Direction]:
    found: dict[Edge, set[Direction]] = {}
    for edge, direction in claimed:
        found.setdefault(edge, set()).add(direction)
    said = {edge: directions - {""} for edge, directions in found.items()}
    return {edge: next(iter(directions)) if len(directions) == 1 else "" for edge, directions in said.items()}


def _paths(circuit: Circuit, stated: Stated) -> Iterator[tuple[Path, Direction, str]]:
    """The paths that are claimed, which way, and the counterfactual that they are patched from."""
    for claim in circuit.claims:
        if claim.kind == stated:
            path = dict(claim.term.arguments)["path"]
            assert isinstance(path, Path)
            yield path, _direction(claim.bound), claim.term.named_counterfactual or circuit.method.against


def _direction(bound: Bound | Control) -> Direction:
    """On which side of zero a bound lets an effect be: senders raise the metric if it falls without them."""
    if not isinstance(bound, Bound) or bound.op in ("outside", "inside"):
        return ""
    if bound.high is not None and bound.high <= 0:
        return "raises"
    return "lowers" if bound.low is not None and bound.low >= 0 else ""


def _read(path: Path) -> tuple[tuple[Component | LogitsReceiver, str], ...]:
    """What the path ends at, by component and input, each once."""
    if isinstance(path.receivers, LogitsReceiver):
        return ((path.receivers, ""),)
    group = " of group" * path.receivers.of_group
    return tuple(dict.fromkeys((node.component, letter + group) for node, letter in path.receivers.reads()))


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


def _carries(circuit: Circuit, sender: Component | LogitsReceiver, receiver: Component | LogitsReceiver) -> bool:
    if isinstance(sender, LogitsReceiver) or isinstance(receiver, LogitsReceiver):
        return isinstance(receiver, LogitsReceiver)
    return can_carry(sender, receiver, circuit.geometry.parallel_attn_mlp)

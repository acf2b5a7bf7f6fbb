"""Circuits and reports made by hand, for tests that need no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from circuitdsl.language.circuit import (
    Bound,
    Circuit,
    Claim,
    Component,
    Control,
    Head,
    LogitsReceiver,
    Method,
    Mlp,
    Node,
    Nodes,
    Path,
    Position,
    Receivers,
    Role,
    Term,
)
from circuitdsl.language.environment import Geometry, PositionInfo, TaskInfo, TaskRef

TASK = TaskInfo(
    name="ioi",
    about="Indirect object identification",
    positions=tuple(PositionInfo(name, f"the token {name}") for name in ("IO", "S1", "S2", "END")),
    counterfactuals=(("abc", "three unrelated names"),),
    default_counterfactual="abc",
    templates=15,
)


def geometry(layers: int = 12, heads: int = 12, model: str = "toy") -> Geometry:
    return Geometry(
        model=model,
        n_layers=layers,
        n_heads=heads,
        n_kv_heads=heads,
        d_model=64,
        d_head=8,
        d_mlp=0,
        d_vocab=100,
        n_ctx=64,
    )


def component(written: str) -> Component:
    if written.startswith("mlp"):
        return Mlp(int(written.removeprefix("mlp")))
    layer, index = written.split(".")
    return Head(int(layer), int(index))


def position(written: str) -> Position:
    name, plus, offset = written.partition("+")
    return Position(name, int(offset) if plus else 0)


def role(name: str, written: str, line: int = 0) -> Role:
    """A role from ``"9.6 9.9 at END"``; an MLP is written ``mlp5``."""
    nodes, _, at = written.partition(" at ")
    place = position(at or "END")
    return Role(name, tuple(Node(component(node), place) for node in nodes.split()), line=line)


def edge_path(roles: Iterable[Role], written: str) -> Path:
    """A path from ``"a -> b.kv"``; ends are roles, single heads, groups ``"a + b"`` or ``logits``."""
    by_name = {role.name: role for role in roles}

    def nodes(end: str) -> tuple[Node, ...]:
        found = [
            by_name[name].nodes if name in by_name else (Node(component(name), Position("END")),)
            for name in end.split(" + ")
        ]
        return tuple(node for group in found for node in group)

    sender, _, target = written.partition(" -> ")
    senders = Nodes(sender, nodes(sender))
    if target == "logits":
        return Path(senders, LogitsReceiver())
    end, _, letters = target.rpartition(".")
    return Path(senders, Receivers(end, nodes(end), letters))


def edge_claim(circuit: str, roles: Iterable[Role], written: str, line: int) -> Claim:
    return Claim(
        id=f"{circuit}:{line}",
        line=line,
        text=f"edge {written}",
        kind="edge",
        term=Term("effect", (("path", edge_path(roles, written)),)),
        bound=Bound("outside", -0.01, 0.01),
    )


def expect(circuit: str, line: int, measure: str, bound: Bound | Control, text: str = "") -> Claim:
    return Claim(
        id=f"{circuit}:{line}",
        line=line,
        text=text or f"expect {measure}",
        kind="expect",
        term=Term(measure),
        bound=bound,
    )


def circuit(
    name: str,
    roles: Mapping[str, str],
    edges: Iterable[str] = (),
    shape: Geometry | None = None,
    claims: Iterable[Claim] = (),
) -> Circuit:
    """A circuit from roles written as :func:`role` reads them and edges as :func:`edge_path` does."""
    made = tuple(role(key, written, line) for line, (key, written) in enumerate(roles.items(), start=2))
    first = len(made) + 2
    shape = shape or geometry()
    return Circuit(
        name=name,
        file=f"specs/{name}.circuit",
        model=shape.model,
        geometry=shape,
        task=TaskRef("ioi"),
        task_info=TASK,
        method=Method(against="abc"),
        roles=made,
        claims=tuple(edge_claim(name, made, edge, line) for line, edge in enumerate(edges, start=first))
        + tuple(claims),
        line=1,
    )

"""The arguments of a claim as plain data, for the JSON report."""

from __future__ import annotations

from circuitdsl.language.circuit import (
    Argument,
    At,
    Circuits,
    Elements,
    FromTo,
    LogitsReceiver,
    Node,
    Nodes,
    Path,
    Reads,
    Receivers,
    Term,
    Token,
)


def subject(term: Term) -> dict[str, object]:
    """The arguments of a term by parameter name, and its options."""
    described: dict[str, object] = {name: _describe(argument) for name, argument in term.arguments}
    if term.options:
        described["options"] = list(term.options)
    if term.minus_baseline:
        described["minus"] = "baseline"
    return described


def _describe(argument: Argument) -> object:
    match argument:
        case Nodes(label=label, nodes=nodes):
            return {"label": label, "nodes": _nodes(nodes)}
        case Path(senders=senders, receivers=receivers):
            return {"senders": _describe(senders), "receivers": _receivers(receivers)}
        case At(position=position):
            return str(position)
        case FromTo(query=query, key=key):
            return {"from": str(query), "to": str(key)}
        case Token():
            return _token(argument)
        case Reads(position=position, token=token):
            return {"reads": str(position), "token": _token(token)}
        case Elements(kind=kind, pair=pair):
            return {"kind": kind, "pair": list(pair)} if kind == "pair" else {"kind": kind}
        case Circuits(left=left, right=right):
            return {"left": left, "right": right}


def _receivers(receivers: Receivers | LogitsReceiver) -> object:
    if isinstance(receivers, LogitsReceiver):
        return {"label": "logits"}
    return {"label": receivers.label, "input": receivers.inputs, "nodes": _nodes(receivers.nodes)}


def _nodes(nodes: tuple[Node, ...]) -> list[dict[str, str]]:
    return [{"component": str(node.component), "position": str(node.position)} for node in nodes]


def _token(token: Token) -> str:
    return str(token.position) if token.position else "answer"

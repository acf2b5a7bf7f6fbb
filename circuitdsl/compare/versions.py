"""What became of a specification: two versions of one circuit, compared by what they mean and not by their lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from circuitdsl.language.circuit import (
    Argument,
    At,
    Circuit,
    Circuits,
    Claim,
    Elements,
    FromTo,
    LogitsReceiver,
    Nodes,
    Path,
    Reads,
    Receivers,
    Term,
    Token,
)


@dataclass(frozen=True)
class Change:
    """One thing that differs; ``before`` or ``after`` is "" where a version lacks it."""

    kind: str  # "model", "task", "method", "role", "claim"
    what: str
    before: str
    after: str

    def to_dict(self) -> dict[str, str]:
        return {"kind": self.kind, "what": self.what, "before": self.before, "after": self.after}


def changes(before: Circuit, after: Circuit) -> tuple[Change, ...]:
    """What differs in meaning; order, comments, lines and spelling do not count.

    Claims are the same if they measure the same of the same: then another bound is a change of it. That a listed head
    matters goes without saying once it is listed, so it is not named again beside its role.
    """
    found = (_settings(before, after), _roles(before, after), _claims(before, after))
    return tuple(change for some in found for change in some)


def _settings(before: Circuit, after: Circuit) -> Iterator[Change]:
    pairs = [("model", "", before.model, after.model), ("task", "", str(before.task), str(after.task))]
    pairs += [
        ("method", each.name, str(getattr(before.method, each.name)), str(getattr(after.method, each.name)))
        for each in fields(before.method)
    ]
    for kind, what, old, new in pairs:
        if old != new:
            yield Change(kind, what, old, new)


def _roles(before: Circuit, after: Circuit) -> Iterator[Change]:
    old, new = ({role.name: frozenset(map(str, role.nodes)) for role in circuit.roles} for circuit in (before, after))
    for name in dict.fromkeys((*old, *new)):
        ours, theirs = old.get(name, frozenset()), new.get(name, frozenset())
        if ours != theirs or (name in old) != (name in new):
            yield Change("role", name, _listed(ours - theirs), _listed(theirs - ours))


def _listed(nodes: Iterable[str]) -> str:
    return ", ".join(sorted(nodes))


def _claims(before: Circuit, after: Circuit) -> Iterator[Change]:
    old, new = (_by_subject(circuit.claims) for circuit in (before, after))
    for subject in dict.fromkeys((*old, *new)):
        ours, theirs = old.get(subject, ()), new.get(subject, ())
        if {claim.bound for claim in ours} != {claim.bound for claim in theirs}:
            yield Change("claim", subject, _texts(ours), _texts(theirs))


def _by_subject(claims: Iterable[Claim]) -> dict[str, tuple[Claim, ...]]:
    found: dict[str, tuple[Claim, ...]] = {}
    for claim in claims:
        if claim.kind != "member":
            subject = _spelled(claim.term)
            found[subject] = (*found.get(subject, ()), claim)
    return found


def _texts(claims: Iterable[Claim]) -> str:
    return "; ".join(claim.text for claim in claims)


def _spelled(term: Term) -> str:
    """A term by the names that the specification gives to things: a role stays itself when its heads change."""
    inside = [*(_argument(argument) for _, argument in term.arguments), *term.options]
    less = " - baseline" if term.minus_baseline else ""
    return term.measure + (f"({', '.join(inside)})" if inside else "") + less


def _argument(argument: Argument) -> str:
    match argument:
        case Nodes(label=label):
            return label
        case Path(senders=senders, receivers=receivers):
            return f"{senders.label} -> {_receivers(receivers)}"
        case At(position=position):
            return str(position)
        case FromTo(query=query, key=key):
            return f"{query} -> {key}"
        case Token():
            return _token(argument)
        case Reads(position=position, token=token):
            return f"{position} -> {_token(token)}"
        case Elements(kind=kind, pair=pair):
            return " ~ ".join(pair) if kind == "pair" else kind
        case Circuits(left=left, right=right):
            return f"{left} -> {right}"


def _receivers(receivers: Receivers | LogitsReceiver) -> str:
    if isinstance(receivers, LogitsReceiver):
        return receivers.label
    return f"{receivers.label}.{receivers.inputs}" if receivers.inputs else receivers.label


def _token(token: Token) -> str:
    return str(token.position) if token.position else "answer"

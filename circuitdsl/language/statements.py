"""What all blocks have in common: names that can be given, and claims beside the statements that make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuitdsl.language import tree as t
from circuitdsl.language.circuit import Circuit, LogitsReceiver, Path, Term
from circuitdsl.language.claims import Draft
from circuitdsl.language.diagnostics import Collector, suggestion
from circuitdsl.language.source import Span

RESERVED = frozenset({"all", "answer", "baseline", "END"})


def check_name(name: t.Name, collector: Collector) -> None:
    """Report a name that has a meaning of its own."""
    if name.text in RESERVED:
        message = f"`{name.text}` has a meaning of its own and cannot be a name"
        collector.add("C209", message, name.span, "choose another name")


def is_known(name: t.Name, circuits: Mapping[str, Circuit | None], collector: Collector) -> bool:
    """Whether there is such a circuit, right or wrong in itself; says so if there is none."""
    if name.text in circuits:
        return True
    remedy = suggestion(name.text, circuits, "circuit") + '; make others known with `use "file.circuit"`'
    collector.add("C204", f"there is no circuit `{name.text}`", name.span, remedy)
    return False


@dataclass(frozen=True)
class Placed:
    """A draft with the span of the statement that makes it."""

    claim: Draft
    span: Span


def check_repeats(drafts: Sequence[Placed], collector: Collector) -> None:
    """Report claims that are made twice: an edge between the same nodes, or the very same expectation."""
    firsts: dict[object, Placed] = {}
    for placed in drafts:
        claim = placed.claim
        if claim.kind == "member":
            continue
        key = _path_key(claim.term) if claim.kind != "expect" else (claim.term, claim.bound)
        if key in firsts:
            first = firsts[key]
            note = f"the first is at {first.span}"
            does = "repeats" if first.claim.kind == claim.kind else "contradicts"
            if first.span != placed.span:  # within a statement the group repeats itself, which has been reported
                collector.add("C215", f"`{claim.text}` {does} a claim", placed.span, "leave one out", note)
        firsts.setdefault(key, placed)


def _path_key(term: Term) -> object:
    path = dict(term.arguments)["path"]
    assert isinstance(path, Path)
    receivers = path.receivers
    target = () if isinstance(receivers, LogitsReceiver) else (frozenset(receivers.nodes), receivers.inputs)
    return frozenset(path.senders.nodes), target

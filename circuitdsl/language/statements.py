"""What all blocks have in common: names, texts about a block, and claims beside the statements that make them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from circuitdsl.language import tree as t
from circuitdsl.language.circuit import Against, Circuit, LogitsReceiver, Path, Term
from circuitdsl.language.claims import Draft
from circuitdsl.language.diagnostics import Collector, suggestion
from circuitdsl.language.source import Span

RESERVED = frozenset({"all", "answer", "baseline", "END"})

S = TypeVar("S", bound=t.Syntax)


def check_name(name: t.Name, collector: Collector) -> None:
    """Report a name that has a meaning of its own."""
    if name.text in RESERVED:
        message = f"`{name.text}` has a meaning of its own and cannot be a name"
        collector.add("C209", message, name.span, "choose another name")
    elif "[" in name.text:
        message = f"`{name.text}` has brackets, in which the variable of a `for` stands, and here is none"
        collector.add("C219", message, name.span, "leave the brackets out")


def is_known(name: t.Name, circuits: Mapping[str, Circuit | None], collector: Collector) -> bool:
    """Whether there is such a circuit, right or wrong in itself; says so if there is none."""
    if name.text in circuits:
        return True
    remedy = suggestion(name.text, circuits, "circuit") + '; make others known with `use "file.circuit"`'
    collector.add("C204", f"there is no circuit `{name.text}`", name.span, remedy)
    return False


def every(body: Sequence[t.Syntax], kind: type[S]) -> list[S]:
    return [statement for statement in body if isinstance(statement, kind)]


def only(body: Sequence[t.Syntax], kind: type[S], subject: str, collector: Collector) -> S | None:
    """The one statement of a kind, None if there is none; others are reported. ``subject`` names the block."""
    first, *others = every(body, kind) or [None]
    for other in others:
        if first is not None and other is not None:
            message = f"{subject} has two `{kind.__name__.lower()}` statements"
            collector.add("C208", message, other.span, "leave one out", f"the first is at {first.span}")
    return first


def about_text(body: Sequence[t.Syntax], subject: str, collector: Collector) -> str:
    """What the one ``about`` says, "" if there is none; others are reported."""
    about = only(body, t.About, subject, collector)
    return about.text.value if about else ""


def cite_texts(body: Sequence[t.Syntax]) -> tuple[str, ...]:
    return tuple(cite.text.value for cite in every(body, t.Cite))


@dataclass(frozen=True)
class Placed:
    """A draft with the span of the statement that makes it."""

    claim: Draft
    span: Span


def check_repeats(drafts: Sequence[Placed], collector: Collector, against: str) -> None:
    """Report claims that are made twice: an edge between the same nodes, or the very same expectation. Patches are from
    the counterfactual ``against`` where a claim names none."""
    firsts: dict[object, Placed] = {}
    for placed in drafts:
        claim = placed.claim
        if claim.kind == "member":
            continue
        key = _key(claim), claim.term.named_counterfactual or against
        if key in firsts:
            first = firsts[key]
            note = f"the first is at {first.span}"
            does = "repeats" if first.claim.kind == claim.kind else "contradicts"
            if first.span != placed.span:  # within a statement the group repeats itself, which has been reported
                collector.add("C215", f"`{claim.text}` {does} a claim", placed.span, "leave one out", note)
        firsts.setdefault(key, placed)


def check_labels(body: Sequence[t.Syntax], collector: Collector) -> None:
    """Report labels that cannot be names, and those that several statements of a block have."""
    firsts: dict[str, t.Name] = {}
    for label in _labels(body):
        check_name(label, collector)
        first = firsts.setdefault(label.text, label)
        if first is not label:
            message = f"there already is a claim `{label.text}`"
            again = first.span == label.span
            remedy = "have the variable of the `for` in it: `claim_[n]`" if again else "give it another label"
            collector.add("C224", message, label.span, remedy, *([] if again else [f"the first is at {first.span}"]))


def _labels(body: Sequence[t.Syntax]) -> Iterator[t.Name]:
    for statement in body:
        if isinstance(statement, t.Role):
            yield from _labels(statement.body)
        elif isinstance(statement, t.StatedClaim) and statement.label:
            yield statement.label


def _key(claim: Draft) -> object:
    """What is alike in claims that are made twice, but for what their patches are from."""
    bare = tuple((name, each) for name, each in claim.term.arguments if not isinstance(each, Against))
    match claim.kind:
        case "edge" | "no edge":
            return _path_key(claim.term), claim.term.options
        case "control task":
            return claim.term
        case "expect" | "member":
            return replace(claim.term, arguments=bare), claim.bound


def _path_key(term: Term) -> object:
    path = dict(term.arguments)["path"]
    assert isinstance(path, Path)
    receivers = path.receivers
    target = frozenset[object]() if isinstance(receivers, LogitsReceiver) else frozenset(receivers.reads())
    return frozenset(path.senders.nodes), target

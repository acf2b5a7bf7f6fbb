"""Nodes that stand, feed and look alike are a role; its name says what it was measured to do, and else has a number.

Alike are nodes at one position that feed most the same kind of input (the logits, a query, a key or value, an MLP),
with the same sign, and, of heads, that look most at the same position, if they attend there on average by ``LOOKS``.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from circuitdsl.check.bench import Bench
from circuitdsl.components import Head, Node, Position
from circuitdsl.draft.figures import alone, attention, copying, estimates, measured, score
from circuitdsl.draft.places import Places
from circuitdsl.judge.estimates import NOTHING, Estimate
from circuitdsl.language.circuit import Circuit, Nodes, Term
from circuitdsl.measures.heads import BEHAVIOURS
from circuitdsl.measures.measurement import Measurement
from circuitdsl.outcome.draft import DraftRole, Fed, Into

LOOKS = 0.3
"""The least attention, on average, that a head looks at a position with."""

CLEAR = 0.5
"""A name rests on a figure whose interval lies above this."""

READS = 0.4
"""The same of attention."""

ATTENDED = 0.1
"""Heads are asked for what they read beside the named positions where they attend by this on average."""


@dataclass(frozen=True)
class Named:
    """A role with the terms, and their figures, that its name rests on; ``reads`` are positions that it may read."""

    role: DraftRole
    reads: tuple[Position, ...]
    behaviour: tuple[tuple[Term, Estimate], ...] = ()


class Alike(NamedTuple):
    """What nodes of one role have in common."""

    position: Position
    head: bool
    fed: str
    raises: bool
    looks: Position | None


def new_roles(
    fed: Sequence[Fed], taken: Iterable[str], places: Places, circuit: Circuit, bench: Bench
) -> tuple[Named, ...]:
    """The roles of nodes that were found in a stage; ``taken`` are names that there are already."""
    strongest: dict[Node, Fed] = {}
    for each in sorted(fed, key=lambda one: -abs(one.estimate.value or 0)):
        if each.sender.component.claims_to_matter:
            strongest.setdefault(each.sender, each)
    attends = attention_of(tuple(strongest), places, circuit, bench)
    groups: dict[Alike, list[Node]] = {}
    for node, each in strongest.items():
        groups.setdefault(_alike(each, attends[node]), []).append(node)
    names = set(taken)
    found: list[Named] = []
    for alike, nodes in groups.items():
        reads = _reads(alike.position, nodes, attends, places)
        made = named(alike, nodes, fed[0].stage, names, circuit, bench)
        names.add(made.role.name)
        found.append(replace(made, reads=reads))
    return tuple(found)


def _order(node: Node) -> tuple[int, int]:
    component = node.component
    return component.layer, component.index if isinstance(component, Head) else 0


def _alike(each: Fed, attends: Mapping[Position, float]) -> Alike:
    raises = (each.estimate.value or 0) < 0
    head = isinstance(each.sender.component, Head)
    return Alike(each.sender.position, head, kind_of(each.into), raises, looks_at(attends))


def looks_at(attends: Mapping[Position, float]) -> Position | None:
    """The position that a head looks at most, if it does so by ``LOOKS``."""
    most = max(attends, key=lambda place: attends[place], default=None)
    return most if most is not None and attends[most] >= LOOKS else None


def kind_of(into: Into) -> str:
    """What kind of input something is; keys and values are one, as heads often feed both."""
    if not into.role:
        return "logits"
    return {"q": "q", "": "mlp"}.get(into.input, "kv")


def attention_of(
    nodes: Sequence[Node], places: Places, circuit: Circuit, bench: Bench
) -> dict[Node, dict[Position, float]]:
    """How much every head attends to each position that it can read."""
    asked = [
        (node, place) for node in nodes if isinstance(node.component, Head) for place in places.before(node.position)
    ]
    terms = [attention(alone(node), node.position, place) for node, place in asked]
    found: dict[Node, dict[Position, float]] = {node: {} for node in nodes}
    for (node, place), each in zip(asked, measured(bench, circuit, terms), strict=True):
        if isinstance(each, Measurement):
            found[node][place] = bench.weighed(each).value
    return found


def _reads(
    position: Position, nodes: Sequence[Node], attends: Mapping[Node, Mapping[Position, float]], places: Places
) -> tuple[Position, ...]:
    """Where keys and values are looked at: at all named positions, and beside them where one of the heads attends."""
    return tuple(
        place
        for place in places.before(position)
        if place in places.named or any(attends[node].get(place, 0) >= ATTENDED for node in nodes)
    )


# --- names -------------------------------------------------------------------------------------------


def named(
    alike: Alike, nodes: Iterable[Node], stage: int, taken: Collection[str], circuit: Circuit, bench: Bench
) -> Named:
    """A role of nodes that are alike, under a name that is not ``taken``; what it reads is not looked at."""
    ordered = tuple(sorted(nodes, key=_order))
    behaviour = _behaviour(alike, ordered, circuit, bench) if alike.head else {}
    wanted, by = _name_of(alike, behaviour)
    name = next(each for each in _variants(wanted) if each not in taken)
    label = Nodes(name, ordered)
    shown = dict.fromkeys((*by, *(term for term in behaviour if term.measure == "attention")))
    rows = tuple((_called(term, label), behaviour[term]) for term in shown if _is_clear(behaviour[term], LOOKS))
    return Named(DraftRole(name, ordered, stage, tuple(_said(*each) for each in rows)), (), rows)


def _behaviour(alike: Alike, nodes: tuple[Node, ...], circuit: Circuit, bench: Bench) -> dict[Term, Estimate]:
    group = Nodes("", nodes)
    scores = [score(f"{kind}_score", group) for kind, _ in BEHAVIOURS]
    found = dict(zip(scores, estimates(bench, circuit, scores), strict=True))
    if alike.looks is not None:
        looks = [
            attention(group, alike.position, alike.looks),
            *(copying(name, group, alike.looks) for name in ("copying", "anti_copying")),
        ]
        found |= dict(zip(looks, estimates(bench, circuit, looks), strict=True))
    return found


def _name_of(alike: Alike, behaviour: Mapping[Term, Estimate]) -> tuple[str, tuple[Term, ...]]:
    """A name, and the terms whose figures it rests on; ``role`` where none is clear."""
    if not alike.head:
        return f"mlps_{_word(alike.position)}", ()
    clear = {
        term.measure: term
        for term, found in behaviour.items()
        if _is_clear(found, READS if term.measure == "attention" else CLEAR)
    }
    copies = "copying" if alike.raises else "anti_copying"
    if alike.fed == "logits" and copies in clear:
        return "mover" if alike.raises else "negative_mover", (clear[copies],)
    for kind, _ in BEHAVIOURS:
        if f"{kind}_score" in clear:
            return kind, (clear[f"{kind}_score"],)
    if "attention" in clear and alike.looks is not None:
        return f"reader_of_{_word(alike.looks)}", (clear["attention"],)
    return "role", ()


def _is_clear(found: Estimate, least: float) -> bool:
    return found is not NOTHING and found.low is not None and found.low >= least


def _variants(wanted: str) -> Iterator[str]:
    """A name, and the same with numbers; what is not clear has one in any case."""
    if wanted != "role":
        yield wanted
    yield from (f"{wanted}_{number}" for number in range(1 if wanted == "role" else 2, 10_000))


def _word(place: Position) -> str:
    """A position as a part of a name.

    >>> _word(Position("S1", 4))
    'S1_plus_4'
    """
    return f"{place.name}_plus_{place.offset}" if place.offset else place.name


def _called(term: Term, nodes: Nodes) -> Term:
    """A term of the role under its name."""
    (_, _), *rest = term.arguments
    return Term(term.measure, (("heads", nodes), *rest))


def _said(term: Term, found: Estimate) -> str:
    ends = [found.value, found.low, found.high]
    value, low, high = (round(100 * end) if end is not None and math.isfinite(end) else "?" for end in ends)
    return f"{term} {value}% [{low}, {high}]"

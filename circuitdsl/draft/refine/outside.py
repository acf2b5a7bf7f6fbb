"""Nodes that act and are not listed: heads that no role has, and listed components at other places.

A head may act only where others are gone, as a backup does. So it is knocked out in the whole model, and, if that tells
nothing, again where a role is gone that the circuit misses by more, or less, than the model does (completeness, beyond
what is off anyway). What all prompts would not find is measured on fewer (``judge.race``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from circuitdsl.check.search import Told, looks_with, raced
from circuitdsl.components import ALL, Component, Node, Position, all_heads
from circuitdsl.draft.places import Places, tokens_at
from circuitdsl.draft.refine.inquiry import Answer, Inquiry, Survey, Test
from circuitdsl.judge.verdicts import false_discovery, p_value
from circuitdsl.language.circuit import Bound, Circuit, Role, Term
from circuitdsl.measures.ablation import done_outside, knocked_out_beyond
from circuitdsl.measures.measurement import Asking, Failure, Measurement, Request, data_of
from circuitdsl.plan.circuit import sketches_of, worth_sketching
from circuitdsl.plan.job import Job, Started
from circuitdsl.tasks.prompts import Prompt


@dataclass(frozen=True)
class Knockout:
    """A node that is knocked out where the nodes of a role are gone already; "" for where none is."""

    node: Node
    gone: str = ""

    def __str__(self) -> str:
        return f"knockout of {self.node}{self.where}"

    @property
    def where(self) -> str:
        return f" where {self.gone} is gone" if self.gone else ""


Acting = Mapping[Node, tuple[Knockout, Answer]]
"""Nodes that act, each with the knockout by which it does so most."""


@dataclass(frozen=True)
class Lookout:
    """Where is looked: the places of the prompts for finding, and roles without which others do something else."""

    prompts: tuple[Prompt, ...]
    places: Places
    gaps: tuple[str, ...]

    def around(self, listed: Sequence[Position]) -> tuple[Position, ...]:
        """The places that have no token in common with some positions on any prompt; none around all positions."""
        if ALL in listed:
            return ()
        taken = [tokens_at(position, self.prompts) for position in listed]
        return tuple(
            place for place, own in self.places.tokens.items() if not any(_meet(own, other) for other in taken)
        )

    def apart(self, places: Sequence[Position]) -> tuple[Position, ...]:
        """Places less those that have a token in common with one before them."""
        left: list[Position] = []
        for place in places:
            if place in self.around(left):
                left.append(place)
        return tuple(left)


def _meet(ours: Sequence[tuple[int, ...]], theirs: Sequence[tuple[int, ...]]) -> bool:
    return any(not set(left).isdisjoint(right) for left, right in zip(ours, theirs, strict=True))


def lookout(places: Places, inquiry: Inquiry) -> Lookout:
    """With the roles whose removal surely changes the circuit otherwise than the model, by more than the floor."""
    circuit, bench = inquiry.finding, inquiry.bench
    jobs = {role.name: Started(_gap(circuit, role)) for role in circuit.roles if _matters(role)}
    measured = bench.measure(jobs.values(), circuit.method.prompts_first)
    beyond = Bound(">", low=circuit.method.floor)

    def has_gap(result: Measurement | Failure) -> bool:
        p = None if isinstance(result, Failure) else p_value(bench.weighed(result), beyond)
        return p is not None and p <= 1 - circuit.method.confidence

    data = data_of(circuit)
    prompts = bench.session.prompts(data, circuit.method.prompts_first)
    return Lookout(prompts, places, tuple(name for name, job in jobs.items() if has_gap(measured[job])))


def _matters(role: Role) -> bool:
    return any(node.component.claims_to_matter for node in role.nodes)


def _gap(circuit: Circuit, role: Role) -> Job:
    request = Request(circuit, circuit.method, Term("knockout"))
    return _job(circuit, f"done outside without {role.name}", lambda: done_outside(request, role.nodes))


# --- what acts ---------------------------------------------------------------------------------------


def acting(idle: Collection[Node], unlisted: bool, where: Lookout, inquiry: Inquiry) -> Acting:
    """What acts and is not listed: listed components at other places, and, if they are wanted, ``unlisted`` heads,
    which stand at all positions here. ``idle`` are listed nodes that do nothing where they are listed."""
    circuit = inquiry.finding
    found: dict[Knockout, Answer] = {}
    if circuit.method.positions == "role":
        elsewhere = tuple(_elsewhere(circuit, idle, where))
        found |= _asked("listed nodes that act elsewhere", elsewhere, inquiry)
    if unlisted:
        heads = tuple(_unlisted(circuit))
        found |= _asked("heads that act and are not listed", tuple(map(Knockout, heads)), inquiry)
        left = [head for head in heads if Knockout(head) not in found]
        backups = tuple(Knockout(head, gone) for head in left for gone in where.gaps)
        found |= _asked("heads that act where a role is gone", backups, inquiry)
    return _strongest(found)


def located(found: Acting, where: Lookout, inquiry: Inquiry) -> Acting:
    """Heads that act, each at the places where it surely does, if these are one or as many as a role has; else at all
    positions."""
    if inquiry.finding.method.positions == "all":
        return found
    tried = tuple(
        Knockout(Node(node.component, place), knockout.gone)
        for node, (knockout, _) in found.items()
        for place in where.places.tokens
    )
    acts = _strongest(_asked("places where these act", tried, inquiry))
    listed = _listed_places(inquiry.finding)
    sure: dict[Node, tuple[Knockout, Answer]] = {}
    for node, whole in found.items():
        own = [each for each in acts if each.component == node.component]
        places = where.apart([each.position for each in own])
        if len(places) == 1 or frozenset(places) in listed:
            sure |= {Node(node.component, place): acts[Node(node.component, place)] for place in places}
        else:
            sure[node] = whole
    return sure


def _listed_places(circuit: Circuit) -> set[frozenset[Position]]:
    """The sets of places at which a role lists one of its components."""
    found: dict[tuple[str, Component], set[Position]] = {}
    for role in circuit.roles:
        for node in role.nodes:
            found.setdefault((role.name, node.component), set()).add(node.position)
    return {frozenset(places) for places in found.values()}


def _elsewhere(circuit: Circuit, idle: Collection[Node], where: Lookout) -> Iterator[Knockout]:
    """Listed components at places where they are not listed."""
    listed: dict[Component, list[Position]] = {}
    for node in circuit.nodes:
        if node.component.claims_to_matter:
            listed.setdefault(node.component, []).append(node.position)
    for component, positions in listed.items():
        gone = where.gaps if any(Node(component, position) in idle for position in positions) else ()
        for place in where.around(positions):
            yield from (Knockout(Node(component, place), each) for each in ("", *gone))


def _unlisted(circuit: Circuit) -> Iterator[Node]:
    listed = {node.component for node in circuit.constituents}
    yield from (Node(head, ALL) for head in all_heads(circuit.geometry) if head not in listed)


def _asked(about: str, asked: Sequence[Knockout], inquiry: Inquiry) -> dict[Knockout, Answer]:
    """Which of some knockouts surely change the metric by more than the floor."""
    return inquiry.ask(Survey(about, _raced(asked, inquiry), _is_beyond, len(asked)))


def _raced(asked: Sequence[Knockout], inquiry: Inquiry) -> tuple[Knockout, ...]:
    """Those that all prompts may find: the others drop out in a race, as in a check's search for unlisted heads.

    An estimate of a knockout in the whole model stands for the same where a role is gone: the race measures how far it
    is off.
    """
    circuit, bench = inquiry.finding, inquiry.bench
    method = circuit.method
    prompts = len(bench.session.prompts(data_of(circuit), method.prompts_first))
    rows = {each: Started(knockout_job(circuit, each)) for each in asked}
    jobs = sketches_of(dict.fromkeys(each.node for each in asked), circuit)
    of_nodes = {node: Started(job) for node, job in jobs.items()}
    sketches = {each: of_nodes[each.node] for each in asked if each.node in of_nodes}
    if not worth_sketching(len(sketches), method):
        sketches = {}
    told = Told(method.floor, inquiry.rule.share, len(asked), false_discovery)
    return raced(rows, sketches, prompts, looks_with(sketches, prompts), told, bench).rest


def _strongest(found: Mapping[Knockout, Answer]) -> Acting:
    """Of every node its knockout in the whole model, or else the one that changes most; in the order of these."""
    best: dict[Node, tuple[Knockout, Answer]] = {}
    for knockout, answer in sorted(found.items(), key=lambda each: (bool(each[0].gone), -_size(each[1]))):
        best.setdefault(knockout.node, (knockout, answer))
    return dict(sorted(best.items(), key=lambda each: -_size(each[1][1])))


def _size(answer: Answer) -> float:
    return abs(answer.found.estimate.value or 0)


def _is_beyond(circuit: Circuit, knockout: Knockout) -> tuple[Test, ...]:
    floor = circuit.method.floor
    return (Test(knockout_job(circuit, knockout), Bound("outside", -floor, floor)),)


def knockout_job(circuit: Circuit, knockout: Knockout) -> Job:
    """The job of a knockout's effect."""
    request = Request(circuit, circuit.method, Term("knockout"))
    gone = circuit.role(knockout.gone).nodes if knockout.gone else ()
    return _job(circuit, str(knockout), lambda: knocked_out_beyond(request, (knockout.node,), gone))


def _job(circuit: Circuit, about: str, start: Callable[[], Asking]) -> Job:
    return Job((about,), "sweep", circuit.model, circuit.method, circuit.geometry, start, about)

"""Roles whose members are of two kinds: some surely look at one place and others at another, or some raise the metric
along an edge of the role and others lower it.

Where nothing names the role, the larger part keeps its name and the others make new roles. Where claims name it, they
would say something else of the larger part alone: then the author is told, and the text stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from circuitdsl.components import Head, Node, Position
from circuitdsl.draft.figures import alone, attention
from circuitdsl.draft.patching import PATH
from circuitdsl.draft.places import Places
from circuitdsl.draft.refine.amendments import Amendment, evidence, proposal
from circuitdsl.draft.refine.editing import Specification
from circuitdsl.draft.refine.inquiry import Answer, Inquiry, Survey, Test
from circuitdsl.draft.refine.joining import alike
from circuitdsl.draft.roles import named
from circuitdsl.language.circuit import Argument, Bound, Circuit, Path, Role, Term
from circuitdsl.measures.measurement import Request
from circuitdsl.outcome.draft import DraftRole
from circuitdsl.plan.sweep import reaches
from circuitdsl.plan.terms import term_job

MOSTLY = 0.5
"""A head looks at a position with more than this: no other one has as much of its attention."""


@dataclass(frozen=True)
class _Looks:
    """A head of a role that may look mostly at a place."""

    role: Role
    node: Node
    place: Position

    def to_split_by(self) -> tuple[object, str]:
        """What has to be the same of nodes that are compared, and of which kind this one is."""
        return self.node.position, f"looking mostly at {self.place}"

    def test(self, circuit: Circuit) -> Test:
        term = attention(alone(self.node), self.node.position, self.place)
        return _test(circuit, term, Bound(">", low=MOSTLY))


@dataclass(frozen=True)
class _Sends:
    """A node of a role that may raise the metric along a path, or lower it."""

    role: Role
    node: Node
    path: Path
    against: tuple[tuple[str, Argument], ...]  # of the edge's term
    raises: bool

    def to_split_by(self) -> tuple[object, str]:
        """As of those that look."""
        said = "".join(f" {each}" for _, each in self.against)
        return (self.path, self.against), f"{'raising' if self.raises else 'lowering'} along {self.path}{said}"

    def test(self, circuit: Circuit) -> Test:
        floor = circuit.method.floor
        term = Term("effect", ((PATH, replace(self.path, senders=alone(self.node))), *self.against))
        return _test(circuit, term, Bound("<=", high=-floor) if self.raises else Bound(">=", low=floor))


def _test(circuit: Circuit, term: Term, bound: Bound) -> Test:
    return Test(term_job((str(term),), "sweep", Request(circuit, circuit.method, term, parts=False), str(term)), bound)


@dataclass(frozen=True)
class _Kind:
    """Some nodes of a role, what they have in common, and the least sure of the answers by which they have it."""

    said: str
    nodes: tuple[Node, ...]
    answer: Answer


def split_amendments(inquiry: Inquiry, places: Places, lines: Mapping[str, int]) -> Iterator[Amendment]:
    """A change for every role whose members are of two kinds. ``lines`` are those of roles in the author's file."""
    several = [role for role in inquiry.finding.roles if len(role.nodes) > 1]
    asked = (
        ("heads of roles that look mostly at a place", [each for role in several for each in _looks(role, places)]),
        ("nodes that raise or lower along an edge", [e for role in several for e in _sends(role, inquiry.finding)]),
    )
    found = [inquiry.ask(Survey(about, tuple(items), lambda half, each: (each.test(half),))) for about, items in asked]
    for role in several:
        ways = (_kinds({each: a for each, a in answers.items() if each.role == role}) for answers in found)
        if kinds := next(filter(None, ways), ()):
            yield _split(replace(role, line=lines.get(role.name, 0)), kinds, inquiry, places)


def _tests(circuit: Circuit, each: _Looks | _Sends) -> tuple[Test, ...]:
    return (each.test(circuit),)


def _looks(role: Role, places: Places) -> Iterator[_Looks]:
    for node in role.nodes:
        if isinstance(node.component, Head) and node.position in places.tokens:
            yield from (_Looks(role, node, place) for place in places.before(node.position))


def _sends(role: Role, circuit: Circuit) -> Iterator[_Sends]:
    for claim in circuit.edge_claims():
        (_, path), *against = claim.term.arguments
        if isinstance(path, Path) and path.senders.label == role.name:
            for node in path.senders.nodes:
                if reaches(node, path, circuit):
                    yield from (_Sends(role, node, path, tuple(against), way) for way in (True, False))


def _kinds(answers: Mapping[_Looks | _Sends, Answer]) -> tuple[_Kind, ...]:
    """The kinds of the nodes of a role, the largest first; none if there are not two that can be compared."""
    groups: dict[object, dict[str, dict[Node, Answer]]] = {}
    for each, answer in answers.items():
        compared, kind = each.to_split_by()
        groups.setdefault(compared, {}).setdefault(kind, {})[each.node] = answer
    for kinds in groups.values():
        if len(kinds) > 1:
            ordered = sorted(kinds.items(), key=lambda each: -len(each[1]))
            return tuple(_Kind(said, tuple(nodes), _least_sure(nodes.values())) for said, nodes in ordered)
    return ()


def _least_sure(answers: Iterable[Answer]) -> Answer:
    return max(answers, key=lambda each: each.p_adjusted or 0)


def _split(role: Role, kinds: Sequence[_Kind], inquiry: Inquiry, places: Places) -> Amendment:
    said = "; ".join(f"{' '.join(str(node.component) for node in kind.nodes)} {kind.said}" for kind in kinds)
    answer = _least_sure(kind.answer for kind in kinds)
    what = proposal(
        "split", f"role {role.name} is of {len(kinds)} kinds: {said}", role.line, "of the least sure", answer
    )
    circuit = inquiry.finding
    taken = [*(each.name for each in circuit.roles), *(each.name for each in circuit.task_info.positions)]
    new: list[tuple[DraftRole, str]] = []
    for kind in kinds[1:]:
        likeness = alike(kind.nodes, circuit, places, inquiry.bench)[kind.nodes[0]]
        made = named(likeness, kind.nodes, 0, taken, circuit, inquiry.bench).role
        taken.append(made.name)
        new.append((made, f"of role {role.name}, {kind.said}: {evidence(kind.answer)}"))
    return Amendment(what, partial(_divided, role=role.name, new=new))


def _divided(specification: Specification, role: str, new: Sequence[tuple[DraftRole, str]]) -> Specification | str:
    if specification.names(role):
        return "claims name the role, and would say something else of a part of it: split it where they are meant so"
    for made, about in new:
        specification = specification.without(role, made.nodes).with_role(made.name, made.nodes, about)
    return specification

"""Edges that are stated and empty, and edges between roles that are there and no claim states.

Stated edges are measured as they are written. What may be missing is written as edges, too, read by the language, and
measured: from every role into the logits and into every input of every other role, from each counterfactual that the
circuit names or that a draft would take (``draft.counterfactuals``). An input of which the file says anything, that it
is fed, that it is not, or by how much, is the author's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from circuitdsl.components import can_carry
from circuitdsl.draft.counterfactuals import chosen
from circuitdsl.draft.refine.amendments import Amendment, evidence, proposal
from circuitdsl.draft.refine.editing import MARK, Specification, diagnostics, resolved
from circuitdsl.draft.refine.inquiry import Answer, Inquiry, Survey, Test
from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.verdicts import decide
from circuitdsl.language import tree as t
from circuitdsl.language.circuit import Bound, Circuit, Claim, Path, Role, Term
from circuitdsl.language.environment import Environment
from circuitdsl.language.format import statement_text
from circuitdsl.measures.kept import edges_of
from circuitdsl.measures.measurement import Request, data_of
from circuitdsl.plan.terms import term_job

EFFECT = "effect of patching"


@dataclass(frozen=True)
class Stated:
    """An edge of the file, the ``number``-th, with the terms of its paths."""

    number: int
    text: str
    said: str  # with its comment
    terms: tuple[Term, ...]


def edge_amendments(
    specification: Specification, inquiry: Inquiry, environment: Environment, lines: Sequence[int]
) -> tuple[Amendment, ...]:
    """Edges to take out, the last first, and edges to add. ``lines`` are those of the edges in the author's file."""
    stated = _stated(specification, inquiry.finding)
    empty = inquiry.ask(Survey("stated edges that are empty", stated, _is_empty))
    against = _counterfactuals(inquiry)
    missing = _missing(specification, inquiry.finding, against, environment)
    there = inquiry.ask(Survey("edges between roles that are not stated", missing, _is_there))
    first: dict[Path, tuple[str, Answer]] = {}
    for (text, term), answer in there.items():
        (path,) = _paths_of(term)
        first.setdefault(path, (text, answer))
    return (
        *(_taken_out(each, empty[each], lines[each.number]) for each in reversed(stated) if each in empty),
        *(_added(text, answer) for text, answer in first.values()),
    )


def _counterfactuals(inquiry: Inquiry) -> tuple[str, ...]:
    """The method's first, then those that the circuit names, then those that a draft would take; none without any."""
    circuit, own = inquiry.finding, inquiry.finding.method.against
    if not own:
        return ()
    prompts = inquiry.bench.session.prompts(data_of(circuit), circuit.method.prompts_first)
    return tuple(dict.fromkeys((*circuit.counterfactuals, *chosen(own, prompts))))


# --- stated ------------------------------------------------------------------------------------------


def _stated(specification: Specification, circuit: Circuit) -> tuple[Stated, ...]:
    """The edges of the file that claim an effect."""
    claims = iter([claim for claim in circuit.claims if claim.kind in ("edge", "no edge")])
    found: list[Stated] = []
    for number, edge in enumerate(specification.edges):
        own = [next(claims) for _ in range(_paths(edge))]
        if all(_claims_an_effect(claim) for claim in own):
            said, terms = specification.edge_said(number), tuple(claim.term for claim in own)
            found.append(Stated(number, statement_text(edge), said, terms))
    return tuple(found)


def _paths(edge: t.Edge) -> int:
    """How many claims an edge is."""
    receivers = 1 if isinstance(edge.receiver, t.Logits) else len(edge.receiver.items)
    return len(edge.senders.items) * receivers


def _claims_an_effect(claim: Claim) -> bool:
    """Whether no effect at all would prove the claim wrong."""
    return claim.kind == "edge" and isinstance(claim.bound, Bound) and decide(claim.bound, 0, 0) is Verdict.FAILS


def _is_empty(circuit: Circuit, stated: Stated) -> tuple[Test, ...]:
    """That all its paths are surely within the floor. A patch that changes nothing tells nothing: the counterfactual
    may be the wrong one."""
    floor = circuit.method.floor
    return tuple(_effect(circuit, term, Bound("inside", -floor, floor)) for term in stated.terms)


def _effect(circuit: Circuit, term: Term, bound: Bound) -> Test:
    request = Request(circuit, circuit.method, term, parts=False)
    return Test(term_job((str(term),), "sweep", request, str(term)), bound)


def _taken_out(stated: Stated, answer: Answer, line: int) -> Amendment:
    said = proposal("drop edge", stated.text, line, EFFECT, answer)
    return Amendment(said, partial(_less_edge, number=stated.number, said=f"{evidence(answer)}: {stated.said}"))


def _less_edge(specification: Specification, number: int, said: str) -> Specification:
    return specification.less_edge(number).with_lines(f"# taken out {MARK}, {said}")


# --- not stated --------------------------------------------------------------------------------------


def _missing(
    specification: Specification, circuit: Circuit, against: Sequence[str], environment: Environment
) -> tuple[tuple[str, Term], ...]:
    """Edges of whole roles of which the file says nothing, as they would be written, with their terms; those of the
    first counterfactual, which is the method's, come first."""
    named = ["" if name == circuit.method.against else f" against {name}" for name in against]
    written = [f"edge {edge}{by}" for by in named for edge in _possible(circuit)]
    spoken = {each for path in _spoken_of(circuit) for each in edges_of(path)}
    found: list[tuple[str, Term]] = []
    for text, term in _read(specification, written, environment):
        if not any(each in spoken for path in _paths_of(term) for each in edges_of(path)):
            found.append((text, term))
    return tuple(found)


def _possible(circuit: Circuit) -> Iterator[str]:
    """From every role into the logits and every input of the others that something of it can reach."""
    parallel = circuit.geometry.parallel_attn_mlp
    for sender in circuit.roles:
        yield f"{sender.name} -> logits"
        for receiver in circuit.roles:
            reached = any(
                can_carry(ours.component, theirs.component, parallel)
                for ours in sender.nodes
                for theirs in receiver.nodes
            )
            if reached and sender != receiver:
                yield from (f"{sender.name} -> {receiver.name}{which}" for which in _inputs(receiver))


def _inputs(role: Role) -> tuple[str, ...]:
    kinds = {node.component.inputs for node in role.nodes}
    return tuple(f".{letter}" for letter in "qkv") if kinds == {"qkv"} else ("",) if kinds == {""} else ()


def _spoken_of(circuit: Circuit) -> Iterator[Path]:
    for claim in circuit.claims:
        yield from _paths_of(claim.term)


def _paths_of(term: Term) -> Iterator[Path]:
    yield from (argument for _, argument in term.arguments if isinstance(argument, Path))


def _read(specification: Specification, written: Sequence[str], environment: Environment) -> Iterator[tuple[str, Term]]:
    """Edges as the language reads them at the end of the circuit, but for those that it finds wrong or suspicious."""
    lines, trial = _tried(specification, written)
    wrong = {each.span.line for each in diagnostics(trial, environment)}
    lines, trial = _tried(specification, [text for line, text in lines.items() if line not in wrong])
    yield from ((lines[each.line], each.term) for each in resolved(trial, environment).claims if each.line in lines)


def _tried(specification: Specification, written: Sequence[str]) -> tuple[dict[int, str], Specification]:
    """The text with some edges more, and each of them by its line."""
    trial = specification.with_lines(*written)
    last = trial.edges[len(trial.edges) - len(written) :]
    return {edge.span.line: text for edge, text in zip(last, written, strict=True)}, trial


def _is_there(circuit: Circuit, edge: tuple[str, Term]) -> tuple[Test, ...]:
    floor = circuit.method.floor
    return (_effect(circuit, edge[1], Bound("outside", -floor, floor)),)


def _added(text: str, answer: Answer) -> Amendment:
    way = "raises" if (answer.found.estimate.value or 0) < 0 else "lowers"
    edge = f"{text} : {way}"
    line = f"{edge}  # {MARK}: {evidence(answer)}"
    return Amendment(proposal("add edge", edge, 0, EFFECT, answer), lambda text: text.with_lines(line))

"""Terms of the language measured by the way: with intervals, in no claim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from circuitdsl.check.bench import Bench
from circuitdsl.components import Node, Position
from circuitdsl.errors import InputError
from circuitdsl.judge.estimates import NOTHING, Estimate
from circuitdsl.language.circuit import Circuit, FromTo, Nodes, Reads, Term, Token
from circuitdsl.measures.measurement import Failure, Measurement, Request
from circuitdsl.plan.job import Started
from circuitdsl.plan.terms import term_job


def started(term: Term, circuit: Circuit) -> Started:
    """The job of a term of the circuit."""
    return Started(term_job((str(term),), "sweep", Request(circuit, circuit.method, term, parts=False), ""))


def measured(bench: Bench, circuit: Circuit, terms: Iterable[Term]) -> list[Measurement | Failure]:
    """Each term of the circuit, on the method's first prompts."""
    jobs = [started(term, circuit) for term in terms]
    found = bench.measure(jobs, circuit.method.prompts_first)
    return [found[job] for job in jobs]


def estimates(bench: Bench, circuit: Circuit, terms: Sequence[Term]) -> list[Estimate]:
    """The same with intervals; NOTHING of what cannot be measured, as behaviour on random tokens where a tokenizer has
    too few of them."""
    try:
        found = measured(bench, circuit, terms)
    except InputError:
        return [NOTHING] * len(terms)
    return [NOTHING if isinstance(m, Failure) else bench.estimate(m, circuit.method.confidence) for m in found]


def attention(nodes: Nodes, start: Position, end: Position) -> Term:
    return Term("attention", (("heads", nodes), ("where", FromTo(start, end))))


def copying(name: str, nodes: Nodes, place: Position) -> Term:
    """``copying`` or ``anti_copying`` of the token at a position."""
    return Term(name, (("heads", nodes), ("reads", Reads(place, Token(place)))))


def score(name: str, nodes: Nodes) -> Term:
    return Term(name, (("heads", nodes),))


def alone(node: Node) -> Nodes:
    return Nodes(str(node.component), (node,))


def named(nodes: Iterable[Node]) -> Nodes:
    """Some nodes under their own names."""
    nodes = tuple(nodes)
    return Nodes(" ".join(map(str, nodes)), nodes)

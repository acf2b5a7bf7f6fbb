"""Single prompts of a circuit: what it does alone on each, and where its heads look on a few of them.

1. The metric on every prompt of the first round, in the model and with the circuit alone, as faithfulness reads it.
2. Once that says which prompts are shown: the attention of the circuit's heads to each of their tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from circuitdsl.components import ALL, Head, Position
from circuitdsl.language.circuit import Circuit, FromTo, Nodes, Term
from circuitdsl.measures.experiments import AttentionTo, Experiment
from circuitdsl.measures.kept import kept
from circuitdsl.measures.measurement import CLEAN, CannotMeasure, Request
from circuitdsl.plan.job import Started, reading_job


@dataclass(frozen=True)
class Look:
    """A head at the position from which it looks, and the roles that list it there."""

    head: Head
    query: Position
    roles: tuple[str, ...]


@dataclass(frozen=True)
class ExamplesPlan:
    """What is read of single prompts of a circuit. ``served`` is what it reads at first."""

    circuit: Circuit
    served: Started

    @property
    def request(self) -> Request:
        return Request(self.circuit, self.circuit.method, Term("faithfulness"))

    @property
    def metric(self) -> tuple[Experiment, ...]:
        """The metric in the model, and with the circuit alone where that can be had."""
        return self.served.experiments

    def looks(self) -> tuple[Look, ...]:
        """The heads of the circuit where they stand.

        One that stands at all positions looks from where claims of its attention say, else from where the output is
        read.
        """
        claimed = _queries(self.circuit)
        found: dict[tuple[Head, Position], dict[str, None]] = {}
        for node in self.circuit.constituents:
            if isinstance(head := node.component, Head):
                anywhere = claimed.get(head, {}) or {Position(self.circuit.method.at): None}
                for query in anywhere if node.position == ALL else (node.position,):
                    roles = found.setdefault((head, query), {})
                    roles |= dict.fromkeys(self.circuit.roles_of(node))
        return tuple(Look(*place, tuple(roles)) for place, roles in found.items())

    def attention(self, look: Look, tokens: Sequence[int]) -> tuple[Experiment, ...]:
        """A head's attention to each of these tokens."""
        return tuple(self.request.ask(CLEAN, AttentionTo(look.head, look.query, token)) for token in tokens)


def plan_examples(circuit: Circuit) -> ExamplesPlan:
    """Start what is read of single prompts at first."""

    def ask() -> Iterator[Experiment]:
        request = Request(circuit, circuit.method, Term("faithfulness"))
        yield request.ask(CLEAN)
        yield from _alone(request)

    about = "single prompts: those served worst, and where heads look"
    job = reading_job((circuit.name, "single prompts"), "single prompts", circuit, ask, about)
    return ExamplesPlan(circuit, Started(replace(job, adaptive=True)))


def _alone(request: Request) -> tuple[Experiment, ...]:
    """The metric with the circuit alone; nothing where that cannot be had."""
    try:
        return (request.ask(kept(request).circuit()),)
    except CannotMeasure:
        return ()


def _queries(circuit: Circuit) -> Mapping[Head, dict[Position, None]]:
    """The positions from which claims of attention say that heads look."""
    found: dict[Head, dict[Position, None]] = {}
    for claim in circuit.claims:
        arguments = dict(claim.term.arguments)
        where, nodes = arguments.get("where"), arguments.get("heads")
        if claim.term.measure == "attention" and isinstance(where, FromTo) and isinstance(nodes, Nodes):
            for node in nodes.nodes:
                if isinstance(node.component, Head) and where.query != ALL:
                    found.setdefault(node.component, {})[where.query] = None
    return found

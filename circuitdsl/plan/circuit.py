"""The jobs of a circuit: its claims, the same under varied methods, the table of heads, and the search for others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from circuitdsl.components import ALL, Head, Node, all_heads
from circuitdsl.language.circuit import Circuit, Claim, Method, Term
from circuitdsl.measures.measurement import Request
from circuitdsl.measures.performance import performance
from circuitdsl.plan.job import Job, Started
from circuitdsl.plan.terms import control_of, knockout_job, term_job


@dataclass(frozen=True)
class CircuitPlan:
    """What checking a circuit runs. ``searched``: heads that matter and are not listed are looked for."""

    circuit: Circuit
    performance: Started | None
    claims: Mapping[Claim, Started]
    variants: Mapping[Claim, tuple[Started, ...]]
    heads: Mapping[Node, Started]
    unlisted: Mapping[Node, Started]
    searched: bool

    def jobs(self) -> Iterator[Started]:
        """All of them, in the order in which a plan lists them."""
        if self.performance is not None:
            yield self.performance
        yield from self.claims.values()
        for variants in self.variants.values():
            yield from variants
        yield from self.heads.values()
        yield from self.unlisted.values()


def plan_circuit(circuit: Circuit, unexplained: bool) -> CircuitPlan:
    """Start every job of a circuit; ``unexplained`` looks for heads that matter and are not listed."""
    return CircuitPlan(
        circuit,
        Started(performance_job(circuit)),
        {claim: Started(claim_job(circuit, claim)) for claim in circuit.claims},
        {claim: tuple(map(Started, variant_jobs(circuit, claim))) for claim in circuit.claims},
        {node: Started(job) for node, job in head_jobs(circuit).items()},
        {node: Started(job) for node, job in unlisted_jobs(circuit).items()} if unexplained else {},
        unexplained,
    )


def performance_job(circuit: Circuit) -> Job:
    """Whether the model does the circuit's task, by the circuit's method."""
    request = Request(circuit, circuit.method, Term(circuit.method.metric))
    return Job(
        key=(circuit.name, "performance"),
        purpose="performance",
        model=circuit.model,
        method=circuit.method,
        geometry=circuit.geometry,
        start=lambda: performance(request),
        about="the task itself",
    )


def claim_job(circuit: Circuit, claim: Claim) -> Job:
    """A claim under the circuit's own method."""
    request = Request(circuit, circuit.method, claim.term, control_of(claim))
    return term_job((circuit.name, claim.id), "claim", request, claim.text)


def variant_jobs(circuit: Circuit, claim: Claim) -> Iterator[Job]:
    """A claim again under each setting that the method says to ``vary``."""
    for setting, value in circuit.method.vary:
        method = varied(circuit.method, setting, value)
        request = Request(circuit, method, claim.term, control_of(claim), parts=False)
        about = f"{claim.text}  # {setting} {value}"
        yield term_job((circuit.name, claim.id, setting, value), "variant", request, about)


def varied(method: Method, setting: str, value: str) -> Method:
    """The method with one setting changed."""
    changes: Mapping[str, Any] = {setting: value}
    return replace(method, **changes)


def head_jobs(circuit: Circuit) -> Mapping[Node, Job]:
    """The knockout effect of every head of the circuit where the circuit has it."""
    heads = (node for node in circuit.constituents if isinstance(node.component, Head))
    return {node: knockout_job((circuit.name, "head", str(node)), "head", circuit, node) for node in heads}


def unlisted_jobs(circuit: Circuit) -> Mapping[Node, Job]:
    """The knockout effect, at every position, of every head that the circuit does not name."""
    listed = {node.component for node in circuit.constituents}
    nodes = [Node(head, ALL) for head in all_heads(circuit.geometry) if head not in listed]
    return {node: knockout_job((circuit.name, "unlisted", str(node)), "unlisted", circuit, node) for node in nodes}

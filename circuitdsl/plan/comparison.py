"""The jobs of a compare block: the claims of what one circuit does for the other's task. Structure needs no job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from circuitdsl.language.circuit import Circuit, Circuits, Claim, Comparison, Document
from circuitdsl.measures.measurement import PairRequest
from circuitdsl.measures.registry import comparison_measures
from circuitdsl.plan.job import Job, Started
from circuitdsl.plan.terms import control_of


@dataclass(frozen=True)
class ComparisonPlan:
    """What checking a comparison runs: of its claims those that need a model."""

    comparison: Comparison
    left: Circuit
    right: Circuit
    claims: Mapping[Claim, Started]

    def jobs(self) -> Iterator[Started]:
        yield from self.claims.values()


def plan_comparison(document: Document, comparison: Comparison) -> ComparisonPlan:
    """Start every job of a comparison."""
    left, right = document.circuit(comparison.left), document.circuit(comparison.right)
    found = {claim: _job(document, comparison, claim) for claim in comparison.claims}
    return ComparisonPlan(comparison, left, right, {claim: Started(job) for claim, job in found.items() if job})


def _job(document: Document, comparison: Comparison, claim: Claim) -> Job | None:
    """None for a claim that the two descriptions decide."""
    estimator = comparison_measures()[claim.term.measure].estimator
    if estimator is None:
        return None
    named = dict(claim.term.arguments)["circuits"]
    assert isinstance(named, Circuits)
    first, second = document.circuit(named.left), document.circuit(named.right)
    request = PairRequest(first, second, comparison.align, control_of(claim))
    return Job(
        key=(f"{comparison.left} with {comparison.right}", claim.id),
        purpose="claim",
        model=second.model,
        method=second.method,
        geometry=second.geometry,
        start=lambda: estimator(request),
        about=claim.text,
    )

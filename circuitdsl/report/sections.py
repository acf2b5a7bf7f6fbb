"""What circuits, comparisons and interventions of a report have in common: a name, a file and claims."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from circuitdsl.judge.estimates import Verdict
from circuitdsl.outcome import ClaimOutcome, Report


@dataclass(frozen=True)
class Section:
    """One block of a specification and the outcomes of its claims.

    ``most`` is how many prompts its method draws at most; 0 where the report does not tell.
    """

    kind: str
    name: str
    file: str
    outcomes: tuple[ClaimOutcome, ...]
    most: int = 0

    def of(self, *verdicts: Verdict) -> tuple[ClaimOutcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.verdict in verdicts)


def sections(report: Report) -> Iterator[Section]:
    """The blocks of a report in its order."""
    most = {circuit.circuit.name: circuit.circuit.method.prompts_most for circuit in report.circuits}
    for circuit in report.circuits:
        name = circuit.circuit.name
        yield Section("circuit", name, circuit.circuit.file, circuit.claims, most[name])
    for comparison in report.comparisons:
        pair = comparison.comparison
        yield Section("compare", f"{pair.left} with {pair.right}", pair.file, comparison.claims)
    for intervention in report.interventions:
        done = intervention.intervention
        yield Section("intervention", f"{done.name} on {done.on}", done.file, intervention.claims, most.get(done.on, 0))

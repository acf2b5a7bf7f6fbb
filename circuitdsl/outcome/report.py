"""Everything that one call of ``check`` found out, and the JSON contract (docs/report.schema.json).

Numbers are floats or None with a note; nothing here is NaN or infinite.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from circuitdsl.display import Displayed
from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.singles import Asked
from circuitdsl.outcome.argument import Step
from circuitdsl.outcome.circuit import CircuitReport
from circuitdsl.outcome.claims import ClaimOutcome, exit_code
from circuitdsl.outcome.comparison import ComparisonReport
from circuitdsl.outcome.frames import frame
from circuitdsl.outcome.intervention import InterventionReport
from circuitdsl.outcome.ran import Ran

if TYPE_CHECKING:
    from pandas import DataFrame

_COLUMNS = ("id", "line", "kind", "text", "measure", "unit", "value", "low", "high", "verdict", "prompts", "p_value")


SCHEMA = "circuitdsl/report/10"
"""Which contract the JSON of a report obeys: docs/report.schema.json."""


@dataclass(frozen=True, repr=False)
class Report(Displayed, Ran):
    """Everything that one call of ``check`` found out; ``argument`` is what its blocks say together.

    ``notes`` are about the whole of it: why another engine ran than the one that was asked for, and what is wrong with
    the results store.
    """

    circuits: tuple[CircuitReport, ...]
    comparisons: tuple[ComparisonReport, ...]
    interventions: tuple[InterventionReport, ...]
    argument: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def outcomes(self) -> tuple[ClaimOutcome, ...]:
        """All claims of circuits, comparisons and interventions, in this order."""
        parts = (*self.circuits, *self.comparisons, *self.interventions)
        return tuple(outcome for part in parts for outcome in part.claims)

    @property
    def exit_code(self) -> int:
        """That of all verdicts, 0 to 4 (docs/architecture.md)."""
        return exit_code(outcome.verdict for outcome in self.outcomes)

    @property
    def summary(self) -> dict[str, int]:
        """How many claims have each verdict, by its name."""
        verdicts = [outcome.verdict for outcome in self.outcomes]
        return {str(verdict): verdicts.count(verdict) for verdict in Verdict}

    def rows(self) -> Iterator[dict[str, object]]:
        """A row a claim: its block, the statement, the estimate with its interval, the verdict."""
        named = (
            *((part.circuit.name, part) for part in self.circuits),
            *((f"{pair.comparison.left} with {pair.comparison.right}", pair) for pair in self.comparisons),
            *((done.intervention.name, done) for done in self.interventions),
        )
        for name, part in named:
            for outcome in part.claims:
                found = outcome.to_dict()
                yield {"block": name, **{column: found[column] for column in _COLUMNS}}

    def to_frame(self) -> DataFrame:
        """The rows as a pandas frame. Raises InputError where pandas is not installed."""
        return frame(self.rows())

    def to_dict(self) -> dict[str, object]:
        """Its JSON, as docs/report.schema.json has it: shares as fractions, other figures in their units."""
        return {
            "schema": SCHEMA,
            **self.ran_dict(),
            "notes": list(self.notes),
            "circuits": [report.to_dict() for report in self.circuits],
            "comparisons": [report.to_dict() for report in self.comparisons],
            "interventions": [report.to_dict() for report in self.interventions],
            "story": [step.to_dict() for step in self.argument],
            "summary": self.summary,
            "prompts": {asked.key: asked.to_dict() for asked in self._asked},
        }

    @property
    def _asked(self) -> Iterator[Asked]:
        """The prompts of figures that are kept prompt by prompt."""
        return (outcome.singles.prompts for outcome in self.outcomes if outcome.singles)

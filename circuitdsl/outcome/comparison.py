"""Two circuits compared in a compare block."""

from __future__ import annotations

from dataclasses import dataclass

from circuitdsl.compare.structure import Structure
from circuitdsl.language.circuit import Comparison
from circuitdsl.outcome.claims import ClaimOutcome, exit_code


@dataclass(frozen=True)
class ComparisonReport:
    """Two circuits compared: how far they are the same description, and what was claimed of them."""

    comparison: Comparison
    structure: Structure
    claims: tuple[ClaimOutcome, ...]

    @property
    def exit_code(self) -> int:
        """That of the verdicts of its claims."""
        return exit_code(outcome.verdict for outcome in self.claims)

    def to_dict(self) -> dict[str, object]:
        """Its JSON, one of ``comparisons`` in docs/report.schema.json."""
        return {
            **self.structure.to_dict(),
            "file": self.comparison.file,
            "exit": self.exit_code,
            "claims": [outcome.to_dict() for outcome in self.claims],
        }

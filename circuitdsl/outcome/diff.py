"""Two circuits side by side, as ``diff`` prints them."""

from __future__ import annotations

from dataclasses import dataclass

from circuitdsl.compare.cites import cited
from circuitdsl.compare.structure import Structure
from circuitdsl.compare.versions import Difference
from circuitdsl.display import Displayed
from circuitdsl.language.circuit import Circuit, Comparison
from circuitdsl.outcome.function import FunctionalComparison


@dataclass(frozen=True, repr=False)
class CircuitDiff(Displayed):
    """Two circuits and what they share; ``to_dict`` is an entry of the report's "comparisons" that claims nothing.

    ``changes``: what two descriptions of one thing say differently; None for those of two things. ``block`` is the
    compare block that names the two, ``functional`` what was measured of them in function, None where there is none.
    """

    left: Circuit
    right: Circuit
    structure: Structure
    changes: tuple[Difference, ...] | None = None
    block: Comparison | None = None
    functional: FunctionalComparison | None = None

    @property
    def differs(self) -> bool:
        """Whether the two say different things: their models, tasks, methods, dictionaries, roles or claims."""
        return self.changes is None or bool(self.changes)

    def to_dict(self) -> dict[str, object]:
        """Its JSON: what was compared in structure, in function where that was measured, and ``changes``."""
        found = self.structure.to_dict() if self.functional is None else self.functional.to_dict()
        listed = {} if self.changes is None else {"changes": [change.to_dict() for change in self.changes]}
        return {
            **found,
            "claims": [],
            "about": self.block.about if self.block else "",
            "sources": [source.to_dict() for source in cited(self.left, self.right, self.block)],
            **listed,
        }

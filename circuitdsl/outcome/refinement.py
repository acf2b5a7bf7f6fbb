"""What a refinement proposes: changes of a specification with their evidence, and the file with them made."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from io import StringIO
from typing import Literal

from circuitdsl.display import Displayed
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.outcome.circuit import OnModel, Performance, method_facts
from circuitdsl.outcome.claims import EXIT_ERROR, EXIT_HOLDS
from circuitdsl.outcome.ran import Ran
from circuitdsl.visible import visible

_ELSEWHERE = ("prompts", "prompts_all")
"""Settings that are given by themselves, or that no refinement has."""

Kind = Literal["add", "drop", "move", "add edge", "drop edge", "split"]


@dataclass(frozen=True)
class SurveyOutcome:
    """What was asked of how many; of how many it was found true, and of how many of these on the judging prompts."""

    about: str
    number: int
    entered: int
    confirmed: int

    def to_dict(self) -> dict[str, object]:
        return {"about": self.about, "number": self.number, "entered": self.entered, "confirmed": self.confirmed}


@dataclass(frozen=True)
class Proposal:
    """A change of a specification.

    ``text`` says what is to be changed, ``line`` where that stands in the file as it is (0: nowhere yet), ``figure`` of
    what the estimates are: ``found`` on the finding prompts, with p corrected for all of which the same was asked, and
    ``confirmed`` on the judging prompts, with p of this one alone. ``withheld`` is why the file is not changed by it,
    "" where it is.
    """

    kind: Kind
    text: str
    line: int
    figure: str
    found: Estimate
    p_adjusted: float | None
    confirmed: Estimate
    p_confirmed: float | None
    withheld: str = ""

    def to_dict(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "text": self.text,
            "line": self.line,
            "figure": self.figure,
            "found": self.found.to_dict(),
            "p_adjusted": self.p_adjusted,
            "confirmed": self.confirmed.to_dict(),
            "p_confirmed": self.p_confirmed,
            "withheld": self.withheld,
        }


@dataclass(frozen=True)
class ClaimChange:
    """A claim of the changed file that does not hold on the judging prompts. ``before`` is how it fared in the file as
    it is, None where it is new; ``line`` is that of the changed file."""

    line: int
    text: str
    before: Verdict | None
    after: Verdict
    estimate: Estimate
    unit: str

    def to_dict(self) -> dict[str, object]:
        before = None if self.before is None else str(self.before)
        return {
            "line": self.line,
            "text": self.text,
            "before": before,
            "after": str(self.after),
            **self.estimate.to_dict(),
        }


@dataclass(frozen=True, repr=False, kw_only=True)
class RefinementReport(Displayed, OnModel, Ran):
    """A refinement of a circuit of a file. ``before`` is the file as it is, ``text`` with all that is proposed.

    ``circuit`` has the seed of the finding prompts.
    """

    path: str
    before: str
    text: str
    rule: str
    halves: str
    performance: Performance
    prompts: tuple[int, int]  # of the finding half, of the judging half
    surveys: tuple[SurveyOutcome, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    claims: tuple[ClaimChange, ...] = ()
    withheld: str = ""

    @property
    def made(self) -> tuple[Proposal, ...]:
        """The proposals that the text has."""
        return tuple(each for each in self.proposals if not each.withheld)

    @property
    def diff(self) -> str:
        """The change of the file as a unified diff, "" without any."""
        name = visible(self.path)
        before, after = (list(StringIO(text)) for text in (self.before, self.text))
        lines = difflib.unified_diff(before, after, name, f"{name} (refined)")
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    @property
    def exit_code(self) -> int:
        """0, or 4 where nothing could be looked at."""
        return EXIT_ERROR if self.withheld else EXIT_HOLDS

    def to_dict(self) -> dict[str, object]:
        """Its JSON, as docs/refinement.schema.json has it."""
        return {
            "schema": "circuitdsl/refinement/1",
            **self.ran_dict(),
            **self.model_dict(),
            "file": self.path,
            "circuit": self.circuit.name,
            "task": str(self.circuit.task),
            "prompts": list(self.prompts),
            "method": method_facts(self.circuit.method, without=_ELSEWHERE),
            "rule": self.rule,
            "halves": self.halves,
            "performance": self.performance.to_dict(),
            "withheld": self.withheld,
            "surveys": [each.to_dict() for each in self.surveys],
            "proposals": [each.to_dict() for each in self.proposals],
            "claims": [each.to_dict() for each in self.claims],
            "diff": self.diff,
            "text": self.text,
            "notes": list(self.notes),
            "exit": self.exit_code,
        }

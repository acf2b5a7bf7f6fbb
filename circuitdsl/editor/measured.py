"""What was measured last of each claim, as far as this server has seen it: in claims that it ran, and in reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Claim
from circuitdsl.outcome import Report
from circuitdsl.report import words
from circuitdsl.report.data.recorded import parted, read_report
from circuitdsl.report.marks import MARKS, WORDS


@dataclass(frozen=True)
class Seen:
    """A claim's verdict, its figure in words, on how many prompts, and when that was."""

    verdict: Verdict
    figure: str
    prompts: int
    when: str

    @property
    def short(self) -> str:
        """``✓ 82.2% [73.7, 87.5]``."""
        return f"{MARKS[self.verdict]} {self.figure}"

    def __str__(self) -> str:
        return f"{WORDS[self.verdict].lower()}, {self.figure} on {words.plural(self.prompts, 'prompt')} ({self.when})"


@dataclass
class Measured:
    """By the name of a block and the text of a claim, which stay what they are where lines move."""

    seen: dict[tuple[str, str], Seen] = field(default_factory=dict[tuple[str, str], Seen])

    def of(self, block: str, claim: Claim) -> Seen | None:
        """What is known of a claim."""
        return self.seen.get((block, claim.text))

    def keep(self, report: Report) -> None:
        """Remember the claims of a report."""
        when = f"run at {datetime.now():%H:%M}"
        blocks = [(each.circuit.name, each.claims) for each in report.circuits]
        blocks += [(compared(each.comparison.left, each.comparison.right), each.claims) for each in report.comparisons]
        blocks += [(each.intervention.name, each.claims) for each in report.interventions]
        for block, outcomes in blocks:
            for outcome in outcomes:
                figure = words.measured(outcome)
                self.seen[block, outcome.claim.text] = Seen(outcome.verdict, figure, outcome.prompts, when)

    def read(self, path: Path) -> None:
        """Remember the claims of a report that `check --format json` wrote, or of a model of a panel
        (``panel.json:LABEL``). Raises InputError for another file."""
        standings = read_report(path).claims.values()
        file, *_ = parted(str(path))  # without the label of a panel's model
        when = f"{path.name} of {datetime.fromtimestamp(Path(file).stat().st_mtime):%d %B, %H:%M}"
        for each in standings:
            figure = words.estimate(each.estimate, each.unit)
            self.seen[each.block, each.text] = Seen(each.verdict, figure, each.prompts, when)


def compared(left: str, right: str) -> str:
    """The name of a comparison's block."""
    return f"{left} with {right}"

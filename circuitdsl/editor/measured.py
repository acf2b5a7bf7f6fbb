"""What was measured last of each claim, as far as this server has seen it: in claims that it ran, and in reports."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from circuitdsl.errors import InputError
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.language.circuit import Claim
from circuitdsl.outcome import Report
from circuitdsl.report import words
from circuitdsl.report.marks import MARKS, WORDS

MOST_BYTES = 64 * 2**20  # of a file with a report


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
        """Remember the claims of a report that `check --format json` wrote. Raises InputError for another file."""
        try:
            if path.stat().st_size > MOST_BYTES:
                raise InputError(f"{path} is too large for a report", "name a file of `check --format json`")
            report = json.loads(path.read_bytes())
            when = f"{path.name} of {datetime.fromtimestamp(path.stat().st_mtime):%d %B, %H:%M}"
            found = {key: seen for block, claims in _blocks(report) for key, seen in _claims(block, claims, when)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            message = f"{path} is no report that can be read: {type(error).__name__}"
            raise InputError(
                message, "write one with `circuitdsl check my.circuit --format json -o report.json`"
            ) from error
        self.seen |= found


def compared(left: str, right: str) -> str:
    """The name of a comparison's block."""
    return f"{left} with {right}"


def _blocks(report: Any) -> list[tuple[str, Any]]:
    blocks = [(each["name"], each["claims"]) for kind in ("circuits", "interventions") for each in report[kind]]
    return blocks + [(compared(each["left"], each["right"]), each["claims"]) for each in report["comparisons"]]


def _claims(block: str, claims: Any, when: str) -> list[tuple[tuple[str, str], Seen]]:
    return [
        (
            (str(block), str(claim["text"])),
            Seen(
                Verdict(claim["verdict"]),
                words.estimate(Estimate(claim["value"], claim["low"], claim["high"]), str(claim["unit"])),
                int(claim["prompts"]),
                when,
            ),
        )
        for claim in claims
    ]

"""What is left of a check that was interrupted. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circuitdsl.outcome import Panel, Report

INTERRUPTED = "interrupted before this was measured"
"""What is said of claims whose experiments had not been run."""


class Interrupted(KeyboardInterrupt):
    """A check that was interrupted; ``report`` has the verdicts that follow from what was measured by then, of a panel
    those of the models that were done."""

    def __init__(self, report: Report | Panel):
        super().__init__("interrupted")
        self.report = report

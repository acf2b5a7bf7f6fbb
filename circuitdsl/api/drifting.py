"""What changed between two reports of one specification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circuitdsl.outcome import Drift, Report
    from circuitdsl.outcome.drift import Recorded


def drift(old: Report | Recorded | str | Path, new: Report | Recorded | str | Path) -> Drift:
    """What changed between two reports of one specification: verdicts, values beyond their intervals, and what figures
    depend on. A report is one of :func:`check`, or the file of its JSON; of a panel it is ``panel[label]``, or
    ``panel.json:label``. Values of the same prompts are compared prompt by prompt.

    Raises InputError for a file that is no report.
    """
    from circuitdsl.outcome.drift import drifted

    return drifted(_recorded(old, "the old report"), _recorded(new, "the new report"))


def _recorded(given: Report | Recorded | str | Path, name: str) -> Recorded:
    from circuitdsl.outcome.drift import Recorded
    from circuitdsl.report.data.recorded import read_report, recorded

    if isinstance(given, Recorded):
        return given
    return read_report(given) if isinstance(given, str | Path) else recorded(given.to_dict(), name)

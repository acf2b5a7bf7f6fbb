"""What changed between two reports of one specification."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from circuitdsl.api.arguments import checked
from circuitdsl.errors import InputError, shown

if TYPE_CHECKING:
    from circuitdsl.outcome import Drift, Report
    from circuitdsl.outcome.drift import Recorded


@checked
def drift(old: Report | Recorded | str | os.PathLike[str], new: Report | Recorded | str | os.PathLike[str]) -> Drift:
    """What changed between two reports of one specification: verdicts, values beyond their intervals, and what figures
    depend on. A report is one of :func:`check`, or the file of its JSON; of a panel it is ``panel[label]``, or
    ``panel.json:label``. Values of the same prompts are compared prompt by prompt.

    Raises InputError for what is no report.
    """
    from circuitdsl.outcome.drift import drifted

    return drifted(_recorded(old, "the old report"), _recorded(new, "the new report"))


def _recorded(given: Report | Recorded | str | os.PathLike[str], name: str) -> Recorded:
    from circuitdsl.outcome import Report
    from circuitdsl.outcome.drift import Recorded
    from circuitdsl.report.data.recorded import read_report, recorded

    match given:
        case Recorded():
            return given
        case str() | os.PathLike():
            return read_report(os.fsdecode(given))
        case Report():
            return recorded(given.to_dict(), name)
        case _:
            raise InputError(f"{name} is {shown(given)}", "give what check found, or the file of its JSON")

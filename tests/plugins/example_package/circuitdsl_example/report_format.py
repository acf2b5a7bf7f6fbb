"""A report format: a table of verdicts with a tab between columns, for spreadsheets."""

from __future__ import annotations

from circuitdsl.outcome import Report
from circuitdsl.report.formats import Format
from circuitdsl.report.output import View


def _render(report: Report, view: View) -> str:
    rows = [(outcome.claim.id, str(outcome.verdict), outcome.claim.text) for outcome in report.outcomes]
    return "".join("\t".join(row) + "\n" for row in [("claim", "verdict", "text"), *rows])


TSV = Format("tsv", "a table of verdicts, tab-separated", _render)

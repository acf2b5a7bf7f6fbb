"""What all JUnit files share: which verdict is which kind of case, how cases are counted, and the document."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from circuitdsl.judge.estimates import Verdict
from circuitdsl.report.xml import xml_text

TAGS = {Verdict.FAILS: "failure", Verdict.ERROR: "error", Verdict.UNDECIDED: "skipped"}
"""What a case contains that did not succeed. One that is undecided is skipped: neither a failure nor a success."""

_COUNTED = {"failures": Verdict.FAILS, "errors": Verdict.ERROR, "skipped": Verdict.UNDECIDED}


def count(element: ET.Element, verdicts: Sequence[Verdict]) -> None:
    """Say how many cases a suite has, or all suites have, and of which kind."""
    element.set("tests", str(len(verdicts)))
    for name, verdict in _COUNTED.items():
        element.set(name, str(verdicts.count(verdict)))


def document(suites: ET.Element) -> str:
    """The file."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml_text(suites)}'

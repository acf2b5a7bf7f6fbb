"""JUnit XML: a suite for each block, a case for each claim, so that any CI system can show verdicts."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from circuitdsl.judge.estimates import Verdict
from circuitdsl.outcome import ClaimOutcome, Report
from circuitdsl.report.formats import Format
from circuitdsl.report.sections import Section, sections
from circuitdsl.report.words import measured_and_wanted

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(report: Report) -> str:
    """The report as JUnit XML. An undecided claim is a skipped case: it is neither a failure nor a success."""
    suites = ET.Element("testsuites", name="circuitdsl", time=f"{report.seconds:.3f}")
    _count(suites, report.outcomes)
    for section in sections(report):
        suites.append(_suite(section))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _suite(section: Section) -> ET.Element:
    suite = ET.Element("testsuite", name=_clean(f"{section.kind} {section.name}"), file=_clean(section.file))
    _count(suite, section.outcomes)
    for outcome in section.outcomes:
        suite.append(_case(section, outcome))
    return suite


def _case(section: Section, outcome: ClaimOutcome) -> ET.Element:
    case = ET.Element(
        "testcase",
        classname=_clean(section.name),
        name=_clean(f"{outcome.claim.id} {outcome.claim.text}"),
        file=_clean(section.file),
        line=str(outcome.claim.line),
    )
    tag = {Verdict.FAILS: "failure", Verdict.ERROR: "error", Verdict.UNDECIDED: "skipped"}.get(outcome.verdict)
    if tag is None:
        return case
    reason = measured_and_wanted(outcome)
    detail = ET.SubElement(case, tag, message=_clean(f"{outcome.verdict}: {reason}"))
    if tag != "skipped":
        detail.set("type", str(outcome.verdict))
        detail.text = _clean(f"{section.file}:{outcome.claim.line}: {outcome.claim.text}\n{reason}")
    return case


def _count(element: ET.Element, outcomes: tuple[ClaimOutcome, ...]) -> None:
    verdicts = [outcome.verdict for outcome in outcomes]
    element.set("tests", str(len(verdicts)))
    element.set("failures", str(verdicts.count(Verdict.FAILS)))
    element.set("errors", str(verdicts.count(Verdict.ERROR)))
    element.set("skipped", str(verdicts.count(Verdict.UNDECIDED)))


def _clean(text: str) -> str:
    """Characters that XML 1.0 cannot hold become replacement characters."""
    return _NOT_XML.sub("\ufffd", text)


FORMAT = Format("junit", "a test case a claim, for CI systems", lambda report, view: to_junit(report))

"""JUnit XML: a suite for each block, a case for each claim, so that any CI system can show verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from circuitdsl.outcome import ClaimOutcome, Report
from circuitdsl.report.data.cases import TAGS, count, document
from circuitdsl.report.formats import Format
from circuitdsl.report.sections import Section, sections
from circuitdsl.report.words import measured_and_wanted


def to_junit(report: Report) -> str:
    """The report as JUnit XML. An undecided claim is a skipped case: it is neither a failure nor a success."""
    suites = ET.Element("testsuites", name="circuitdsl", time=f"{report.seconds:.3f}")
    count(suites, [outcome.verdict for outcome in report.outcomes])
    for section in sections(report):
        suites.append(_suite(section))
    return document(suites)


def _suite(section: Section) -> ET.Element:
    suite = ET.Element("testsuite", name=f"{section.kind} {section.name}", file=section.file)
    count(suite, [outcome.verdict for outcome in section.outcomes])
    for outcome in section.outcomes:
        suite.append(_case(section, outcome))
    return suite


def _case(section: Section, outcome: ClaimOutcome) -> ET.Element:
    case = ET.Element(
        "testcase",
        classname=section.name,
        name=outcome.claim.id,  # no inserted line changes it: a CI system knows the test again
        file=section.file,
        line=str(outcome.claim.line),
    )
    ET.SubElement(case, "system-out").text = "\n".join((outcome.claim.text, *_prompts(outcome)))
    tag = TAGS.get(outcome.verdict)
    if tag is None:
        return case
    reason = measured_and_wanted(outcome)
    detail = ET.SubElement(case, tag, message=f"{outcome.verdict}: {reason}")
    if tag != "skipped":
        detail.set("type", str(outcome.verdict))
        detail.text = f"{section.file}:{outcome.claim.line}: {outcome.claim.text}\n{reason}"
    return case


def _prompts(outcome: ClaimOutcome) -> Iterator[str]:
    """How many prompts a claim took; none of one that compares two descriptions."""
    if outcome.exact:
        yield f"exact: all {outcome.prompts} prompts of the task were run"
    elif outcome.prompts:
        yield f"prompts: {outcome.prompts}"


FORMAT = Format("junit", "a test case a claim, for CI systems", lambda report, view: to_junit(report))

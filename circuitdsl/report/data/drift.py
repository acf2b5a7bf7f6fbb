"""What changed between two reports as JUnit XML: a case for each claim, which fails where it changed."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from circuitdsl.outcome.drift import Drift
from circuitdsl.report.data.cases import TAGS, count, document
from circuitdsl.report.pages.drift import was_and_is


def drift_to_junit(drift: Drift) -> str:
    """A change that is certain is a failure, one that is not (a claim that one report lacks) a skipped case."""
    suites = ET.Element("testsuites", name="circuitdsl drift")
    suite = ET.SubElement(suites, "testsuite", name="drift")
    verdicts = [claim.verdict for claim in drift.claims]
    for element in (suites, suite):
        count(element, verdicts)
    facts = "\n".join([*(f"{each.what}: {each.old} -> {each.new}" for each in drift.facts), *drift.notes])
    for claim in drift.claims:
        case = ET.SubElement(suite, "testcase", classname=claim.last.block, name=claim.id)
        if tag := TAGS.get(claim.verdict):
            detail = ET.SubElement(case, tag, message=claim.note)
            detail.text = "\n".join(part for part in (claim.last.text, was_and_is(claim), facts) if part)
    return document(suites)

"""What changed between two reports as JUnit XML: a case for each claim, which fails where it changed."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from circuitdsl.judge.estimates import Verdict
from circuitdsl.outcome.drift import Drift
from circuitdsl.report.pages.drift import was_and_is
from circuitdsl.report.xml import xml_text

_TAGS = {Verdict.FAILS: "failure", Verdict.ERROR: "error", Verdict.UNDECIDED: "skipped"}


def drift_to_junit(drift: Drift) -> str:
    """A change that is certain is a failure, one that is not (a claim that one report lacks) a skipped case."""
    suites = ET.Element("testsuites", name="circuitdsl drift")
    suite = ET.SubElement(suites, "testsuite", name="drift")
    verdicts = [claim.verdict for claim in drift.claims]
    for element in (suites, suite):
        element.set("tests", str(len(verdicts)))
        for name, verdict in (("failures", "fails"), ("errors", "error"), ("skipped", "undecided")):
            element.set(name, str(verdicts.count(Verdict(verdict))))
    facts = "\n".join([*(f"{each.what}: {each.old} -> {each.new}" for each in drift.facts), *drift.notes])
    for claim in drift.claims:
        case = ET.SubElement(suite, "testcase", classname=claim.last.block, name=claim.id)
        if tag := _TAGS.get(claim.verdict):
            detail = ET.SubElement(case, tag, message=claim.note)
            detail.text = "\n".join(part for part in (claim.last.text, was_and_is(claim), facts) if part)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml_text(suites)}'

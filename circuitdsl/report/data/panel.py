"""A panel as JUnit XML: a suite for each model, a case for each claim, as of a report."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from circuitdsl.judge.estimates import Verdict
from circuitdsl.outcome import Panel, PanelColumn, Unmeasured
from circuitdsl.outcome.drift import Standing
from circuitdsl.report.words import estimate
from circuitdsl.report.xml import xml_text

_TAGS = {Verdict.FAILS: "failure", Verdict.ERROR: "error", Verdict.UNDECIDED: "skipped"}


def panel_to_junit(panel: Panel) -> str:
    """An undecided claim is a skipped case; a model that was not checked has one case, an error."""
    suites = ET.Element("testsuites", name="circuitdsl", time=f"{panel.seconds:.3f}")
    for column in panel.columns:
        suites.append(_suite(column))
    for name in ("tests", "failures", "errors", "skipped"):
        suites.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml_text(suites)}'


def _suite(column: PanelColumn) -> ET.Element:
    suite = ET.Element("testsuite", name=column.label, time=f"{column.seconds:.3f}")
    if isinstance(column.found, Unmeasured):
        case = ET.SubElement(suite, "testcase", classname=column.label, name="the model is checked")
        remedy = f"\n{column.found.remedy}" if column.found.remedy else ""
        problem = column.found.problem
        ET.SubElement(case, "error", message=problem.partition("\n")[0]).text = f"{problem}{remedy}"
        verdicts = [Verdict.ERROR]
    else:
        verdicts = [standing.verdict for standing in column.found.claims.values()]
        for standing in column.found.claims.values():
            suite.append(_case(column.label, standing))
    suite.set("tests", str(len(verdicts)))
    for name, verdict in (("failures", Verdict.FAILS), ("errors", Verdict.ERROR), ("skipped", Verdict.UNDECIDED)):
        suite.set(name, str(verdicts.count(verdict)))
    return suite


def _case(model: str, standing: Standing) -> ET.Element:
    case = ET.Element("testcase", classname=f"{model}.{standing.block}", name=standing.id)
    figure = f"{standing.text}: {estimate(standing.estimate, standing.unit)}"
    ET.SubElement(case, "system-out").text = figure
    if tag := _TAGS.get(standing.verdict):
        detail = ET.SubElement(case, tag, message=f"{standing.verdict}: {figure}")
        detail.text = standing.note
    return case

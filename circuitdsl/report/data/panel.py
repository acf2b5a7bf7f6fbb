"""A panel as JUnit XML: a suite for each model, a case for each claim, as of a report."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from circuitdsl.judge.estimates import Verdict
from circuitdsl.outcome import Panel, PanelColumn, Unmeasured
from circuitdsl.outcome.drift import Standing
from circuitdsl.report.data.cases import TAGS, count, document
from circuitdsl.report.words import estimate


def panel_to_junit(panel: Panel) -> str:
    """An undecided claim is a skipped case; a model that was not checked has one case, an error."""
    suites = ET.Element("testsuites", name="circuitdsl", time=f"{panel.seconds:.3f}")
    count(suites, [verdict for column in panel.columns for verdict in _verdicts(column)])
    suites.extend(map(_suite, panel.columns))
    return document(suites)


def _verdicts(column: PanelColumn) -> list[Verdict]:
    if isinstance(column.found, Unmeasured):
        return [Verdict.ERROR]
    return [standing.verdict for standing in column.found.claims.values()]


def _suite(column: PanelColumn) -> ET.Element:
    suite = ET.Element("testsuite", name=column.label, time=f"{column.seconds:.3f}")
    count(suite, _verdicts(column))
    if isinstance(column.found, Unmeasured):
        case = ET.SubElement(suite, "testcase", classname=column.label, name="the model is checked")
        remedy = f"\n{column.found.remedy}" if column.found.remedy else ""
        problem = column.found.problem
        ET.SubElement(case, "error", message=problem.partition("\n")[0]).text = f"{problem}{remedy}"
    else:
        suite.extend(_case(column.label, standing) for standing in column.found.claims.values())
    return suite


def _case(model: str, standing: Standing) -> ET.Element:
    case = ET.Element("testcase", classname=f"{model}.{standing.block}", name=standing.id)
    figure = f"{standing.text}: {estimate(standing.estimate, standing.unit)}"
    ET.SubElement(case, "system-out").text = figure
    if tag := TAGS.get(standing.verdict):
        detail = ET.SubElement(case, tag, message=f"{standing.verdict}: {figure}")
        detail.text = standing.note
    return case

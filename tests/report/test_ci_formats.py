"""JUnit XML and SARIF: well formed, at the right lines, whatever the names and notes hold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from report_samples import report

import samples
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.diagnostics import SpecError, codes
from circuitdsl.language.resolve import resolve_text
from circuitdsl.outcome import Report
from circuitdsl.report.data.junit import to_junit
from circuitdsl.report.data.sarif import diagnostics_to_sarif, report_to_sarif

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def suites() -> ET.Element:
    return ET.fromstring(to_junit(report()))


def with_note(note: str, text: str = "expect copying(mover, IO) >= 90%", file: str = "specs/ioi.circuit") -> Report:
    """A report of one claim that could not be run, with these words in it."""
    whole = report()
    claim = replace(samples.expect("ioi", 10, "copying", whole.outcomes[-1].claim.bound), text=text)
    one = replace(whole.circuits[0], claims=(samples.outcome(claim, Verdict.ERROR, None, note=note),))
    one = replace(one, circuit=replace(one.circuit, file=file))
    return replace(whole, circuits=(one,), comparisons=(), interventions=())


# --- JUnit -----------------------------------------------------------------------------------------


def test_a_suite_for_each_block_and_a_case_for_each_claim(suites: ET.Element):
    assert [suite.get("name") for suite in suites] == [
        "circuit ioi",
        "compare ioi with ioi",
        "intervention repair on ioi",
    ]
    assert [len(suite) for suite in suites] == [9, 1, 1]


def test_the_counts_are_those_of_the_cases(suites: ET.Element):
    assert [suites.get(name) for name in ("tests", "failures", "errors", "skipped", "time")] == [
        *("11", "2", "1", "1", "12.340")
    ]
    for suite in suites:
        for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.get(name) == str(len(list(suite.iter(tag))))


def test_cases_have_unique_names_and_their_lines(suites: ET.Element):
    cases = list(suites.iter("testcase"))
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases)
    assert [case.get("line") for case in cases] == [*("3", "3", "4", "4", "5", "7", "8", "9", "10", "3", "4")]
    assert {case.get("file") for case in suites[0]} == {"specs/ioi.circuit"}
    claims = [outcome.claim for outcome in report().outcomes]
    assert [case.get("name") for case in cases] == [claim.id for claim in claims]
    said = [f"{outcome.claim.text}\nprompts: {outcome.prompts}" for outcome in report().outcomes]
    assert [case.findtext("system-out") for case in cases] == said


def test_a_failure_says_where_and_why(suites: ET.Element):
    failure = next(iter(suites.iter("failure")))
    assert failure.get("message") == "fails: measured 0.2% [0.1, 0.3], wants at least 1%"
    assert (failure.text or "").startswith("specs/ioi.circuit:4: 2.4 at END matters")
    (error,) = suites.iter("error")
    assert error.get("message") == "error: the patch changed nothing"


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        ('a < b & c > "d" ]]>', 'a < b & c > "d" ]]>'),
        ("control \x00\x1b\x0c", r"control \x00\x1b\x0c"),
        ("surrogate \ud800", r"surrogate \ud800"),
        ("no character \ufffe", r"no character \ufffe"),
        ("emoji 🧠 ü", "emoji 🧠 ü"),
    ],
)
def test_any_text_is_well_formed_xml(note: str, shown: str):
    parsed = ET.fromstring(to_junit(with_note(note)).encode("utf-8"))
    (error,) = parsed.iter("error")
    assert error.get("message") == f"error: {shown}"


# --- SARIF -----------------------------------------------------------------------------------------


def results(text: str) -> list[dict[str, Any]]:
    log = json.loads(text)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    assert {result["ruleId"] for result in run["results"]} <= set(rules)
    return run["results"]


def place(result: dict[str, Any]) -> tuple[str, int | None]:
    (location,) = result["locations"]
    physical = location["physicalLocation"]
    return physical["artifactLocation"]["uri"], physical.get("region", {}).get("startLine")


def test_one_result_for_each_claim_that_does_not_hold_at_its_line():
    found = results(report_to_sarif(report()))
    assert [(result["ruleId"], result["level"], *place(result)) for result in found] == [
        ("claim-fails", "error", "specs/ioi.circuit", 4),
        ("claim-fails", "error", "specs/ioi.circuit", 8),
        ("claim-undecided", "warning", "specs/ioi.circuit", 9),
        ("claim-error", "error", "specs/ioi.circuit", 10),
    ]
    ids = [each.claim.id for each in report().outcomes if each.verdict is not Verdict.HOLDS]
    assert [result["partialFingerprints"] for result in found] == [{"claim/v1": each} for each in ids]
    assert found[0]["message"]["text"] == "2.4 at END matters: measured 0.2% [0.1, 0.3], wants at least 1%"


def test_files_elsewhere_have_a_file_uri_and_blanks_are_escaped(tmp_path: Path):
    (elsewhere,) = results(report_to_sarif(with_note("x", file=str(tmp_path / "my spec.circuit"))))
    assert place(elsewhere)[0] == (tmp_path / "my spec.circuit").as_uri()
    assert "%20" in place(elsewhere)[0]
    (here,) = results(report_to_sarif(with_note("x", file="my spec.circuit")))
    assert place(here)[0] == "my%20spec.circuit"


def diagnostics(text: str):
    from circuitdsl.api import environment

    with pytest.raises(SpecError) as error:
        resolve_text(text, "wrong.circuit", environment())
    return error.value.diagnostics


def test_diagnostics_stand_where_they_are_in_the_text():
    text = "circuit c {\n  model mini\n  task  ioi\n  role mover at END { 9.9 }\n  expect acuracy >= 90%\n}\n"
    found = diagnostics(text)
    shown = results(diagnostics_to_sarif(found, codes()))
    assert len(shown) == len(found) == 2
    lines = text.splitlines()
    for result, words in zip(shown, ("9.9", "acuracy"), strict=True):
        region = result["locations"][0]["physicalLocation"]["region"]
        assert region["endLine"] == region["startLine"]
        assert lines[region["startLine"] - 1][region["startColumn"] - 1 : region["endColumn"] - 1] == words
        assert result["level"] == "error"


def test_nothing_wrong_is_a_run_without_results():
    assert results(diagnostics_to_sarif((), codes())) == []


def test_every_code_that_is_used_is_explained():
    text = diagnostics_to_sarif(diagnostics("circuit c {\n  model nomodel\n  task ioi\n}\n"), codes())
    rules = json.loads(text)["runs"][0]["tool"]["driver"]["rules"]
    assert rules
    assert all(rule["shortDescription"]["text"] == codes()[rule["id"]] for rule in rules)

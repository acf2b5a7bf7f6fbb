"""Two reports set against each other: what changed, where it is said, and files that are no reports."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator
from report_samples import ROOT, report

import circuitdsl as cd
from circuitdsl.judge.estimates import Verdict
from circuitdsl.outcome.drift import Drift, drifted
from circuitdsl.report.data.drift import drift_to_junit
from circuitdsl.report.data.recorded import recorded

SCHEMA = json.loads((ROOT / "docs" / "drift.schema.json").read_text(encoding="utf-8"))


def data() -> Any:
    return json.loads(json.dumps(report().to_dict()))


def changed(change: Callable[[Any], None]) -> Any:
    """A report in which something was changed."""
    made = data()
    change(made)
    return made


def drift_of(new: Any) -> Drift:
    return drifted(recorded(data(), "old"), recorded(new, "new"))


def first(made: Any, verdict: str = "holds") -> Any:
    return next(claim for claim in made["circuits"][0]["claims"] if claim["verdict"] == verdict and claim["high"])


def test_a_report_against_itself_has_not_changed():
    found = cd.drift(report(), report())
    Draft202012Validator(SCHEMA).validate(found.to_dict())
    kept = [claim for claim in found.claims if claim.verdict is not Verdict.ERROR]
    assert {claim.verdict for claim in kept} == {Verdict.HOLDS} and len(kept) == len(report().outcomes) - 1
    assert (found.facts, found.notes, found.exit_code) == ((), (), 4)  # of the claim that could not be run


def moved(made: Any) -> None:
    claim = first(made)
    width = claim["high"] - claim["low"]
    for key in ("value", "low", "high"):
        claim[key] += 10 * width


def nudged(made: Any) -> None:
    claim = first(made)
    for key in ("value", "low", "high"):
        claim[key] += (claim["high"] - claim["low"]) / 4


def failed(made: Any) -> None:
    first(made)["verdict"] = "fails"


def undecided(made: Any) -> None:
    first(made)["verdict"] = "undecided"


def gone(made: Any) -> None:
    made["circuits"][0]["claims"].remove(first(made))


def other_subject(made: Any) -> None:
    first(made)["subject"] = {"measure": "something else"}


def broken(made: Any) -> None:
    first(made).update(verdict="error", value=None, low=None, high=None, note="the patch changed nothing")


@pytest.mark.parametrize(
    ("change", "verdict", "says"),
    [
        (moved, "fails", "the value moved"),
        (nudged, "holds", ""),
        (failed, "fails", "holds before, fails now"),
        (undecided, "undecided", "holds before, undecided now, and the value did not move"),
        (gone, "undecided", "only the old report has it"),
        (other_subject, "undecided", "measure different things"),
        (broken, "error", "the patch changed nothing"),
    ],
)
def test_what_became_of_a_claim(change: Callable[[Any], None], verdict: str, says: str):
    found = drift_of(changed(change))
    Draft202012Validator(SCHEMA).validate(found.to_dict())
    (claim,) = [claim for claim in found.claims if claim.id == first(data())["id"]]
    assert claim.verdict == verdict and says in claim.note
    others = [each for each in found.claims if each is not claim and each.verdict is not Verdict.ERROR]
    assert {each.verdict for each in others} == {Verdict.HOLDS}
    suites = ET.fromstring(drift_to_junit(found))
    tags = {"fails": "failure", "undecided": "skipped", "error": "error"}
    cases = {case.get("name"): [child.tag for child in case] for case in suites.iter("testcase")}
    assert cases[claim.id] == [tags[verdict] for _ in range(verdict != "holds")]
    assert (claim.id in cd.show(found).replace("\n", "")) == (verdict != "holds")


def test_a_figure_of_all_prompts_is_at_a_confidence_of_one():
    def exact(made: Any) -> None:
        claim = first(made)
        claim.update(low=claim["value"], high=claim["value"], confidence=1, exact=True)

    (claim,) = [each for each in drift_of(changed(exact)).claims if each.id == first(data())["id"]]
    assert claim.new is not None and claim.new.confidence == 1 and claim.verdict is Verdict.HOLDS


def test_what_figures_depend_on_is_told():
    def other(made: Any) -> None:
        made["versions"]["circuitdsl"] = "9.9"
        made["circuits"][0].update(fingerprint="0" * 64)
        made["circuits"][0]["method"]["seed"] = 5

    name = data()["circuits"][0]["name"]
    facts = {fact.what: fact.new for fact in drift_of(changed(other)).facts}
    assert facts == {"version of circuitdsl": "9.9", f"fingerprint of {name}": "0" * 64, f"seed of {name}": "5"}


def test_one_set_of_weights_under_two_names_is_told():
    found = drift_of(changed(lambda made: made["circuits"][0].update(revision="step99")))
    (note,) = found.notes
    assert "step99 have the same weights" in note and note in " ".join(cd.show(found).split())


# --- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1, column 1: not JSON"),
        ("[]", "[] is not an object"),
        ("{}", "there is no `schema`"),
        ('{"schema": "circuitdsl/report/5"}', 'has the schema "circuitdsl/report/5"'),
        ('{"schema": NaN}', "NaN is no number of JSON"),
        ("[" * 100_000, "nested too deep"),
        ("\x00", "not JSON"),
        (json.dumps({**data(), "circuits": [{}]}), "circuits[0]: there is no `name`"),
        (json.dumps({**data(), "circuits": 3}), "circuits: 3 is not a list"),
        (json.dumps(changed(lambda made: first(made).update(confidence=1))), "1 is no confidence"),
        (json.dumps(changed(lambda made: first(made).update(verdict="true"))), '"true" is no verdict'),
        (json.dumps(changed(lambda made: first(made).update(value="1"))), '"1" is not a number'),
        (json.dumps(changed(lambda made: first(made).update(low=1e9))), "the value lies outside of its interval"),
        (json.dumps(changed(lambda made: made["circuits"][0]["claims"].append(first(made)))), "stands twice"),
    ],
)
def test_what_is_no_report_is_refused_with_its_place(tmp_path: Path, text: str, says: str):
    path = tmp_path / "old.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(cd.InputError, match=re.escape(says)) as caught:
        cd.drift(path, report())
    assert str(path) in caught.value.message and caught.value.remedy

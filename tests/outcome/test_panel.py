"""A panel: what it says of claims over models, in the record, on pages and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

import circuitdsl as cd
from benchmarks.robustness.evil_texts import EVIL, harm_of, harm_of_xml, poisoned
from circuitdsl.judge.estimates import NOTHING, Estimate, Verdict
from circuitdsl.language.circuit import Bound
from circuitdsl.models.listing import listed
from circuitdsl.outcome import Cost, Panel, PanelColumn, Unmeasured
from circuitdsl.outcome.drift import Recorded, Standing
from circuitdsl.outcome.panel import panel_of
from circuitdsl.report.charts.panel import panel_chart
from circuitdsl.report.data.panel import panel_to_junit
from circuitdsl.report.data.recorded import read_report
from circuitdsl.report.output import View

ROOT = Path(__file__).parents[2]
SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "panel.schema.json").read_text("utf-8")))
HOLDS, FAILS, UNDECIDED, ERROR = Verdict.HOLDS, Verdict.FAILS, Verdict.UNDECIDED, Verdict.ERROR


def standing(name: str, verdict: Verdict, value: float) -> Standing:
    estimate = NOTHING if verdict is ERROR else Estimate(value, value - 0.01, value + 0.01)
    text, bound = f"expect {name} >= 50%", Bound(">=", low=0.5)
    return Standing(f"c:{name}", "c", text, "share", name, estimate, 0.95, verdict, 40, "", bound)


def column(label: str, fingerprint: str, *standings: Standing) -> PanelColumn:
    facts = {"fingerprint of c": fingerprint * 64}
    found = Recorded(facts, {"c": (fingerprint * 64, label)}, {each.id: each for each in standings})
    return PanelColumn(listed(label), found, Cost(10, 200, 5.0, kept=2), 1.5)


def panel(labels: Sequence[str] = ("m/step0", "m/step250", "m/step500"), *more: PanelColumn) -> Panel:
    """Over three models: claims that turn, move, are open in two, stay, and could not be run in one."""
    rows = {
        "stays": [(HOLDS, 0.9), (HOLDS, 0.905), (HOLDS, 0.9)],
        "turns": [(FAILS, 0.2), (HOLDS, 0.8), (HOLDS, 0.8)],
        "moves": [(HOLDS, 0.6), (HOLDS, 0.6), (HOLDS, 0.9)],
        "opens": [(UNDECIDED, 0.5), (HOLDS, 0.52), (UNDECIDED, 0.5)],
        "breaks": [(HOLDS, 0.7), (ERROR, 0.0), (HOLDS, 0.7)],
    }
    columns = [
        column(label, fingerprint, *(standing(name, *found[place]) for name, found in rows.items()))
        for place, (label, fingerprint) in enumerate(zip(labels, "abb", strict=True))
    ]
    return panel_of([*columns, *more], {"torch": "1"})


def test_models_stand_in_the_order_of_their_steps():
    found = panel(("m/step500", "m/step0", "m/step250"))
    assert [each.label for each in found.columns] == ["m/step0", "m/step250", "m/step500"]
    (turns,) = (claim for claim in found.claims if claim.first.text == "expect turns >= 50%")
    assert turns.verdicts == (HOLDS, HOLDS, FAILS) and turns.holds_from is None


LACKING = PanelColumn(listed("none@main"), Unmeasured("no model\nis called none", "name another", 2))


def test_one_interval_that_is_a_thousand_times_as_long_does_not_flatten_a_chart():
    """Of a share of a metric that a model barely has. Points, bounds and other intervals are drawn whole."""
    name, values = "broke", (0.1, 0.3, 0.8)
    found = [standing(name, HOLDS, value) for value in values]
    found[0] = replace(found[0], estimate=Estimate(0.1, -300.0, 0.11))
    chart = panel_chart(panel_of([column(f"m/step{step}", "a", one) for step, one in enumerate(found)], {})).to_dict()
    low, high = chart["concat"][0]["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert -1 < low < min(values) - 0.1 and max(values) + 0.01 < high < 2
    (rows,) = chart["datasets"].values()
    assert min(row["low"] for row in rows) == low


def test_claims_that_changed_come_first_and_are_told_apart():
    found = panel()
    order = [(claim.id.removeprefix("c:"), claim.change) for claim in found.changed_first]
    assert order[:2] == [("turns", "changed"), ("moves", "changed")]
    assert order[2:] == [("opens", "open"), ("breaks", "open"), ("stays", "same")]
    claims = {claim.id.removeprefix("c:"): claim for claim in found.claims}
    assert [claims[name].turned for name in ("turns", "moves", "opens")] == [True, False, False]
    assert [claims[name].moved for name in ("turns", "moves", "stays")] == [True, True, False]
    holding = {name: claim.holds_from for name, claim in claims.items()}
    assert holding == {"stays": 0, "turns": 1, "moves": 0, "opens": None, "breaks": 2}


def test_intervals_are_corrected_for_claims_and_models():
    """Two intervals that do not meet as they stand do where they are two of many."""
    near, far = Estimate(0.50, 0.40, 0.60), Estimate(0.72, 0.62, 0.82)
    two = [replace(standing("x", HOLDS, 0.5), estimate=each) for each in (near, far)]
    assert not panel_of([column("a", "a", two[0]), column("b", "b", two[1])], {}).claims[0].moved
    clear = replace(two[1], estimate=Estimate(0.85, 0.75, 0.95))
    others = [standing(f"other{number}", HOLDS, 0.5) for number in range(200)]
    alone = panel_of([column("a", "a", two[0]), column("b", "b", clear)], {})
    of_many = panel_of([column("a", "a", two[0], *others), column("b", "b", clear, *others)], {})
    assert alone.claims[0].moved and not of_many.claims[0].moved


def test_figures_of_different_things_under_one_name_have_not_moved():
    other = replace(standing("x", HOLDS, 0.9), about="something else")
    assert not panel_of([column("a", "a", standing("x", HOLDS, 0.1)), column("b", "b", other)], {}).claims[0].moved


def test_equal_weights_under_two_names_are_said_so():
    assert panel().notes == (f"m/step250, m/step500: 2 names of the same weights ({'b' * 12})",)


def test_the_exit_code_is_that_of_a_check_unless_a_model_is_lacking():
    assert panel().exit_code == 4  # of the claim that could not be run
    fails, opens = standing("x", FAILS, 0.1), standing("x", UNDECIDED, 0.5)
    assert panel_of([column("a", "a", standing("x", HOLDS, 0.9)), column("b", "b", opens)], {}).exit_code == 3
    assert panel_of([column("a", "a", fails), column("b", "b", opens)], {}).exit_code == 1
    assert panel_of([column("a", "a", fails), LACKING], {}).exit_code == 2
    out_of_memory = replace(LACKING, found=Unmeasured("no memory", "", 4))
    assert panel_of([column("a", "a", fails), out_of_memory], {}).exit_code == 4


def test_two_columns_are_what_drift_takes():
    found = panel()
    drift = cd.drift(found["m/step0"], found["m/step250"])
    assert [claim.id for claim in drift.claims if claim.verdict is FAILS] == ["c:turns"]
    with pytest.raises(KeyError):
        panel(("a", "b", "c"), LACKING)["none@main"]


def test_a_model_of_a_panel_is_read_back_from_its_json(tmp_path: Path):
    made, file = panel(("a:x", "b", "c"), LACKING), tmp_path / "p:1.json"
    file.write_text(json.dumps(made.to_dict()), encoding="utf-8")
    assert read_report(f"{file}:a:x") == made["a:x"]
    drift = cd.drift(f"{file}:a:x", f"{file}:b")
    assert [claim.id for claim in drift.claims if claim.verdict is FAILS] == ["c:turns"]
    for written, says in (
        (str(file), "is a panel of many models"),
        (f"{file}:d", 'is called "d"'),
        (f"{file}:none@main", 'has no figures of "none@main"'),
    ):
        with pytest.raises(cd.InputError, match=says):
            read_report(written)


def test_the_json_obeys_its_schema_and_says_all_of_it():
    found: Any = panel(("a", "b", "c"), LACKING).to_dict()
    SCHEMA.validate(json.loads(json.dumps(found, allow_nan=False)))
    assert (found["exit"], found["summary"]) == (2, {"holds": 11, "fails": 1, "undecided": 2, "error": 1})
    assert found["cost"]["experiments"] == 30 and found["cost"]["kept"] == 6
    (turned, *_) = found["claims"]
    assert (turned["id"], turned["holds_from"], turned["standings"][3]) == ("c:turns", "b", None)
    assert len(list(panel().to_frame().index)) == 15


def test_the_page_has_a_sign_a_model_and_first_what_changed():
    text = cd.show(panel(("a", "b", "c"), LACKING))
    assert text.index("✗✓✓·  expect turns") < text.index("?✓?·  expect opens") < text.index("✓✓✓·  expect stays")
    assert "20.0% [19.0, 21.0] -> 80.0% [79.0, 81.0]; the value moved" in text
    assert "! none@main was not checked\n    no model\n    is called none\n    help: name another\n" in text
    assert "5 claims on 3 models: 1 true in one and false in another, 2 with a value that moved" in text
    by_step = cd.show(panel(), view=View(verbose=True))
    assert "0, 250, 500" in by_step and "holds from step 250 on" in by_step and "✓ 500: 90.0% [89.0, 91.0]" in by_step
    assert "expect stays" not in cd.show(panel(), view=View(quiet=True))
    assert repr(panel()) == "<Panel of 5 claims on 3 models: 2 changed>"


@pytest.mark.parametrize("evil", EVIL, ids=[repr(evil) for evil in EVIL])
def test_foreign_text_does_nothing(evil: str):
    made = poisoned(panel(("a", "b", "c"), LACKING), evil)
    assert [*harm_of(cd.show(made, view=View(verbose=True, width=5_000)))] == []
    assert [*harm_of_xml(panel_to_junit(made))] == []


def test_junit_has_a_suite_a_model():
    suites = ET.fromstring(panel_to_junit(panel(("a", "b", "c"), LACKING)))
    kinds = ("tests", "failures", "errors", "skipped")
    counts = {suite.get("name"): [suite.get(each) for each in kinds] for suite in suites}
    assert counts == {
        "a": ["5", "1", "0", "1"],
        "b": ["5", "0", "1", "0"],
        "c": ["5", "0", "0", "1"],
        "none@main": ["1", "0", "1", "0"],
    }
    assert (suites.get("tests"), suites.get("errors")) == ("16", "2")


def test_every_claim_is_drawn_over_steps_with_what_it_wants():
    chart = panel().chart().to_dict()
    assert [each["title"]["text"] for each in chart["concat"]][:2] == ["turns >= 50%", "moves >= 50%"]
    first = chart["concat"][0]
    rows = chart["datasets"][first["data"]["name"]]
    assert [(row["step"], row["value"], row["least"], row["most"]) for row in rows] == [
        *((0, 0.2, 0.5, None), (250, 0.8, 0.5, None), (500, 0.8, 0.5, None))
    ]
    assert first["layer"][-1]["encoding"]["x"]["field"] == "step"
    named = panel(("a", "b", "c")).chart().to_dict()
    assert named["concat"][0]["layer"][-1]["encoding"]["x"]["field"] == "model"
    assert panel().svg().startswith("<svg")


def test_the_page_for_browsers_has_the_models_the_claims_and_the_figures():
    page = cd.show(panel(("a<b>", "b", "c"), LACKING), "html")
    assert "a&lt;b&gt;" in page and "a<b>" not in page
    assert page.index("expect turns") < page.index("expect opens") < page.index("expect stays")
    assert "no model" in page and "✗ FAILS, 20.0% [19.0, 21.0]" in page

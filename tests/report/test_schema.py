"""docs/report.schema.json: every report obeys it, and what it does not allow is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from report_samples import LEFT, report, schema
from rich.cells import cell_len

import circuitdsl as cd
from circuitdsl.language.resolve import resolve_text
from circuitdsl.outcome import Report
from circuitdsl.report import output
from circuitdsl.report.data.json import to_json
from circuitdsl.report.pages import report as terminal

torch.set_num_threads(1)

SPEC = """
circuit first {
  model planted-broken
  task ioi
  method {
    prompts 12
    reference 4
    vary ablate: zero
  }
  role inhibition at END { 2.0 2.3 }
  role mover at END { 3.1 3.4 }
  edge inhibition -> mover.q : raises
  edge mover -> logits : raises
  no edge { 1.1 at S2 } -> mover.kv
  expect attention(mover, END -> IO) >= 90%
  expect copying(mover, IO) >= 0%
  expect effect(mover -> logits, strict) <= 0%
  expect faithfulness > random heads
  expect completeness(mover) <= 100
  expect accuracy >= 90%
  expect hit(3) >= 1%
  expect logit_diff(against max) >= -99
  expect kl <= 99
}

circuit second {
  model planted-broken
  task colored_objects(shots: 0)
  method {
    metric probability
    prompts 12
    reference 4
  }
  role mover at END { 3.1 3.4 }
  expect accuracy in 0% .. 90%
}

compare first with second {
  expect overlap(heads) >= 50%
  expect overlap(mover ~ mover) >= 99%
  expect overlap(heads) > chance
  expect transfer(first -> second) >= -1000%
}

intervention repair on second {
  attend 2.0 at END from END to DISTRACTORS evenly
  attend 2.3 at END from END to DISTRACTORS evenly
  expect accuracy - baseline >= 10%
  expect attention(mover, END -> ANSWER_COLOR) - baseline >= 5%
}
"""


@pytest.fixture(scope="module")
def checked() -> Report:
    return cd.check(resolve_text(SPEC, "real.circuit", cd.environment()))


@pytest.fixture(scope="module")
def real(checked: Report) -> dict[str, Any]:
    return checked.to_dict()


def problems(data: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in schema().iter_errors(data)]


def test_the_schema_is_one():
    Draft202012Validator.check_schema(dict(schema().schema))  # type: ignore[arg-type]


def test_a_report_made_by_hand_obeys_it():
    assert problems(json.loads(to_json(report().to_dict()))) == []


def test_a_real_report_with_a_comparison_and_an_intervention_obeys_it(real):
    assert problems(json.loads(to_json(real))) == []
    (comparison,), (intervention,) = real["comparisons"], real["interventions"]
    assert len(comparison["claims"]) == 4
    assert len(intervention["arms"]) >= 4  # none, all, each action alone
    assert intervention["downstream"]
    assert all(claim["verdict"] != "error" for circuit in real["circuits"] for claim in circuit["claims"])


def test_a_real_report_fits_80_columns_with_every_interval_on_one_line(checked: Report):
    for verbose in (False, True):
        shown = output.to_text(terminal.render(checked, verbose), 80).splitlines()
        assert max(map(cell_len, shown)) <= 80
        assert [line for line in shown if re.search(r"\[-?[0-9.]+,?(?![^\[]*\])", line)] == []
    assert any(line.startswith("action 2 alone") for line in shown)


def test_a_comparison_in_full_with_its_curves_obeys_it_too():
    first, second = resolve_text(SPEC, "real.circuit", cd.environment()).circuits
    entry: dict[str, Any] = cd.compare_function(first, second, prompts=12, kinds=("knockout",)).to_dict()
    assert entry["curves"] and entry["function"]["cells"] and entry["transfer"]
    whole = report().to_dict()
    whole["comparisons"] = [entry | {"file": "x", "exit": 0, "claims": []}]
    assert problems(json.loads(to_json(whole))) == []


def test_what_circuits_are_made_of_is_told_in_the_report(real):
    (first, second) = real["circuits"]
    assert [head["head"] for head in first["heads"]] == ["2.0", "2.3", "3.1", "3.4"]
    assert (first["task"], second["task"]) == ("ioi", "colored_objects(shots: 0)")
    assert first["method"]["prompts"] == [12, 12]
    assert {claim["id"].split(":")[0] for claim in first["claims"]} == {"first"}
    for part in (*real["circuits"], *real["interventions"]):
        assert part["fingerprint"] == first["fingerprint"]
        assert part["revision"] is None
    assert sum(real["summary"].values()) == sum(
        len(part["claims"]) for kind in ("circuits", "comparisons", "interventions") for part in real[kind]
    )


def extra(data: Any) -> None:
    data["more"] = 1


def text_for_number(data: Any) -> None:
    data["circuits"][0]["claims"][0]["value"] = "0.05"


def unknown_verdict(data: Any) -> None:
    data["circuits"][0]["claims"][0]["verdict"] = "passes"


def missing_note(data: Any) -> None:
    del data["circuits"][0]["claims"][0]["note"]


def estimate_with_more(data: Any) -> None:
    data["interventions"][0]["claims"][0]["bound"]["tolerance"] = 1


def line_zero(data: Any) -> None:
    data["circuits"][0]["claims"][0]["line"] = 0


def exit_of_wrong_input(data: Any) -> None:
    data["circuits"][0]["exit"] = 2


def half_a_function(data: Any) -> None:
    nothing = {"value": None, "low": None, "high": None}
    data["comparisons"][0]["transfer"] = {"left_to_right": nothing, "right_to_left": nothing}


def half_a_fingerprint(data: Any) -> None:
    data["circuits"][0]["fingerprint"] = "1a2b3c4d5e6f"


def no_revision(data: Any) -> None:
    del data["interventions"][0]["revision"]


def p_above_one(data: Any) -> None:
    data["circuits"][0]["claims"][5]["p_value"] = 1.5


@pytest.mark.parametrize(
    "spoil",
    [
        extra,
        text_for_number,
        unknown_verdict,
        missing_note,
        estimate_with_more,
        line_zero,
        exit_of_wrong_input,
        half_a_function,
        p_above_one,
        half_a_fingerprint,
        no_revision,
    ],
)
def test_what_it_does_not_allow_is_refused(spoil: Callable[[Any], None]):
    data = json.loads(to_json(report().to_dict()))
    spoil(data)
    assert len(problems(data)) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_json_has_no_nan_and_no_infinity(value: float):
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json({"value": value})


def test_json_keeps_letters_of_every_language_and_ends_its_line():
    assert to_json({"about": f"Köpfe → {LEFT.name}"}) == '{\n  "about": "Köpfe → left"\n}\n'

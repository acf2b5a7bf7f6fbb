"""Interventions taken apart where not everything can be had: an error of a claim, a note, never an exception."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import circuitdsl as cd
from circuitdsl.judge.estimates import Verdict
from circuitdsl.outcome import InterventionReport

torch.set_num_threads(1)

NAMES = [("Mary", "John"), ("John", "Mary"), ("Anna", "John"), ("Mary", "Anna"), ("Anna", "Tom"), ("Tom", "Mary")]

SPEC = """circuit short {
  model planted-broken
  task file("prompts.jsonl")
  method { ablate zero }
  role mover at END { 3.1 3.4 }
  expect attention(mover, END -> FIRST) >= 0%
}
intervention changed on short {
  ACTION
  expect accuracy >= 0%
  expect accuracy - baseline >= -100%
}
"""


@pytest.fixture
def check(tmp_path: Path):
    """What becomes of an action on a task without counterfactuals."""
    rows = []
    for answer, other in NAMES:
        text = f"Then {answer} and {other} went to the park. {other} gave a ball to"
        start = text.index(answer)
        rows.append(
            {
                "prompt": text,
                "answer": f" {answer}",
                "wrong": [f" {other}"],
                "positions": {"FIRST": [start, start + len(answer)]},
                "template": "then",
            }
        )
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    def checked(action: str, spec: str = SPEC) -> InterventionReport:
        path = tmp_path / "short.circuit"
        path.write_text(spec.replace("ACTION", action), encoding="utf-8")
        return cd.check(cd.load(path), unexplained=False).interventions[0]

    return checked


def test_an_ablation_that_cannot_be_had_is_its_claims_error(check):
    report = check("ablate { 2.0 2.3 } at END resample")
    assert [outcome.verdict for outcome in report.claims] == [Verdict.ERROR] * 2
    assert all("the task has none" in outcome.note for outcome in report.claims)
    assert report.arms == ()
    assert "the task has none" in report.notes[0]
    assert json.dumps(report.to_dict(), allow_nan=False)


def test_an_arm_that_cannot_be_had_says_why_and_the_others_are_there(check):
    """A token cannot attend to a later one."""
    report = check("attend { 2.0 } at FIRST from FIRST to END evenly\n  ablate { 2.3 } at END zero")
    arms = {arm.name: arm for arm in report.arms}
    assert arms["none"].accuracy.value is not None
    assert arms["all"].accuracy.value is None
    assert "comes later" in arms["all"].note
    assert [arm.accuracy.value is None for name, arm in arms.items() if name.startswith("ablate")] == [False]
    assert "random heads" not in arms
    assert report.p_value is None


def test_what_stands_beside_claims_of_a_sequence_has_a_number_of_prompts_of_its_own(check):
    report = check(
        "scale { 2.* } at END by 2",
        SPEC.replace("ablate zero", "ablate zero prompts 4 to 6").replace("accuracy >= 0%", "accuracy >= 50%"),
    )
    assert [outcome.prompts for outcome in report.claims] == [6, 4]
    assert (report.first, report.prompts) == (4, 6)


def test_intervals_of_attention_end_where_attention_does(check):
    """By Student's t alone those of six prompts would not."""
    (looks,) = check("scale { 2.* } at END by 2").downstream
    changes = [head.attention for head in looks.heads]
    for least, most, found in (
        (0.0, 1.0, [each.before for each in changes]),
        (0.0, 1.0, [each.after for each in changes]),
        (-1.0, 1.0, [each.change for each in changes]),
    ):
        assert all(least <= each.low <= each.value <= each.high <= most for each in found)
    assert any(each.before.low == 0.0 for each in changes)


def test_without_other_heads_there_is_no_control(check):
    report = check("scale { 2.* } at END by 2")
    assert [arm.name for arm in report.arms] == ["none", "all"]
    assert report.notes[0].startswith("no random heads")
    (looks,) = report.downstream
    assert [head.head for head in looks.heads] == [f"{layer}.{i}" for layer in (3, 4) for i in range(8)]
    assert [head.head for head in looks.heads if head.named] == ["3.1", "3.4"]
    mover = looks.heads[1]
    assert mover.attention.before.value is not None
    assert mover.importance.value is None  # path patching needs a counterfactual
    assert report.direct == ()
    assert mover.effect_before.value < 0
    assert looks.correlation.value is looks.correlation_of_all.value is None

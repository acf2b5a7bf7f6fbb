"""Variables in files of prompts: read with their counterfactuals, told where lines differ, and measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import circuitdsl as cd
from circuitdsl.language.environment import TaskRef, VariableInfo
from circuitdsl.tasks import describe, open_task
from circuitdsl.tasks.file_lines import read_lines

TEXT = "Then, {} and {} went to the store. {} gave a drink to"
LINE = {
    "prompt": TEXT.format("Mary", "John", "John"),
    "answer": " Mary",
    "wrong": [" John"],
    "counterfactuals": {
        "abc": TEXT.format("Tom", "Anna", "James"),
        "flip": {"text": TEXT.format("John", "Mary", "John"), "predicts": {"S_position": " John"}},
    },
    "positions": {"S2": "John#2"},
}


def lines(*changes: dict) -> str:
    return "\n".join(json.dumps(LINE | change) for change in changes)


def test_a_counterfactual_carries_what_a_variable_leads_to(tmp_path: Path, mini):
    (tmp_path / "my.jsonl").write_text(lines({}, {}), encoding="utf-8")
    ref = TaskRef("file", (("", "my.jsonl"),), str(tmp_path))
    assert describe(ref).variables == (VariableInfo("S_position", "given by the file", "flip"),)
    assert [name for name, _ in describe(ref).counterfactuals] == ["abc", "flip"]
    prompt = open_task(ref).draw(mini, 1, seed=0, bos=False).prompts[0]
    assert prompt.predicted == {"S_position": mini.encode("the John", add_special_tokens=False)[-1]}
    assert set(prompt.counterfactuals) == {"abc", "flip"}


WRONG = {
    "no text": ({"flip": {"predicts": {"S": " John"}}}, 'not of "text" and "predicts"'),
    "no object": ({"flip": {"text": "x", "predicts": 3}}, '"predicts" is a number, not an object of names'),
    "no answer": ({"flip": {"text": "x", "predicts": {"S": [1.5]}}}, '"predicts S" is a list, not an answer'),
    "no name": ({"flip": {"text": "x", "predicts": {"S 2": " John"}}}, '"S 2" in "predicts" is not a name'),
    "twice": (
        {"a": {"text": "x", "predicts": {"S": " John"}}, "b": {"text": "y", "predicts": {"S": " John"}}},
        "two counterfactuals predict by S: a and b",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told(case: str):
    counterfactuals, says = WRONG[case]
    found = read_lines(lines({"counterfactuals": counterfactuals}), "my.jsonl")
    ((fault,), prompts) = found.faults, found.prompts
    assert says in fault.message and fault.remedy and not prompts


def test_lines_that_predict_otherwise_are_told():
    other = {"abc": "x", "flip": {"text": "y", "predicts": {"S_token": " John"}}}
    found = read_lines(lines({}, {}, {"counterfactuals": other}), "my.jsonl")
    (fault,) = found.faults
    assert (fault.line, fault.message) == (3, "it predicts by S_token on flip, line 1 by S_position on flip")


def test_an_answer_that_is_right_as_it_is_predicts_nothing(tmp_path: Path):
    flip = LINE["counterfactuals"]["flip"] | {"predicts": {"S_position": " Mary"}}
    changed = {"counterfactuals": LINE["counterfactuals"] | {"flip": flip}}
    (tmp_path / "my.jsonl").write_text(lines(changed), encoding="utf-8")
    (tmp_path / "my.circuit").write_text('circuit c { model mini task file("my.jsonl") expect accuracy >= 1% }')
    assert any("predicts is right as it is" in each.message for each in cd.lint(tmp_path / "my.circuit"))


def test_it_is_measured(tmp_path: Path):
    (tmp_path / "my.jsonl").write_text(lines({}, {}, {}), encoding="utf-8")
    text = (
        'circuit c { model planted-reuse task file("my.jsonl") method { against abc ablate zero prompts 2 to 3 } '
        "role inhibition at END { 2.1 2.2 } expect interchange(inhibition, S_position) <= 10% }"
    )
    (tmp_path / "my.circuit").write_text(text, encoding="utf-8")
    report = cd.check(tmp_path / "my.circuit", unexplained=False)
    (claim,) = [each for each in report.outcomes if each.claim.kind == "expect"]
    assert claim.estimate.value == 0.0  # planted inhibition tells the name, not where it stood

"""Answers after other positions than END in files of prompts: read, told where they are wrong, and measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import circuitdsl as cd
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.session import Session
from circuitdsl.language.environment import AnswersInfo, TaskRef
from circuitdsl.measures.experiments import Data
from circuitdsl.models import open_model
from circuitdsl.tasks import TaskError, describe, open_task
from circuitdsl.tasks.file_lines import read_lines

LINE = {
    "prompt": "345+123=+046",
    "answer": "8",
    "wrong": ["9", "7"],
    "counterfactuals": {
        "other": {"text": "111+222=+033", "predicts": {"SA1": {"answer": "3", "at": "A2"}, "SA0": "3"}}
    },
    "positions": {"A3": [9, 10], "A2": [10, 11]},
    "at": {
        "A3": {"answer": "4", "wrong": ["5", "3"]},
        "A2": {"answer": "6", "wrong": ["7", "0"], "options": ["6", "7"]},
    },
}


def lines(*changes: dict) -> str:
    return "\n".join(json.dumps(LINE | change) for change in changes)


def written(folder: Path, *changes: dict) -> TaskRef:
    (folder / "my.jsonl").write_text(lines(*changes), encoding="utf-8")
    return TaskRef("file", (("", "my.jsonl"),), str(folder))


@pytest.fixture(scope="module")
def digits():
    from circuitdsl.models.arithmetic.tokenizer import build

    return build()


def test_answers_after_positions_become_tokens(tmp_path: Path, digits):
    ref = written(tmp_path, {}, {})
    assert describe(ref).elsewhere == (AnswersInfo("A3", "given by the file"), AnswersInfo("A2", "given by the file"))
    prompt = open_task(ref).draw(digits, 1, seed=0, bos=False).prompts[0]

    def token(text: str) -> int:
        return digits.convert_tokens_to_ids(text)

    assert prompt.answer == token("8") and prompt.read == "END"
    assert prompt.elsewhere["A3"].right == (token("4"),)
    assert prompt.elsewhere["A3"].wrong == (token("5"), token("3"))
    assert prompt.elsewhere["A2"].options == (token("6"), token("7"))
    assert prompt.predicted == {"SA1": token("3"), "SA0": token("3")}
    with_bos = open_task(ref).draw(digits, 1, seed=0, bos=True).prompts[0]
    assert (with_bos.positions["A2"], with_bos.elsewhere) == ((11,), prompt.elsewhere)


WRONG = {
    "no position": ({"at": {"B": {"answer": "4"}}}, 'answers after "B", which is no position of the line'),
    "no answer": ({"at": {"A3": {"wrong": ["4"]}}}, 'the answers after A3 are an object of wrong, not of "answer"'),
    "at END": ({"at": {"END": {"answer": "8"}}}, '"END" in "at" is no place in the text'),
    "right and wrong": ({"at": {"A3": {"answer": "4", "wrong": "4"}}}, 'the right answer "4" is also listed as wrong'),
    "predicted nowhere": (
        {"counterfactuals": {"other": {"text": "1", "predicts": {"V": {"answer": "3", "at": "B"}}}}},
        'answers after "B", which is no position of the line',
    ),
    "predicted where no answer is given": (
        {"at": {"A3": LINE["at"]["A3"]}},
        "SA1 predicts an answer after A2, and the line gives no right answer there",
    ),
    "predicted otherwise": (
        {"counterfactuals": {"other": {"text": "1", "predicts": {"V": {"first": "3", "at": "A2"}}}}},
        'what V predicts is an object of at, first, not an "answer" and "at" where',
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told(case: str):
    change, says = WRONG[case]
    found = read_lines(lines(change), "my.jsonl")
    ((fault,), prompts) = found.faults, found.prompts
    assert says in fault.message and fault.remedy and not prompts


def test_a_prediction_without_a_right_answer_there_ends_in_words(tmp_path: Path):
    """A position that has no answers is told before a model is opened."""
    written(tmp_path, {"at": {"A3": LINE["at"]["A3"]}})
    (tmp_path / "digits.circuit").write_text(
        """circuit digits {
          model addition
          task  file("my.jsonl")
          method { metric accuracy  members none  prompts all }
          expect interchange({ 0.0 } at A2, SA1) >= 50%
        }""",
        encoding="utf-8",
    )
    with pytest.raises(cd.InputError) as caught:
        cd.check(tmp_path / "digits.circuit")
    assert "no right answer there" in str(caught.value)


def test_lines_with_answers_after_other_positions_are_told():
    found = read_lines(lines({}, {}, {"at": {"A2": {"answer": "6"}}}), "my.jsonl")
    (fault,) = found.faults
    assert (fault.line, fault.message) == (3, "it gives answers at A2 (none wrong), line 1 at A2, A3")


UNREADABLE = {
    "several tokens": ({"positions": {"A3": {"tokens": [8, 9]}, "A2": [10, 11]}}, "the position has 2 tokens"),
    "a longer answer": ({"at": {"A3": {"answer": "46"}, "A2": {"answer": "6"}}}, "at A3: the answer"),
    "right as it is": (
        {"counterfactuals": {"other": {"text": "111+222=+033", "predicts": {"V": {"answer": "6", "at": "A2"}}}}},
        'at A2: the answer "6" that the variable V predicts is right as it is',
    ),
}


def test_answers_elsewhere_are_of_as_many_prompts_as_are_asked_for(tmp_path: Path):
    """Of few prompts first and then of more, after the whole file was read at END."""
    ref = written(tmp_path, *({"item": str(number)} for number in range(9)))
    session = Session(PlainEngine(open_model("addition")))
    at_end, at_a2 = Data(ref, 0, False), Data(ref, 0, False, at="A2")
    assert len(session.prompts(at_end, 20)) == 9
    assert [len(session.prompts(at_a2, count)) for count in (3, 9, 20)] == [3, 9, 9]
    assert {prompt.read for prompt in session.prompts(at_a2, 9)} == {"A2"}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_a_tokenizer_cannot_read_is_told(case: str, tmp_path: Path, digits):
    change, says = UNREADABLE[case]
    with pytest.raises(TaskError) as caught:
        open_task(written(tmp_path, change)).draw(digits, 1, seed=0, bos=False)
    assert says in caught.value.message


def test_a_check_reads_each_answer_at_its_place(tmp_path: Path):
    """The figures of a file in which the answer after A2 is wrong on purpose: it is known where each was read."""
    wrong_at_a2 = {"at": LINE["at"] | {"A2": {"answer": "7", "wrong": ["6"]}}}
    written(tmp_path, LINE | wrong_at_a2, LINE | wrong_at_a2)
    (tmp_path / "digits.circuit").write_text(
        """circuit digits {
          model addition
          task  file("my.jsonl")
          method { metric accuracy(at A3)  members none  prompts all }
          expect accuracy                       >= 100%
          expect accuracy(at END)               >= 100%
          expect accuracy(at A2)                <= 0%
          expect hit(2, at A3)                  >= 100%
          expect logit_diff(against max, at A2) <= -1
          expect knockout(mlp 1 at A2)          in -1% .. 1%
        }""",
        encoding="utf-8",
    )
    report = cd.check(tmp_path / "digits.circuit")
    claims = report.circuits[0].claims
    assert [str(each.verdict) for each in claims] == ["holds"] * 6
    assert claims[2].claim.term.to_dict() == {"at": "A2"}

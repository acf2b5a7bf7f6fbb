"""Sums and differences: what is right after each token, and what variables predict."""

from __future__ import annotations

import re

import pytest

from circuitdsl.language.environment import TaskRef, UnknownName
from circuitdsl.models.arithmetic.tokenizer import build
from circuitdsl.tasks import TaskError, describe, open_task
from circuitdsl.tasks.arithmetic import POSITIONS, Question, predicted
from circuitdsl.tasks.prompts import read_at

NAMES = ("addition", "subtraction")


@pytest.fixture(scope="module")
def digits():
    return build()


def drawn(name: str, tokenizer, count: int = 60):
    return open_task(TaskRef(name)).draw(tokenizer, count, seed=5, bos=False).prompts


@pytest.mark.parametrize("name", NAMES)
def test_every_token_of_the_answer_is_asked_for_after_the_one_before_it(name: str, digits):
    for prompt in drawn(name, digits):
        found = re.fullmatch(r"(\d{3})([+-])(\d{3})=([+-]\d{3})", prompt.text)
        assert found is not None
        first, operator, second, shown = found.groups()
        answer = int(first) + int(second) if operator == "+" else int(first) - int(second)
        whole = f"{'-' if answer < 0 else '+'}{abs(answer):04}"
        assert whole[:-1] == shown
        places = ("EQ", "SIGN", "A3", "A2", "A1")
        asked = [digits.decode([read_at(prompt, place).answer]) for place in places]
        assert "".join(asked) == whole and digits.decode([prompt.answer]) == whole[-1]
        assert [prompt.positions[each] for each in POSITIONS] == [(i,) for i in range(12)]
        for place in places:
            here = prompt.elsewhere[place]
            assert {*here.right, *here.wrong} == {*here.options} and not {*here.right} & {*here.wrong}


@pytest.mark.parametrize("name", NAMES)
def test_each_variable_changes_the_digit_that_it_says(name: str, digits):
    info = describe(TaskRef(name))
    for prompt in drawn(name, digits):
        assert set(prompt.predicted) == {each.name for each in info.variables}
        for each in info.variables:
            assert prompt.predicted[each.name] not in read_at(prompt, each.at).answers
        other = digits.decode(prompt.counterfactuals["other"])
        assert Question(int(other[:3]), int(other[4:7]), other[3]).text[:-1] == other
        assert other[8] == prompt.text[8]


# (question, other, variable, power of ten of the digit, digit): those of Quirke et al. 2024, in three digits.
PUBLISHED = [
    (Question(555, 444, "+"), Question(222, 111, "+"), "SA1", 1, 3),
    (Question(333, 555, "+"), Question(222, 696, "+"), "ST1", 2, 9),
    (Question(999, 444, "-"), Question(333, 111, "-"), "MD1", 1, 2),
    (Question(777, 444, "-"), Question(222, 131, "-"), "MT1", 2, 2),
]
BY_HAND = [
    # 5 + 4 in the middle hands on the carry of 7 + 8; 1 + 1 there does not, 9 + 9 has one by itself.
    (Question(257, 148, "+"), Question(111, 111, "+"), "ST1", 2, 3),
    (Question(257, 148, "+"), Question(191, 191, "+"), "ST1", 2, 4),
    (Question(251, 142, "+"), Question(111, 191, "+"), "ST1", 2, 4),
    # 9 takes the carry from below in place of the 11 of the tens, and there is one.
    (Question(267, 158, "+"), Question(151, 141, "+"), "ST1", 2, 4),
    (Question(261, 152, "+"), Question(151, 141, "+"), "ST1", 2, 3),
    (Question(999, 1, "+"), Question(111, 111, "+"), "ST2", 3, 0),
    (Question(999, 1, "+"), Question(111, 111, "+"), "ST0", 1, 9),
    # The larger number is the second one: 444 - 777 is - (777 - 444).
    (Question(444, 777, "-"), Question(131, 222, "-"), "MT1", 2, 2),
    (Question(444, 777, "-"), Question(131, 222, "-"), "MD1", 1, 9),
]


@pytest.mark.parametrize(("question", "other", "variable", "power", "digit"), PUBLISHED + BY_HAND)
def test_what_a_variable_predicts_by_hand(question, other, variable, power, digit):
    assert predicted(question, other)[variable] == (power, digit)


def test_digits_that_the_vocabulary_joins_are_refused(gpt2):
    with pytest.raises(TaskError, match="every digit and sign is a token"):
        open_task(TaskRef("addition")).draw(gpt2, 1, seed=0, bos=False)


@pytest.mark.parametrize(("sign", "shown"), [("positive", "+"), ("negative", "-")])
def test_differences_of_one_sign(sign: str, shown: str, digits):
    ref = TaskRef("subtraction", (("sign", sign),))
    prompts = open_task(ref).draw(digits, 20, seed=5, bos=False).prompts
    assert {prompt.text[8] for prompt in prompts} == {shown} and describe(ref).templates == 1
    assert {digits.decode(prompt.counterfactuals["other"])[8] for prompt in prompts} == {shown}
    assert {digits.decode(prompt.counterfactuals["other_sign"])[8] for prompt in prompts} == {"+", "-"} - {shown}


WRONG_ARGUMENTS = [
    ((("sign", "even"),), "is one of positive, negative, and not even"),
    ((("sign", 1.0),), "is one of positive, negative, and not 1.0"),
    ((("sign", "positive"), ("sign", "negative")), "is given 2 times"),
    ((("size", "positive"),), "no argument called size"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_ARGUMENTS)
def test_other_arguments_are_refused(arguments, message: str):
    with pytest.raises(UnknownName, match=message):
        open_task(TaskRef("subtraction", arguments))


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_refused_and_draws_only_append(name: str, digits):
    with pytest.raises(UnknownName):
        open_task(TaskRef(name, (("digits", 4),)))
    assert drawn(name, digits, 60)[:9] == drawn(name, digits, 9)

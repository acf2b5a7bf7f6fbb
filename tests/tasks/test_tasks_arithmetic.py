"""Sums and differences: what is right after each token, and what variables predict."""

from __future__ import annotations

import itertools
import math
import re

import pytest

from circuitdsl.language.environment import TaskRef, UnknownName
from circuitdsl.models.arithmetic.tokenizer import build
from circuitdsl.tasks import TaskError, describe, open_task
from circuitdsl.tasks.arithmetic import POSITIONS, Question, is_asked, predicted
from circuitdsl.tasks.prompts import read_at

NAMES = ("addition", "subtraction")


@pytest.fixture(scope="module")
def digits():
    return build()


def drawn(name: str, tokenizer, count: int = 60, **arguments: str):
    return open_task(TaskRef(name, tuple(arguments.items()))).draw(tokenizer, count, seed=5, bos=False).prompts


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


# --- states of what a column hands on ----------------------------------------------------------------

STATES = [
    ("addition", "SC", {"SC0", "SC1", "SC2"}),
    ("addition", "SS1", {"SS1"}),
    ("addition", "SS2", {"SS2"}),
    ("subtraction", "MB", {"MB0", "MB1"}),
    ("subtraction", "MZ1", {"MZ1"}),
]

# (question, other, states, by state the power of ten of the digit and the digit), by hand.
BY_STATE = [
    # 2 + 1 makes no carry and 6 + 9 does: those of the hundreds and of the ones have theirs turned too.
    (Question(321, 317, "+"), Question(567, 698, "+"), "SC", {"SC0": (1, 4), "SC1": (2, 7), "SC2": (3, 1)}),
    # 4 + 5 hands on the carry of 7 + 8 and 1 + 1 does not; the other way round; the ones' state is not asked.
    (Question(247, 158, "+"), Question(111, 111, "+"), "SS1", {"SS1": (2, 3)}),
    (Question(217, 118, "+"), Question(145, 154, "+"), "SS1", {"SS1": (2, 4)}),
    (Question(967, 88, "+"), Question(111, 111, "+"), "SS2", {"SS2": (3, 0)}),
    # A carry of its own and a sum of 9 are two changes: what one of them alone would do cannot be asked.
    (Question(247, 158, "+"), Question(191, 191, "+"), "SS1", {}),
    (Question(257, 148, "+"), Question(191, 141, "+"), "SC", {"SC0": (1, 9)}),
    (Question(735, 264, "-"), Question(543, 116, "-"), "MB", {"MB0": (1, 6), "MB1": (2, 5)}),
    (Question(264, 735, "-"), Question(116, 543, "-"), "MB", {"MB0": (1, 6), "MB1": (2, 5)}),
    (Question(523, 128, "-"), Question(563, 121, "-"), "MZ1", {"MZ1": (2, 4)}),
    (Question(523, 128, "-"), Question(523, 171, "-"), "MZ1", {}),
]


@pytest.mark.parametrize(("question", "other", "states", "expected"), BY_STATE)
def test_what_a_state_predicts_by_hand(question, other, states: str, expected):
    found = predicted(question, other, states)
    assert {name: value for name, value in found.items() if name[:2] in ("SC", "SS", "MB", "MZ")} == expected
    assert not {name for name in found if name[:2] in ("ST", "MT")}


@pytest.mark.parametrize(("name", "states", "names"), STATES)
def test_each_state_that_is_asked_for_changes_the_digit_alone(name: str, states: str, names: set[str], digits):
    info = describe(TaskRef(name, (("states", states),)))
    whole = {each.name for each in describe(TaskRef(name)).variables if each.name[:2] not in ("ST", "MT")}
    assert {each.name for each in info.variables} == whole | names
    for prompt in drawn(name, digits, states=states):
        assert set(prompt.predicted) == whole | names
        other = digits.decode(prompt.counterfactuals["other"])
        for each in info.variables:
            assert prompt.predicted[each.name] not in read_at(prompt, each.at).answers
        for each in names:
            n = int(each[2])
            ours, theirs = _handed_on(prompt.text, n), _handed_on(other, n)
            assert {ours, theirs} == {"nothing", "makes" if each[1] in "CB" else "passes"}


def _handed_on(text: str, n: int) -> str:
    """Of a question, what the digits at a power of ten hand on by themselves."""
    first, second = (int(number) // 10**n % 10 for number in (text[:3], text[4:7]))
    if text[3] == "+":
        return "makes" if first + second > 9 else "passes" if first + second == 9 else "nothing"
    larger, smaller = (first, second) if text[:3] >= text[4:7] else (second, first)
    return "makes" if larger < smaller else "passes" if larger == smaller else "nothing"


ASKED = [
    ("+", "SC", 729_000),
    ("+", "SS1", 247_500),
    ("+", "SS2", 272_250),
    ("-", "MB", 729_000),
    ("-", "MZ1", 222_750),
]


@pytest.mark.parametrize(("operator", "states", "count"), ASKED)
def test_how_many_questions_are_asked_for_a_state(operator: str, states: str, count: int):
    """Of two digits what they hand on is all that decides, with how many pairs of digits do so: 45, 10 and 45."""
    kinds = (
        [((0, 9), 10), ((9, 9), 45), ((0, 0), 45)] if operator == "+" else [((1, 1), 10), ((0, 1), 45), ((1, 0), 45)]
    )
    found = 0
    for chosen in itertools.product(kinds, repeat=3):
        first, second = (sum(pair[i] * 10**n for n, (pair, _) in enumerate(chosen)) for i in (0, 1))
        if is_asked(Question(first, second, operator), states):
            found += math.prod(how_many for _, how_many in chosen)
    assert found == count


@pytest.mark.parametrize("states", ["MB", "MZ1"])
def test_a_state_that_no_two_numbers_have_is_not_asked(states: str):
    """Of 523 - 519 a borrow by the tens, or equal tens with the borrow of the ones, would make the larger number the
    smaller one."""
    assert is_asked(Question(623, 519, "-"), states) and not is_asked(Question(523, 519, "-"), states)


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
    ((("states", "SC"),), "states of the task subtraction is one of MB, MZ1, and not SC"),
    ((("sign", "positive"), ("states", "MZ0")), "is one of MB, MZ1, and not MZ0"),
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

"""Notes on files of prompts: what is said of each kind of file, and of which nothing is."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import circuitdsl as cd
from circuitdsl.language.environment import TaskRef
from circuitdsl.tasks import TextPrompt, open_task
from circuitdsl.tasks.file_notes import notes_of_texts

NAMES = ["Mary", "John", "Tom", "Anna", "James", "Sarah", "David", "Paul", "Laura", "Peter", "Linda", "Simon"]
TEMPLATES = {
    "store": "When {a} and {b} went to the store, {b} gave a book to",
    "lunch": "After {a} and {b} had lunch at the school, {b} passed a book to",
    "while": "While {a} and {b} were waiting at the school, {b} offered a book to",
    "today": "Today {a} and {b} walked around the school. {b} wanted to give a book to",
}


def line(a: str, b: str, template: str = "store", other: tuple[str, str] = ("Rose", "Jane"), **changes: object):
    """An IOI prompt about ``a`` and ``b``, and as its counterfactual the one about ``other``."""
    text = TEMPLATES[template]
    made: dict[str, object] = {
        "prompt": text.format(a=a, b=b),
        "answer": f" {a}",
        "wrong": [f" {b}"],
        "counterfactuals": {"abc": text.format(a=other[0], b=other[1])},
        "template": template,
    }
    return made | changes


@pytest.fixture
def drawn(tmp_path):
    """Write lines to my.jsonl and draw as many as there are, or ``count``."""

    def draw(lines, tokenizer, count=10_000, seed=0):
        (tmp_path / "my.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        ref = TaskRef("file", (("", "my.jsonl"),), folder=str(tmp_path))
        return open_task(ref).draw(tokenizer, count, seed, False)

    return draw


def pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Different pairs of names."""
    every = [(a, b) for a in NAMES for b in NAMES if a != b]
    return random.Random(seed).sample(every, count)


def test_an_item_and_the_shares_of_templates_are_carried_along(drawn, mini):
    lines = [line(*names, "store", item=f"i{n}") for n, names in enumerate(pairs(6))]
    lines += [line(*names, "today") for names in pairs(2, seed=1)]
    found = drawn(lines, mini)
    assert sorted(prompt.item for prompt in found.prompts) == ["", "", *(f"i{n}" for n in range(6))]
    assert found.shares == {"store": 0.75, "today": 0.25}
    assert drawn(lines, mini, count=2).shares == found.shares
    assert open_task(TaskRef("ioi")).draw(mini, 4, 0, False).shares == {}


def test_nothing_is_said_of_a_file_without_fault(drawn, tokenizer):
    lines = [line(*names, template) for names, template in zip(pairs(60), [*TEMPLATES] * 15, strict=True)]
    assert drawn(lines, tokenizer).notes == ()


# --- the same again --------------------------------------------------------------------------------


def test_lines_that_are_one_prompt(drawn, mini):
    assert drawn([line("Mary", "John")] * 40, mini).notes == (
        "my.jsonl: 40 lines are 1 distinct prompt (line 2 is line 1 again); a prompt that is repeated is no further "
        "evidence",
    )
    lines = [line("Mary", "John"), line("Tom", "Anna"), line("Paul", "Laura"), line("Tom", "Anna")]
    assert "4 lines are 3 distinct prompts (line 4 is line 2 again)" in drawn(lines, mini).notes[0]


@pytest.mark.parametrize(
    "change",
    [
        {"answer": " Tom"},
        {"counterfactuals": {"abc": TEMPLATES["store"].format(a="Anna", b="Paul")}},
    ],
)
def test_another_answer_or_counterfactual_is_another_prompt(drawn, mini, change):
    assert drawn([line("Mary", "John"), line("Mary", "John", **change)], mini).notes == ()


# --- items -----------------------------------------------------------------------------------------


def recurs(found) -> bool:
    return any("name the `item`" in note for note in found.notes)


def test_items_in_several_templates_are_to_be_named(drawn, mini):
    items = pairs(20)
    lines = [line(*names, template) for names in items for template in TEMPLATES]
    (note,) = drawn(lines, mini).notes
    assert "20 sets of answers stand on 80 lines in 4 templates, and line 2 has those of line 1" in note
    assert not recurs(drawn([line(*n, t, item="-".join(n)) for n in items for t in TEMPLATES], mini))
    assert not recurs(drawn([line(*names, "store") for names in items], mini))


def names_items(answers: Iterable[tuple[str, str, str]]) -> bool:
    """Whether a file is said to have items, of prompts given by their right and wrong answer and their template."""
    lines = [
        (number, TextPrompt(f"{number} to", right, (wrong,), (right, wrong), {}, {}, template))
        for number, (right, wrong, template) in enumerate(answers, start=1)
    ]
    return any("name the `item`" in note for note in notes_of_texts("my.jsonl", lines))


@given(seed=st.integers(0, 1000), items=st.integers(10, 60), templates=st.integers(2, 4))
def test_a_few_items_that_have_the_same_answers_do_not_hide_the_others(seed, items, templates):
    answers = pairs(items, seed)
    answers += answers[: items // 20]
    assert names_items((*pair, template) for pair in answers for template in [*TEMPLATES][:templates])


@pytest.mark.parametrize("possible", [2, 4, 12, 40, 100])
def test_answers_that_recur_by_chance_are_no_items(possible):
    """Each line's answers are drawn anew: of few possible ones all recur, in and across templates."""

    def said(seed: int) -> bool:
        draw = random.Random(seed)
        answers = pairs(possible, seed)
        return names_items((*draw.choice(answers), template) for template in TEMPLATES for _ in range(15))

    assert sum(map(said, range(300))) <= 9


def test_two_answers_that_every_template_has_are_no_items(drawn, gpt2):
    """As in subject-verb agreement, one singular and one plural line in each of many templates."""
    lines = [
        {"prompt": f"The {noun} {place} the roads", "answer": a, "wrong": [b], "template": place}
        for place in ("near", "behind", "beside", "above", "below", "beyond", "across", "inside", "past", "along")
        for noun, a, b in (("key", " is", " are"), ("keys", " are", " is"))
    ]
    assert drawn(lines, gpt2).notes == ()


# --- counterfactuals -------------------------------------------------------------------------------


def test_counterfactuals_that_are_their_prompts(drawn, mini):
    names = pairs(8)
    half = [line(*pair, other=pair if n % 2 else ("Rose", "Jane")) for n, pair in enumerate(names)]
    assert drawn(half, mini).notes == (
        "my.jsonl: on 4 of 8 lines (line 2 is the first) the counterfactual abc is the prompt itself: patching from it "
        "changes nothing there, and lowers the mean effect to some 50% of that on the other lines",
    )
    (note,) = drawn([line(*pair, other=pair) for pair in names], mini).notes
    assert note.endswith("on 8 of 8 lines (line 1 is the first) the counterfactual abc is the prompt itself: patching "
                         "from it changes nothing there")  # fmt: skip


# --- what a tokenizer makes of it ------------------------------------------------------------------


def test_a_span_of_several_tokens_is_said_once(drawn, tokenizer):
    at = {"IO": [5, 9], "BOTH": [[5, 9], [14, 18]]}
    good = line("Mary", "John", positions=at)
    wide = line("John", "Mary", positions=at | {"PAIR": [5, 18]})
    assert drawn([good], tokenizer).notes == ()
    for seed in range(3):
        assert drawn([good, wide, line("Mary", "Anna", positions={"PAIR": [5, 18]})], tokenizer, seed=seed).notes == (
            'my.jsonl, line 2: position PAIR, "John and Mary", covers 3 tokens and means the last of them only, as '
            "every span of several tokens does",
        )


def test_an_answer_without_its_space(drawn, gpt2):
    lines = [line("Mary", "John"), line("Tom", "Anna", answer="Tom", wrong=["Anna"])]
    assert drawn(lines, gpt2).notes == (
        'my.jsonl, line 2: the answer "Tom" has no space before it, and " Tom" is a token of its own: unless it goes '
        "on with the word before, write the space (1 of 2 prompts drawn)",
    )
    assert 'the answer "Anna" has' in drawn([line("Tom", "Anna", wrong=["Anna"])], gpt2).notes[0]


@pytest.mark.parametrize(
    ("prompt", "answer", "wrong"),
    [
        ("The war lasted from 1732 to 17", "33", "31"),  # one number
        ("He said (", "yes", "no"),
        ("a well-", "known", "made"),
        ("The city is", ".", "!"),
        ("Q: what?\nA:\n", "Yes", "No"),
    ],
)
def test_an_answer_that_needs_no_space(drawn, gpt2, prompt, answer, wrong):
    assert drawn([{"prompt": prompt, "answer": answer, "wrong": [wrong]}], gpt2).notes == ()


def test_what_is_listed_twice_counts_once(drawn, tokenizer):
    found = drawn([line("Mary", "John", wrong=[" John", " Tom", " John"])], tokenizer)
    (prompt,) = found.prompts
    assert [tokenizer.decode([token]).strip() for token in prompt.wrong] == ["John", "Tom"]
    assert [tokenizer.decode([token]).strip() for token in prompt.options] == ["Mary", "John", "Tom"]
    assert found.notes == (
        "my.jsonl, line 1: 3 wrong answers are listed and 2 of them differ as tokens: each counts once "
        "(1 of 1 prompts drawn)",
    )
    found = drawn([line("Mary", "John", options=[" Tom", " Mary", " Tom"])], tokenizer)
    assert [tokenizer.decode([token]).strip() for token in found.prompts[0].options] == ["Tom", "Mary"]
    assert "3 options are listed and 2 of them differ" in found.notes[0]


def test_two_spellings_of_one_token_count_once(drawn, mini):
    """The vocabulary of whole words has no token for spaces."""
    found = drawn([line("Mary", "John", wrong=[" John", "  John", " Tom"])], mini)
    assert [mini.decode([token]) for token in found.prompts[0].wrong] == ["John", "Tom"]
    assert "3 wrong answers are listed and 2 of them differ as tokens" in found.notes[0]


def test_probability_diff_stays_in_its_range_and_reports_have_the_notes(tmp_path):
    """All lines ask for the wrong name: the difference is near -100%, whether it is listed once or twice."""
    estimates = []
    for times in (1, 2):
        lines = [line(b, a, prompt=TEMPLATES["store"].format(a=a, b=b), wrong=[f" {a}"] * times) for a, b in pairs(12)]
        (tmp_path / "my.jsonl").write_text("\n".join(map(json.dumps, lines)))
        (tmp_path / "my.circuit").write_text(
            'circuit twice { model mini task file("my.jsonl") method { ablate mean prompts 12 }\n'
            "  expect probability_diff >= -50%\n}\n"
        )
        report = cd.check(cd.load(tmp_path / "my.circuit"), unexplained=False)
        (circuit,), (outcome,) = report.circuits, report.outcomes
        estimates.append(outcome.estimate)
        assert ("wrong answers are listed" in " ".join(circuit.notes)) == (times == 2)
    assert estimates[0] == estimates[1]
    assert estimates[0].value is not None and -1 <= estimates[0].value < -0.5

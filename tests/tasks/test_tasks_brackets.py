"""The task `brackets`: all prompts, by counting, and what their counterfactuals change."""

from __future__ import annotations

import copy
import re
from collections import Counter
from itertools import product

import pytest

from circuitdsl.language.environment import TaskRef
from circuitdsl.models import tokenizer_of
from circuitdsl.tasks import TaskError, draw, draw_all, open_task
from circuitdsl.tasks.brackets import CLOSING, LENGTH, OPENING, TEMPLATES, listing, open_places

REF = TaskRef("brackets")
PROMPTS = [prompt for template in TEMPLATES for prompt in listing(template, ())]


def unclosed(text: str) -> list[str] | None:
    """The open brackets of a text, by taking pairs away as long as there are any; None for a wrong text."""
    while any(pair in text for pair in ("()", "[]")):
        text = text.replace("()", "").replace("[]", "")
    return None if set(text) & set(CLOSING) else list(text)


def test_every_text_that_fits_is_a_prompt_and_no_other():
    every = ("".join(each) for each in product(OPENING + CLOSING, repeat=LENGTH))
    fitting = {text for text in every if text[-1] in CLOSING and unclosed(text)}
    assert {prompt.text for prompt in PROMPTS} == fitting
    assert len(PROMPTS) == len(fitting) == open_task(REF).info.listed == 960


def test_answers_close_the_innermost_and_positions_name_the_two_that_are_open():
    for prompt in PROMPTS:
        *_, outer, innermost = unclosed(prompt.text) or []
        assert prompt.answer == CLOSING[OPENING.index(innermost)] and prompt.wrong == (
            CLOSING[1 - OPENING.index(innermost)],
        )
        ((opened, _),), ((around, _),) = prompt.spans["OPEN"], prompt.spans["OUTER"]
        assert (prompt.text[opened], prompt.text[around]) == (innermost, outer)
        assert open_places(prompt.text)[-2:] == (around, opened)


def test_counterfactuals_change_the_answer_or_leave_it():
    for prompt in PROMPTS:
        answers = {name: (unclosed(text) or [""])[-1] for name, text in prompt.counterfactuals.items()}
        mine = (unclosed(prompt.text) or [""])[-1]
        assert answers["kind"] != mine and answers["outer"] == answers["inner"] == mine
        changed = {
            name: sum(a != b for a, b in zip(text, prompt.text, strict=True))
            for name, text in prompt.counterfactuals.items()
        }
        assert (changed["kind"], changed["outer"]) == (1, 1) and changed["inner"] in (2, 4, 6)
        assert prompt.predicted["KIND"].answer == prompt.wrong[0]


def test_all_prompts_are_listed_for_the_model_and_drawn_by_turns():
    tokenizer = tokenizer_of("brackets")
    listed = draw_all(REF, tokenizer, 0, False)
    assert listed.exhausted and len({prompt.tokens for prompt in listed.prompts}) == 960
    assert {len(prompt.tokens) for prompt in listed.prompts} == {LENGTH}
    drawn = draw(REF, tokenizer, 30, 0, False)
    assert Counter(prompt.template for prompt in drawn.prompts) == dict.fromkeys(TEMPLATES, 10)


def test_a_text_that_closes_what_is_not_open_has_no_open_places():
    with pytest.raises(ValueError, match="closes what is not open, at 1"):
        open_places("(]")


def test_a_vocabulary_without_brackets_is_refused():
    with pytest.raises(TaskError, match=r"does not know all of \(\("):
        draw(REF, tokenizer_of("mini"), 3, 0, False)


@pytest.mark.parametrize("pair", ["))", "[]", "(["])
def test_a_vocabulary_with_a_token_of_two_brackets_is_refused(pair):
    tokenizer = copy.deepcopy(tokenizer_of("brackets"))
    tokenizer.add_tokens([pair])
    with pytest.raises(TaskError, match=re.escape(f"another: {pair} is one token for this tokenizer")):
        draw(REF, tokenizer, 3, 0, False)

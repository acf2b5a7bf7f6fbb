"""Subject-verb agreement and gendered pronouns: what is changed, and what is right then."""

from __future__ import annotations

import random
import re

import pytest

from circuitdsl.language.environment import TaskRef, UnknownName
from circuitdsl.tasks import TaskError, agreement, describe, open_task, pronouns
from circuitdsl.tasks.words import FEMALE_NAMES, MALE_NAMES, NAMES

SINGULAR, PLURAL = {" is", " was", " has"}, {" are", " were", " have"}


@pytest.fixture(params=["gpt2", "smollm2"])
def real(request):
    return request.getfixturevalue(request.param)


def drawn(name, tokenizer, count=80):
    return open_task(TaskRef(name)).draw(tokenizer, count, seed=2, bos=False).prompts


def word(tokens, prompt, tokenizer, name):
    (index,) = prompt.positions[name]
    return tokenizer.decode([tokens[index]]).strip()


def is_plural(noun):
    return noun.endswith("s")


def changed(prompt):
    return {
        name: {i for i, (a, b) in enumerate(zip(prompt.tokens, tokens, strict=True)) if a != b}
        for name, tokens in prompt.counterfactuals.items()
    }


def test_an_agreement_prompt_by_hand():
    """Of two nouns and a third, whatever is drawn: the text, its answers and its counterfactuals."""
    text = agreement.draw_text("2", agreement.Pools(("king", "poet", "boy")), random.Random(1))
    subject, other = (text.text[slice(*text.spans[name][0])] for name in ("SUBJECT", "OTHER"))
    assert text.text == f"The {subject} that the {other} liked"
    assert is_plural(subject) != is_plural(other)
    assert set(text.right) == (PLURAL if is_plural(subject) else SINGULAR)
    assert set(text.wrong) == (SINGULAR if is_plural(subject) else PLURAL)
    turned = subject[:-1] if is_plural(subject) else f"{subject}s"
    assert text.counterfactuals["other_number"] == f"The {turned} that the {other} liked"
    assert text.answer in text.right


def test_agreement_asks_for_the_number_of_the_subject(real):
    prompts = drawn("agreement", real)
    for prompt in prompts:
        subject, other = (word(prompt.tokens, prompt, real, name) for name in ("SUBJECT", "OTHER"))
        assert is_plural(subject) != is_plural(other)
        right = {real.decode([token]) for token in prompt.answers}
        assert right == (PLURAL if is_plural(subject) else SINGULAR)
        assert {real.decode([token]) for token in prompt.wrong} == (SINGULAR if is_plural(subject) else PLURAL)
        at = {name: {prompt.positions[name][0]} for name in ("SUBJECT", "OTHER")}
        assert changed(prompt) == {
            "other_number": at["SUBJECT"],
            "other_noun": at["SUBJECT"],
            "same_numbers": at["OTHER"],
        }
        apart = prompt.positions["OTHER"] != prompt.positions["END"]
        assert apart == prompt.text.endswith(" liked"), "as the description of the task says"
        in_cases = {name: prompt.counterfactuals[name] for name in prompt.counterfactuals}
        assert is_plural(word(in_cases["other_number"], prompt, real, "SUBJECT")) != is_plural(subject)
        assert is_plural(word(in_cases["other_noun"], prompt, real, "SUBJECT")) == is_plural(subject)
        assert is_plural(word(in_cases["same_numbers"], prompt, real, "OTHER")) == is_plural(subject)
    both = {(prompt.template, prompt.answers) for prompt in prompts}
    assert len(both) == 2 * describe(TaskRef("agreement")).templates, "each sentence comes with either number"


def test_a_pronoun_prompt_by_hand():
    pools = pronouns.Pools(female=("Mary", "Anna"), male=("John", "Tom"), places=("park",))
    text = pronouns.draw_text("1", pools, random.Random(0))
    found = re.fullmatch(r"When (\w+) came home from the park,", text.text)
    assert found
    she = found[1] in pools.female
    assert (text.answer, text.wrong) == ((" she", (" he",)) if she else (" he", (" she",)))
    same, other = (pools.female, pools.male) if she else (pools.male, pools.female)
    (another,) = set(same) - {found[1]}
    assert text.counterfactuals["other_name"] == f"When {another} came home from the park,"
    assert text.counterfactuals["other_gender"] in {f"When {name} came home from the park," for name in other}


def test_pronouns_follow_the_name(real):
    prompts = drawn("pronouns", real)
    for prompt in prompts:
        name = word(prompt.tokens, prompt, real, "NAME")
        she = name in FEMALE_NAMES
        assert she != (name in MALE_NAMES)
        assert real.decode([prompt.answer]) == (" she" if she else " he")
        assert [real.decode([token]) for token in prompt.wrong] == [" he" if she else " she"]
        at = {prompt.positions["NAME"][0]}
        assert changed(prompt) == {"other_gender": at, "other_name": at}
        turned = word(prompt.counterfactuals["other_gender"], prompt, real, "NAME")
        assert (turned in FEMALE_NAMES) != she
        assert (word(prompt.counterfactuals["other_name"], prompt, real, "NAME") in FEMALE_NAMES) == she
    assert len({(prompt.template, prompt.answer) for prompt in prompts}) == 2 * describe(TaskRef("pronouns")).templates


def test_names_of_either_gender_are_of_one_alone():
    assert not set(FEMALE_NAMES) & set(MALE_NAMES)
    assert {*FEMALE_NAMES, *MALE_NAMES} <= set(NAMES)
    assert not {"Sam", "Alex", "Max", "Chris", "Charlie", "Ashley", "Jamie"} & {*FEMALE_NAMES, *MALE_NAMES}


@pytest.mark.parametrize(("name", "lacks"), [("agreement", "6 verbs"), ("pronouns", "2 pronouns")])
def test_a_vocabulary_without_the_answers_is_told_so(name, lacks, mini):
    with pytest.raises(TaskError, match=f"the task {name} needs {lacks}"):
        drawn(name, mini)


@pytest.mark.parametrize("name", ["agreement", "pronouns"])
def test_they_take_no_arguments(name):
    with pytest.raises(UnknownName, match="takes no arguments"):
        describe(TaskRef(name, (("shots", 1),)))

"""Greater-than and acronyms: tasks that ask for more of a tokenizer than whole words."""

from __future__ import annotations

import random
import re
from string import ascii_uppercase

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from circuitdsl.language.environment import TaskRef, UnknownName
from circuitdsl.tasks import Listing, TaskError, acronyms, describe, draw_all, greater_than, open_task, words
from circuitdsl.tasks.drawing import Selection
from circuitdsl.tasks.prompts import read_at
from circuitdsl.tasks.tokenise import tokenise


def drawn(name, tokenizer, count=80, bos=False):
    return open_task(TaskRef(name)).draw(tokenizer, count, seed=2, bos=bos).prompts


def word(prompt, tokenizer, name):
    (index,) = prompt.positions[name]
    return tokenizer.decode([prompt.tokens[index]]).strip()


@pytest.mark.parametrize("bos", [False, True])
def test_every_later_year_is_right_and_every_other_wrong(gpt2, bos):
    for prompt in drawn("greater_than", gpt2, bos=bos):
        century, year = word(prompt, gpt2, "CENTURY"), word(prompt, gpt2, "YEAR")
        assert f"{century}{year}" in prompt.text
        assert prompt.text.endswith(f" {century}")
        right, wrong = ([gpt2.decode([token]) for token in tokens] for tokens in (prompt.answers, prompt.wrong))
        assert all(re.fullmatch(r"\d\d", ending) for ending in right + wrong)
        assert min(right) > year >= max(wrong)
        assert prompt.answer in prompt.right
        assert set(prompt.options) == {*prompt.right, *prompt.wrong}
        (at,) = prompt.positions["YEAR"]
        other = prompt.counterfactuals["from_01"]
        assert gpt2.decode([other[at]]) == "01"
        assert {i for i, (a, b) in enumerate(zip(prompt.tokens, other, strict=True)) if a != b} == {at}


def test_years_of_several_centuries_come(gpt2):
    assert {word(prompt, gpt2, "CENTURY") for prompt in drawn("greater_than", gpt2)} == {str(c) for c in range(11, 19)}


def test_every_prompt_of_greater_than_is_listed_once(gpt2, monkeypatch):
    monkeypatch.setattr(greater_than, "EVENTS", greater_than.EVENTS[:1])
    monkeypatch.setattr(greater_than, "CENTURIES", greater_than.CENTURIES[:1])
    task = open_task(TaskRef("greater_than"))
    assert isinstance(task, Listing)
    listed = task.every(gpt2, seed=0, bos=False)
    texts = [prompt.text for prompt in listed.prompts]
    assert listed.exhausted
    assert len(set(texts)) == len(texts) <= describe(TaskRef("greater_than")).listed
    assert {prompt.text for prompt in task.draw(gpt2, 40, seed=5, bos=False).prompts} <= set(texts)
    assert all(min(prompt.answers) not in prompt.wrong and prompt.answer in prompt.answers for prompt in listed.prompts)
    other = task.every(gpt2, seed=1, bos=False)
    assert {prompt.text for prompt in other.prompts} == set(texts) != [prompt.text for prompt in other.prompts]


def test_only_what_lists_its_prompts_can_be_run_whole(gpt2):
    assert {name for name in ("ioi", "acronyms", "induction") if describe(TaskRef(name)).listed} == set()
    with pytest.raises(TaskError, match="cannot list its prompts"):
        draw_all(TaskRef("ioi"), gpt2, 0, False)


def one_digit(tokenizer, count=80):
    return open_task(TaskRef("greater_than", (("digits", 1),))).draw(tokenizer, count, seed=2, bos=False).prompts


def remedy_of(draw, tokenizer, message):
    with pytest.raises(TaskError, match=message) as refused:
        draw(tokenizer)
    return refused.value.remedy


def two_digits(tokenizer):
    return drawn("greater_than", tokenizer)


def of_words(*known):
    """A tokenizer of these words and of pairs of digits."""
    words = ["?", "in", *greater_than.EVENTS, *known, *" ".join(greater_than.PATTERNS).replace(",", " ,").split()]
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(dict.fromkeys(words))}, unk_token="?"))
    pairs = pre_tokenizers.Split(Regex(r"\d\d"), "isolated")
    inner.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pairs])
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="?")


def test_a_vocabulary_of_digits_is_sent_to_what_it_can_say(smollm2):
    assert remedy_of(two_digits, smollm2, "two tokens of two digits") == "write: greater_than(digits: 1)"
    assert one_digit(smollm2)


def test_a_vocabulary_of_pairs_of_digits_is_sent_to_what_it_can_say():
    pairs = of_words(*(f"{number:02d}" for number in range(100)))
    assert remedy_of(one_digit, pairs, "a token a digit") == "write: greater_than(digits: 2)"
    assert two_digits(pairs)


def test_a_vocabulary_without_numbers_is_sent_from_neither_to_the_other():
    for draw in (one_digit, two_digits):
        assert remedy_of(draw, of_words(), "writes a year as") == "use another model or task"


def test_of_a_vocabulary_of_digits_the_last_digit_is_asked_for(smollm2):
    for prompt in one_digit(smollm2):
        year = word(prompt, smollm2, "YEAR")
        decade = prompt.text[-3:]
        assert word(prompt, smollm2, "CENTURY") == word(prompt, smollm2, "END") == decade[-1], "the decade's digit"
        assert f" {decade}{year}" in prompt.text
        assert {smollm2.decode([token]) for token in prompt.answers} == {str(n) for n in range(int(year) + 1, 10)}
        assert {smollm2.decode([token]) for token in prompt.wrong} == {str(n) for n in range(int(year) + 1)}
        (at,) = prompt.positions["YEAR"]
        other = prompt.counterfactuals["from_0"]
        assert smollm2.decode([other[at]]) == "0"
        assert {i for i, (a, b) in enumerate(zip(prompt.tokens, other, strict=True)) if a != b} == {at}


def test_one_digit_or_two_are_asked_for():
    with pytest.raises(UnknownName, match="not a whole number from 1 to 2"):
        describe(TaskRef("greater_than", (("digits", 3),)))


@pytest.fixture(params=["gpt2", "smollm2"])
def real(request):
    return request.getfixturevalue(request.param)


PARTS = ("C1", "T1", "C2", "T2", "C3", "T3")
OTHER_WORDS = {"other_first": (0,), "other_second": (1,), "other_third": (2,), "other_words": (0, 1, 2)}


def letters_of(tokens, prompt, tokenizer):
    """The capitals of the three words."""
    return [tokenizer.decode([tokens[prompt.positions[f"C{n}"][0]]]).strip() for n in (1, 2, 3)]


@pytest.mark.parametrize("bos", [False, True])
def test_each_letter_of_an_acronym_is_asked_at_its_place(real, bos):
    for prompt in drawn("acronyms", real, bos=bos):
        parts = [word(prompt, real, name) for name in PARTS]
        assert [prompt.positions[name][0] - bos for name in (*PARTS, "OPEN", "A1", "A2")] == list(range(1, 10))
        assert len(prompt.tokens) - bos == 10 and prompt.positions["A2"] == prompt.positions["END"]
        first, second, third = parts[::2]
        assert len({first, second, third}) == 3
        whole = [capital + tail for capital, tail in zip(parts[::2], parts[1::2], strict=True)]
        assert prompt.text == f"The {' '.join(whole)} ({first}{second}" and set(whole) <= set(words.SPLIT)
        for place, letter in (("OPEN", first), ("A1", second), ("END", third)):
            here = read_at(prompt, place)
            assert real.decode([here.answer]) == letter
            assert sorted(map(real.decode, here.wrong)) == sorted(set(ascii_uppercase) - {letter})
            assert set(here.options) == {here.answer, *here.wrong} and len(here.options) == 26


def test_counterfactuals_of_acronyms_have_other_capitals(real):
    for prompt in drawn("acronyms", real):
        ours = letters_of(prompt.tokens, prompt, real)
        for name, changed in OTHER_WORDS.items():
            tokens = prompt.counterfactuals[name]
            theirs = letters_of(tokens, prompt, real)
            assert [a == b for a, b in zip(ours, theirs, strict=True)] == [n not in changed for n in range(3)]
            assert not {theirs[n] for n in changed} & set(ours)
            assert tokens[7:] == prompt.tokens[7:]
        assert letters_of(prompt.counterfactuals["exchanged"], prompt, real) == ours[::-1]
        others = letters_of(prompt.counterfactuals["other_words"], prompt, real)
        assert [real.decode([prompt.predicted[v]]) for v in ("FIRST", "SECOND", "THIRD")] == others


def test_a_prompt_of_acronyms_by_hand(gpt2):
    """GPT-2's numbers: of The, of capitals and tails, of the bracket, and of the letters H, W and Y."""
    pools = acronyms.Pools(
        {"H": ("Hinge",), "W": ("Wagon",), "Y": ("Yacht",), "A": ("Aisle",), "B": ("Bands",), "C": ("Cages",)},
        {"H": {"W": frozenset("Y")}},
        {"A": 32, "B": 33, "C": 34, "H": 39, "W": 54, "Y": 56},
    )
    prompt = tokenise(acronyms.draw_text("letters", pools, random.Random(0)), gpt2, bos=False)
    assert prompt.text == "The Hinge Wagon Yacht (HW"
    assert prompt.tokens == (464, 367, 11912, 370, 1840, 575, 19725, 357, 39, 54)
    assert (prompt.elsewhere["OPEN"].right, prompt.elsewhere["A1"].right, prompt.answer) == ((39,), (54,), 56)
    assert prompt.wrong == (32, 33, 34, 39, 54)


def test_the_letters_of_an_acronym_stay_three_tokens_when_all_stand_there(real):
    for prompt in drawn("acronyms", real, count=400):
        third = real.decode([prompt.answer])
        whole = real(f"{prompt.text}{third})", add_special_tokens=False)["input_ids"]
        assert tuple(whole[:11]) == (*prompt.tokens, prompt.answer) and len(whole) == 12


def test_letters_that_a_vocabulary_joins_do_not_come_together(gpt2, smollm2):
    """Both join C with E wherever they stand, and U with L after V; GPT-2 alone joins W with N after H."""
    for tokenizer, joined, apart, count in (
        (gpt2, {"CEV", "VUL", "HWN"}, {"HWY"}, 1280),
        (smollm2, {"CEV", "VUL"}, {"HWY", "HWN"}, 2248),
    ):
        pools, _ = acronyms.open_acronyms(TaskRef("acronyms")).chosen(Selection("acronyms", tokenizer))
        found = {a + b + c for a, seconds in pools.apart.items() for b, thirds in seconds.items() for c in thirds}
        assert apart <= found and not joined & found and len(found) == count


@pytest.mark.parametrize("name", ["greater_than", "acronyms"])
def test_prompts_keep_what_the_description_promises(name, gpt2):
    info = describe(TaskRef(name))
    prompts = drawn(name, gpt2, count=2 * info.templates)
    assert {p.template for p in prompts[: info.templates]} == {p.template for p in prompts}
    assert len({p.template for p in prompts}) == info.templates
    for prompt in prompts:
        assert set(prompt.positions) == {position.name for position in info.positions}
        assert set(prompt.counterfactuals) == {counterfactual for counterfactual, _ in info.counterfactuals}
    assert drawn(name, gpt2, count=len(prompts) // 2) == prompts[: len(prompts) // 2]


@pytest.mark.parametrize("name", ["greater_than", "acronyms"])
def test_a_small_vocabulary_is_an_error(name, mini):
    with pytest.raises(TaskError, match=f"the task {name} needs"):
        drawn(name, mini)


@pytest.mark.parametrize(
    "ref", [TaskRef("ioi"), TaskRef("colored_objects"), TaskRef("greater_than"), TaskRef("acronyms")], ids=str
)
@pytest.mark.parametrize("bos", [False, True])
def test_positions_are_where_the_tokenizers_own_offsets_put_the_words(ref, bos, real):
    """The offsets of a second, whole encoding of the text; the token's characters end where the word does."""
    if ref.name == "greater_than" and real.decode([0]) == "<|endoftext|>":
        pytest.skip("this tokenizer has no pairs of digits")
    for prompt in open_task(ref).draw(real, 60, seed=4, bos=bos).prompts:
        encoded = real(prompt.text, add_special_tokens=False, return_offsets_mapping=True)
        assert prompt.tokens == (*([real.bos_token_id] if bos else []), *encoded["input_ids"])
        for name, indices in prompt.positions.items():
            for index in indices if name != "BOS" else ():
                start, end = encoded["offset_mapping"][index - bos]
                text = prompt.text[start:end]
                assert text.strip() == real.decode([prompt.tokens[index]]).strip() != ""
                if name not in ("END", "OPEN"):
                    assert re.fullmatch(r" ?\w+", text)
                    before, after = prompt.text[:start], prompt.text[end:]
                    whole_word = not re.match(r"\w", after) and (
                        text.startswith(" ") or not before or before[-1] in " ("
                    )
                    assert whole_word or name in ("CENTURY", "YEAR", "A1", "A2", *PARTS)

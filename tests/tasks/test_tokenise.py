"""From character spans to token indices."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from circuitdsl.language.environment import TaskRef
from circuitdsl.tasks import TaskError, TextPrompt, open_task
from circuitdsl.tasks.tokenise import is_known, single_tokens, tokenise
from circuitdsl.tasks.words import fill

WORDS = ["Mary", "John", "the", "store", "gave", "book", "lighter", "Orange"]
MARKS = ["", ",", ".", "?"]


def text_prompt(text, answer=" Mary", wrong=(" John",), spans=None, counterfactuals=None):
    return TextPrompt(text, answer, wrong, (answer, *wrong), spans or {}, counterfactuals or {}, "t")


sentences = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(MARKS)), min_size=1, max_size=12)


@given(sentences=sentences, bos=st.booleans(), data=st.data())
def test_a_word_s_span_gives_the_token_of_that_word(tokenizer, sentences, bos, data):
    text, spans = "the", []
    for word, mark in sentences:
        spans.append((len(text) + 1, len(text) + 1 + len(word)))
        text += f" {word}{mark}"
    chosen = data.draw(st.lists(st.integers(0, len(spans) - 1), min_size=1, max_size=4))
    prompt = tokenise(text_prompt(text, spans={"P": tuple(spans[i] for i in chosen)}), tokenizer, bos)
    found = [tokenizer.decode([prompt.tokens[i]]).strip() for i in prompt.positions["P"]]
    assert found == [sentences[i][0] for i in sorted(set(chosen))]
    assert prompt.positions["END"] == (len(prompt.tokens) - 1,)
    assert len(prompt.tokens) == 1 + len(sentences) + sum(bool(mark) for _, mark in sentences) + bos


@given(text=st.text(min_size=1, max_size=30) | st.just("\r"), data=st.data())
def test_a_span_means_the_last_token_that_it_touches_in_any_text(gpt2, text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    spans = {"P": ((start, end),)}
    try:
        prompt = tokenise(text_prompt(text, answer="!!", wrong=("?!",), spans=spans), gpt2, False)
    except TaskError as error:
        told = ("touch no token", "is not one token", *(["has no tokens"] if not text.strip() else []))
        assert any(part in error.message for part in told)
        return
    (index,) = prompt.positions["P"]
    after = gpt2.decode(prompt.tokens[index + 1 :])
    # What follows the token lies after the span, but for white space and characters that several tokens make up.
    assert len(after.replace("\ufffd", "")) <= len(text) - len(text[:end].rstrip())


@pytest.mark.parametrize("written", ["", "<|endoftext|>"])
@pytest.mark.parametrize("elsewhere", ["", "<|endoftext|>"])
def test_a_prompt_has_one_bos_whether_its_text_or_its_counterfactual_spells_it(gpt2, written, elsewhere):
    """GPT-2's BOS is its unknown token as well, and the text means it."""
    text, changed = f"{written}When Mary met", f"{elsewhere}When Tom met"
    spans = {"NAME": ((len(written) + 5, len(written) + 9),)}
    prompt = tokenise(text_prompt(text, spans=spans, counterfactuals={"abc": changed}), gpt2, bos=True)
    assert [gpt2.decode([token]) for token in prompt.tokens] == ["<|endoftext|>", "When", " Mary", " met"]
    assert [gpt2.decode([token]) for token in prompt.counterfactuals["abc"]][::2] == ["<|endoftext|>", " Tom"]
    assert prompt.positions == {"BOS": (0,), "NAME": (2,), "END": (3,)}


def test_a_text_that_spells_bos_begins_with_it_where_none_is_wanted_too(gpt2):
    prompt = tokenise(text_prompt("<|endoftext|>When Mary met"), gpt2, bos=False)
    assert prompt.tokens[0] == gpt2.bos_token_id and prompt.positions == {"END": (3,)}


def test_words_that_the_vocabulary_lacks_are_unknown_beside_one_that_is_spelt(mini):
    with pytest.raises(TaskError, match='no token for "zzyzx"'):
        tokenise(text_prompt("<unk> and zzyzx met Mary"), mini, bos=False)


def trained(pre_tokenizer) -> PreTrainedTokenizerFast:
    """A BPE tokenizer of a family's kind, which knows the words above as whole tokens; has a BOS."""
    inner = Tokenizer(models.BPE(unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizer
    letters = sorted({letter for word in (*WORDS, *MARKS, "kaleidoscope") for letter in word} | {"\u2581"})
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<unk>", "<s>"], initial_alphabet=letters, show_progress=False
    )
    inner.train_from_iterator([f"the {word}" for word in WORDS] * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", unk_token="<unk>")


KINDS = {
    "byte level, as GPT-2, NeoX and Qwen": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "byte level with a space before the text": pre_tokenizers.ByteLevel(add_prefix_space=True),
    "metaspace, as Llama and Mistral": pre_tokenizers.Metaspace(prepend_scheme="first"),
    "metaspace without a space before the text, as Gemma": pre_tokenizers.Metaspace(prepend_scheme="never"),
}


@pytest.mark.parametrize("kind", KINDS)
@given(sentences=sentences, bos=st.booleans(), leading=st.booleans(), longer=st.booleans())
def test_positions_are_the_tokenizer_s_own(kind, sentences, bos, leading, longer):
    """``char_to_token`` of the tokenizer itself says where a word's last letter is, with and without BOS and spaces."""
    tokenizer = trained_once(kind)
    text, spans = " the" if leading else "the", []
    for word, mark in [*sentences, *([("kaleidoscope", "")] if longer else [])]:
        spans.append((len(text) + 1, len(text) + 1 + len(word)))
        text += f" {word}{mark}"
    prompt = tokenise(text_prompt(text, spans={f"P{i}": (span,) for i, span in enumerate(spans)}), tokenizer, bos)
    own = tokenizer(text, add_special_tokens=False)
    assert prompt.tokens == (*([tokenizer.bos_token_id] if bos else []), *own["input_ids"])
    for i, (_, end) in enumerate(spans):
        assert prompt.positions[f"P{i}"] == (own.char_to_token(end - 1) + bos,)
    assert prompt.positions["END"] == (len(own["input_ids"]) - 1 + bos,)


@cache
def trained_once(kind: str) -> PreTrainedTokenizerFast:
    return trained(KINDS[kind])


def test_the_space_before_a_word_belongs_to_its_token_not_to_the_word_before(gpt2):
    text = "When Mary met John"
    for span, word in (
        ((5, 9), " Mary"),
        ((4, 9), " Mary"),
        ((5, 10), " Mary"),
        ((4, 10), " Mary"),
        ((5, 18), " John"),
    ):
        prompt = tokenise(text_prompt(text, spans={"P": (span,)}), gpt2, False)
        assert gpt2.decode([prompt.tokens[prompt.positions["P"][0]]]) == word


def test_a_word_of_several_tokens_is_its_last_one(gpt2):
    text = "a kaleidoscope there"
    prompt = tokenise(text_prompt(text, spans={"P": ((2, 14),), "Q": ((2, 5),)}), gpt2, False)
    ids = gpt2(text)["input_ids"]
    assert len(ids) > 4
    assert prompt.positions["P"] == (len(ids) - 2,)
    assert prompt.positions["Q"] < prompt.positions["P"]


def test_answers_are_single_tokens_in_their_place(tokenizer):
    prompt = tokenise(
        text_prompt("When Mary gave the book to", answer=" John", wrong=(" Mary", " Anna")), tokenizer, True
    )
    assert [tokenizer.decode([t]).strip() for t in (prompt.answer, *prompt.wrong)] == ["John", "Mary", "Anna"]
    assert prompt.options == (prompt.answer, *prompt.wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": " kaleidoscope"}, 'line 7: the answer " kaleidoscope" is not one token after the prompt but'),
        ({"wrong": (" the store",)}, 'the answer " the store" is not one token after the prompt but 2 tokens'),
        ({"answer": ""}, "is not one token after the prompt but 0 tokens"),
        ({"text": "When Jo", "answer": "hn"}, "merged with the end of the prompt"),
        ({"wrong": (" Mary",)}, "is also a wrong answer"),
        ({"counterfactuals": {"abc": "When"}}, "the counterfactual abc has 1 tokens, the prompt 5"),
        ({"spans": {"P": ((40, 50),)}}, "position P: the characters [40, 50] touch no token"),
        ({"text": ""}, "the prompt has no tokens"),
    ],
)
def test_what_does_not_fit_names_the_prompt(gpt2, change, message):
    good = text_prompt("When John met the store")
    tokenise(good, gpt2, False)
    with pytest.raises(TaskError) as caught:
        tokenise(replace(good, **change), gpt2, False, where="my.jsonl, line 7")
    assert message in caught.value.message
    assert caught.value.message.startswith("my.jsonl, line 7")
    assert caught.value.remedy


def test_an_unknown_word_is_an_error_wherever_it_stands(mini):
    good = text_prompt("When John met Anna")
    for bad in (
        replace(good, text="When zebras met Anna"),
        replace(good, answer=" zebras"),
        replace(good, counterfactuals={"abc": "When zebras met Anna"}),
    ):
        with pytest.raises(TaskError, match='no token for "zebras"'):
            tokenise(bad, mini, False, where="line 1")


def test_a_slow_tokenizer_is_refused(gpt2):
    class Slow:
        is_fast = False

    with pytest.raises(TaskError, match="which characters its tokens stand for"):
        tokenise(text_prompt("When"), Slow(), False)
    with pytest.raises(TaskError, match="which characters its tokens stand for"):
        single_tokens(Slow(), ["Mary"])


def test_single_tokens_keeps_order_and_leaves_out_the_rest(mini, gpt2):
    words = ["Mary", "kaleidoscope", "John", "two words", "zebra"]
    assert single_tokens(mini, words) == ("Mary", "John")
    assert single_tokens(gpt2, words) == ("Mary", "John")
    assert is_known(mini, "Mary and John") and not is_known(mini, "Mary and zebras")
    assert is_known(gpt2, "zebras")


@given(st.dictionaries(st.sampled_from(["A", "B", "C"]), st.text(max_size=8), min_size=3))
def test_fill_gives_the_span_of_every_word(words):
    text, spans = fill("x {B} y{A} {C}.", words)
    assert text == f"x {words['B']} y{words['A']} {words['C']}."
    assert {name: text[a:b] for name, (a, b) in spans.items()} == words


def test_fill_wants_every_word():
    with pytest.raises(KeyError):
        fill("{A} {B}", {"A": "x"})


def test_a_tokenizer_that_puts_bos_first_by_itself_changes_nothing(gpt2, tmp_path):
    """As TransformerLens opens GPT-2's, where the BOS token is also the token for the unknown."""
    gpt2.save_pretrained(tmp_path)
    adding = AutoTokenizer.from_pretrained(tmp_path, add_bos_token=True)
    assert adding("Mary")["input_ids"][0] == adding.bos_token_id == adding.unk_token_id
    assert is_known(adding, "When Mary and John")
    for name in ("ioi", "colored_objects", "greater_than", "acronyms", "induction"):
        task = open_task(TaskRef(name))
        assert task.draw(adding, 8, 0, bos=True).prompts == task.draw(gpt2, 8, 0, bos=True).prompts
        assert task.draw(adding, 8, 0, bos=False).prompts == task.draw(gpt2, 8, 0, bos=False).prompts

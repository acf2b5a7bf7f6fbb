"""Acronyms: three capitalised words and their acronym, letter by letter: "The Hinge Wagon Yacht (HWY".

The task of Garcia-Carrasco et al. 2024 (arXiv:2405.04156) with words of our own: every word is two tokens, its capital
and its tail. Each letter is asked at its place, after the bracket and after the letters before it, which stand there
(teacher forcing); the wrong answers are the other 25 capitals.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from string import ascii_uppercase
from typing import Any

from circuitdsl.language.environment import AnswersInfo, PositionInfo, TaskInfo, TaskRef, VariableInfo
from circuitdsl.tasks.arguments import refuse_all
from circuitdsl.tasks.drawing import Selection, WrittenTask
from circuitdsl.tasks.prompts import Answer, Answers, Prediction, TextPrompt
from circuitdsl.tasks.task import TaskError
from circuitdsl.tasks.tokenise import continuations, tokens_of
from circuitdsl.tasks.words import SPLIT, fill

PATTERN = "The {W1} {W2} {W3} ({L1}{L2}"
OTHERS = ("other_first", "other_second", "other_third")


@dataclass(frozen=True)
class Pools:
    """What one tokenizer has: words by their capitals, which letters it keeps apart, and what a letter is as an answer.

    ``apart`` maps a first letter to second ones, and these to the third ones with which all three stay tokens of their
    own in the bracket: elsewhere what follows the first letter in text is no single letter.
    """

    words: Mapping[str, tuple[str, ...]]
    apart: Mapping[str, Mapping[str, frozenset[str]]]
    letters: Mapping[str, Answer]


def draw_text(template: str, pools: Pools, rng: random.Random) -> TextPrompt:
    """One prompt with its counterfactuals: six different letters, three of the prompt's and three of other words."""
    letters, others = _letters(pools, rng)
    words, replaced = _words(letters, pools, rng), _words(others, pools, rng)

    def write(three: Sequence[str]) -> str:
        return _written(three, letters)[0]

    text, spans = _written(words, letters)
    asked = [_answers(letter, pools) for letter in letters]
    places = ("OPEN", "A1", "END")
    return TextPrompt(
        text=text,
        answer=asked[2].right[0],
        wrong=asked[2].wrong,
        options=asked[2].options,
        spans=spans,
        counterfactuals={
            **{name: write((*words[:i], replaced[i], *words[i + 1 :])) for i, name in enumerate(OTHERS)},
            "other_words": write(replaced),
            "exchanged": write(words[::-1]),
        },
        template=template,
        predicted={
            variable: Prediction(other, pools.letters[others[i]], places[i])
            for i, (variable, other) in enumerate(zip(("FIRST", "SECOND", "THIRD"), OTHERS, strict=True))
        },
        elsewhere=dict(zip(places, asked[:2], strict=False)),
    )


def _letters(pools: Pools, rng: random.Random) -> tuple[Sequence[str], Sequence[str]]:
    """Three that stay apart in the bracket, and three others."""
    first = rng.choice(list(pools.apart))
    second = rng.choice(list(pools.apart[first]))
    rest = sorted(set(pools.words) - {first, second})
    third, *others = rng.sample(rest, 4)
    while third not in pools.apart[first][second]:
        third, *others = rng.sample(rest, 4)
    return (first, second, third), others


def _words(letters: Sequence[str], pools: Pools, rng: random.Random) -> tuple[str, ...]:
    return tuple(rng.choice(pools.words[letter]) for letter in letters)


def _written(words: Sequence[str], letters: Sequence[str]) -> tuple[str, dict[str, tuple[tuple[int, int], ...]]]:
    """The text, and where its capitals, tails, bracket and letters stand."""
    text, slots = fill(PATTERN, dict(zip(("W1", "W2", "W3", "L1", "L2"), (*words, *letters[:2]), strict=True)))
    found: dict[str, tuple[tuple[int, int], ...]] = {}
    for n in (1, 2, 3):
        start, end = slots[f"W{n}"]
        found |= {f"C{n}": ((start, start + 1),), f"T{n}": ((start + 1, end),)}
    first = slots["L1"][0]
    return text, found | {"OPEN": ((first - 1, first),), "A1": (slots["L1"],), "A2": (slots["L2"],)}


def _answers(letter: str, pools: Pools) -> Answers[Answer]:
    """A letter of all 26."""
    wrong = tuple(token for other, token in pools.letters.items() if other != letter)
    return Answers((pools.letters[letter],), wrong, tuple(pools.letters.values()))


_INFO = TaskInfo(
    name="acronyms",
    about="Acronyms: three words, and the letters of their acronym one after the other (Garcia-Carrasco et al. 2024)",
    positions=(
        *(
            each
            for n, word in ((1, "first"), (2, "second"), (3, "third"))
            for each in (
                PositionInfo(f"C{n}", f"the capital of the {word} word"),
                PositionInfo(f"T{n}", f"the tail of the {word} word"),
            )
        ),
        PositionInfo("OPEN", "the bracket, after which the first letter comes"),
        PositionInfo("A1", "the first letter of the acronym, after which the second comes"),
        PositionInfo("A2", "its second letter, the last token of the prompt"),
        PositionInfo("END", "the last token, where the third letter is predicted"),
    ),
    counterfactuals=(
        ("other_first", "another first word with another capital; the letters stay, as in all of these"),
        ("other_second", "another second word with another capital"),
        ("other_third", "another third word with another capital"),
        ("other_words", "three other words with other capitals"),
        ("exchanged", "the first and the third word have changed places"),
    ),
    default_counterfactual="other_words",
    templates=1,
    variables=(
        VariableInfo("FIRST", "the capital of the first word: it gives the first letter", "other_first", "OPEN"),
        VariableInfo("SECOND", "the capital of the second word: it gives the second letter", "other_second", "A1"),
        VariableInfo("THIRD", "the capital of the third word: it gives the third letter", "other_third"),
    ),
    elsewhere=(AnswersInfo("OPEN", "the first letter"), AnswersInfo("A1", "the second letter")),
)


def _by_capital(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        found[word[0]] = (*found.get(word[0], ()), word)
    return found


def _all_pools() -> Pools:
    """All words, as if no letters were ever joined."""
    words = _by_capital(SPLIT)
    return Pools(words, _nested(permutations(words, 3)), {letter: letter for letter in ascii_uppercase})


def _choose(selection: Selection) -> Pools:
    words = _by_capital(selection.checked("words", "a capital and a tail", _split(selection.tokenizer), len(SPLIT), 30))
    found = continuations("the (", ascii_uppercase, selection.tokenizer)
    letters = {letter: token for letter, token in zip(ascii_uppercase, found, strict=True) if token is not None}
    apart = _apart(selection.tokenizer, sorted(words)) if len(letters) == len(ascii_uppercase) else {}
    if not apart or len(words) < 6:
        raise TaskError(
            "the task acronyms needs capital letters that stay tokens of their own in a bracket, and words of six "
            "capitals, which this tokenizer does not have",
            "use another model or task",
        )
    return Pools(words, apart, letters)


def _split(tokenizer: Any) -> tuple[str, ...]:
    """The words that are two known tokens after a word and a space: the capital and the tail."""
    before, *found = tokens_of(tokenizer, ["The", *(f"The {word}" for word in SPLIT)])
    capitals = dict(
        zip(ascii_uppercase, continuations("The", [f" {c}" for c in ascii_uppercase], tokenizer), strict=True)
    )
    unknown = tokenizer.unk_token_id
    return tuple(
        word
        for word, tokens in zip(SPLIT, found, strict=True)
        if len(tokens) == len(before) + 2 and tokens[:-1] == [*before, capitals[word[0]]] and tokens[-1] != unknown
    )


def _apart(tokenizer: Any, letters: Sequence[str]) -> dict[str, dict[str, frozenset[str]]]:
    """Which three stay three tokens in the bracket; many vocabularies join some, and which depends on all three."""
    threes = list(permutations(letters, 3))
    before, *found = tokens_of(tokenizer, ["the (", *(f"the ({''.join(three)}" for three in threes)])
    return _nested(
        three
        for three, tokens in zip(threes, found, strict=True)
        if len(tokens) == len(before) + 3 and tokens[:-3] == before
    )


def _nested(threes: Iterable[tuple[str, ...]]) -> dict[str, dict[str, frozenset[str]]]:
    """First letters -> second -> third."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    for first, second, third in threes:
        seconds = found.setdefault(first, {})
        seconds[second] = seconds.get(second, frozenset()) | {third}
    return found


def open_acronyms(ref: TaskRef) -> WrittenTask[Pools]:
    """The task of ``task acronyms``. Raises :class:`UnknownName` for arguments."""
    refuse_all(ref)
    return WrittenTask(_INFO, ("letters",), _all_pools(), _choose, draw_text)

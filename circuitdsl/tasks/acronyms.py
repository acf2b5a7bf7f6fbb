"""Acronyms: three capitalised words and the first two letters of their acronym; the answer is the third.

The task of Garcia-Carrasco et al. 2024 (arXiv:2405.04156) with words of our own, each of one token where theirs are
split after the initial. What is asked is their last step, the third letter.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef
from circuitdsl.tasks.arguments import refuse_all
from circuitdsl.tasks.drawing import Selection, WrittenTask
from circuitdsl.tasks.prompts import TextPrompt
from circuitdsl.tasks.task import TaskError
from circuitdsl.tasks.tokenise import tokens_of
from circuitdsl.tasks.words import TITLES, fill

PATTERNS: tuple[str, ...] = (
    "The {W1} {W2} {W3} ({L1}{L2}",
    "Yesterday the {W1} {W2} {W3} ({L1}{L2}",
    "We wrote a letter to the {W1} {W2} {W3} ({L1}{L2}",
    "They are members of the {W1} {W2} {W3} ({L1}{L2}",
)

TEMPLATES: tuple[str, ...] = tuple(map(str, range(len(PATTERNS))))
"""``0``, ``1``, ... one for each sentence."""


@dataclass(frozen=True)
class Pools:
    """What one tokenizer has: words of one token by their initials, and which letters it keeps apart.

    ``thirds`` maps two letters to those that may follow them with all three still tokens of their own.
    """

    words: Mapping[str, tuple[str, ...]]
    thirds: Mapping[str, tuple[str, ...]]


def draw_text(template: str, pools: Pools, rng: random.Random) -> TextPrompt:
    """One prompt of ``template`` with its counterfactuals."""
    start = rng.choice(list(pools.thirds))
    options = pools.thirds[start]
    answer = rng.choice(options)
    letters = start + answer
    words = _words(letters, pools, rng)
    others = "".join(rng.sample(sorted(set(pools.words) - set(letters)), 3))
    replaced = _words(others, pools, rng)
    pattern = PATTERNS[int(template)]

    def write(three: tuple[str, ...]):
        return fill(pattern, dict(zip(("W1", "W2", "W3"), three, strict=True)) | {"L1": letters[0], "L2": letters[1]})

    text, spans = write(words)
    return TextPrompt(
        text=text,
        answer=answer,
        wrong=tuple(letter for letter in options if letter != answer),
        options=options,
        spans={name: (span,) for name, span in spans.items()},
        counterfactuals={
            "other_third": write((words[0], words[1], replaced[2]))[0],
            "other_words": write(replaced)[0],
        },
        template=template,
    )


def _words(letters: str, pools: Pools, rng: random.Random) -> tuple[str, ...]:
    return tuple(rng.choice(pools.words[letter]) for letter in letters)


_INFO = TaskInfo(
    name="acronyms",
    about="Acronyms: three words, two letters of their acronym, and the third to come (Garcia-Carrasco et al. 2024)",
    positions=(
        PositionInfo("W1", "the first word"),
        PositionInfo("W2", "the second word"),
        PositionInfo("W3", "the third word, whose initial is the answer"),
        PositionInfo("L1", "the first letter of the acronym"),
        PositionInfo("L2", "its second letter, the last token of the prompt"),
        PositionInfo("END", "the last token, where the answer is predicted"),
    ),
    counterfactuals=(
        ("other_third", "another third word with another initial"),
        ("other_words", "three other words with other initials; the two letters stay"),
    ),
    default_counterfactual="other_third",
    templates=len(TEMPLATES),
)


def _by_initial(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        found[word[0]] = (*found.get(word[0], ()), word)
    return found


def _all_pools() -> Pools:
    """All words, as if any two letters could be followed by any third."""
    words = _by_initial(TITLES)
    return Pools(words, {start + second: tuple(words) for start, second in permutations(words, 2)})


def _choose(selection: Selection) -> Pools:
    by_initial = _by_initial(selection.words("words", TITLES, at_least=30))
    thirds = _thirds(selection.tokenizer, sorted(by_initial))
    if not thirds:
        raise TaskError(
            "the task acronyms needs three capital letters that stay three tokens, and this tokenizer joins them all",
            "use another model or task",
        )
    return Pools(by_initial, thirds)


def _thirds(tokenizer: Any, letters: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Two letters -> those that follow them as a third token; many vocabularies join some pairs of letters.

    Only where there is a choice: at least two letters may follow.
    """
    triples = ["".join(triple) for triple in permutations(letters, 3)]
    before, *found = tokens_of(tokenizer, ["the (", *(f"the ({triple}" for triple in triples)])
    unknown = tokenizer.unk_token_id
    thirds: dict[str, tuple[str, ...]] = {}
    for triple, tokens in zip(triples, found, strict=True):
        if tokens[:-3] == before and unknown not in tokens:
            thirds[triple[:2]] = (*thirds.get(triple[:2], ()), triple[2])
    return {start: options for start, options in thirds.items() if len(options) > 1}


def open_acronyms(ref: TaskRef) -> WrittenTask[Pools]:
    """The task of ``task acronyms``. Raises :class:`UnknownName` for arguments."""
    refuse_all(ref)
    return WrittenTask(_INFO, TEMPLATES, _all_pools(), _choose, draw_text)

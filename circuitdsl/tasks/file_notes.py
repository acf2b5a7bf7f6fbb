"""What a reader of results should know of a file of prompts: not mistakes, but what makes figures mean less.

Each note is one sentence for people, with counts and a line of the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from math import comb
from textwrap import shorten
from typing import Any

from circuitdsl.tasks.file_lines import Line
from circuitdsl.tasks.prompts import Prompt, TextPrompt
from circuitdsl.tasks.tokenise import begins_with_bos, continuations, tokens_of_spans

Drawn = tuple[int, TextPrompt, Prompt]
"""The same with what a tokenizer makes of it."""

RECURRING = 0.5
"""The share of lines whose answers stand in other templates too from which these may be items in several templates."""

EXPECTED = 8.0
FEWER = 0.25
"""The same answers hardly ever recur within a template if they do so less than ``FEWER`` times as often as they would
by chance, and this is ``EXPECTED`` or more: by chance that happens in one file of 70."""

WIDEST = 60
"""Characters of a text that a note quotes."""

_JOINING = "([{<'\"“‘«/\\-–—_$£€#@&~`"
"""What stands before a word without a space between them."""


# --- of the texts ----------------------------------------------------------------------------------


def notes_of_texts(name: str, lines: Sequence[Line]) -> Iterator[str]:
    """What can be said of the file ``name`` without a tokenizer."""
    yield from _copies(name, lines)
    yield from _items(name, lines)
    yield from _unchanged(name, lines)
    yield from _ending_in_space(name, lines)


def _copies(name: str, lines: Sequence[Line]) -> Iterator[str]:
    """Lines that are one prompt: the same text, answer and counterfactuals."""
    first: dict[Hashable, int] = {}
    again = [
        (number, original)
        for number, prompt in lines
        if (original := first.setdefault(_content(prompt), number)) != number
    ]
    if again:
        number, original = again[0]
        yield (
            f"{name}: {len(lines)} lines are {len(first)} distinct prompt{'s' * (len(first) != 1)} (line {number} is "
            f"line {original} again); a prompt that is repeated is no further evidence"
        )


def _content(prompt: TextPrompt) -> Hashable:
    return prompt.text, prompt.answer, frozenset(prompt.counterfactuals.items())


def _items(name: str, lines: Sequence[Line]) -> Iterator[str]:
    """Whether the file looks like items each of which is written in several templates, and names none.

    Answers that recur are no sign of it by themselves: of two possible answers each stands in every template, many
    times. But where answers stand for items, an item stands once in each of its templates: the same answers recur from
    template to template and hardly ever within one.
    """
    if any(prompt.item for _, prompt in lines):
        return
    answers = {number: (prompt.answer, frozenset(prompt.wrong), frozenset(prompt.options)) for number, prompt in lines}
    kinds = Counter(answers.values())
    templates = Counter(prompt.template for _, prompt in lines)
    both = Counter((answers[number], prompt.template) for number, prompt in lines)
    repeats = _pairs(both.values())
    recurring = _pairs(kinds.values()) - repeats
    within = _pairs(templates.values())
    across = comb(len(lines), 2) - within
    elsewhere = [(n, prompt) for n, prompt in lines if kinds[answers[n]] > both[answers[n], prompt.template]]
    if len(kinds) < 3 or not across or len(elsewhere) < RECURRING * len(lines):
        return
    expected = recurring * within / across
    if expected < EXPECTED or repeats > FEWER * expected:
        return
    number, prompt = elsewhere[0]
    other = next(n for n, p in elsewhere if answers[n] == answers[number] and p.template != prompt.template)
    yield (
        f"{name}: {len(kinds)} sets of answers stand on {len(lines)} lines in {len(templates)} templates, and line "
        f"{other} has those of line {number}: if these are items written in several templates, name the `item` of each "
        "line, as intervals are too narrow while prompts of one item count as independent"
    )


def _pairs(counts: Iterable[int]) -> int:
    """How many pairs there are within groups of these sizes."""
    return sum(comb(count, 2) for count in counts)


def _unchanged(name: str, lines: Sequence[Line]) -> Iterator[str]:
    """Counterfactuals that are their prompts."""
    for counterfactual in lines[0][1].counterfactuals:
        same = [number for number, prompt in lines if prompt.counterfactuals[counterfactual] == prompt.text]
        if same:
            left = 1 - len(same) / len(lines)
            effect = f", and lowers the mean effect to some {left:.0%} of that on the other lines" if left else ""
            yield (
                f"{name}: on {len(same)} of {len(lines)} lines ({_first(same)}) the counterfactual {counterfactual} is "
                f"the prompt itself: patching from it changes nothing there{effect}"
            )


def _ending_in_space(name: str, lines: Sequence[Line]) -> Iterator[str]:
    """Prompts that end in a space, which most vocabularies have before the next word, as a part of it."""
    found = [number for number, prompt in lines if prompt.text[-1] in " \t"]
    if found:
        yield (
            f"{name}: {len(found)} of {len(lines)} prompts ({_first(found)}) end in a space, after which few texts "
            "go on as these answers do: leave it out there, and write it before the answer"
        )


def _first(numbers: Sequence[int]) -> str:
    return f"line {numbers[0]}" if len(numbers) == 1 else f"line {numbers[0]} is the first"


# --- of what a tokenizer makes of them -------------------------------------------------------------


def note_of_bos(name: str, lines: Sequence[Line], tokenizer: Any) -> Iterator[str]:
    """Prompts that spell the BOS token which they are to begin with."""
    found = [number for number, prompt in lines if begins_with_bos(prompt.text, tokenizer)]
    if found:
        yield (
            f"{name}: {len(found)} of {len(lines)} lines ({_first(found)}) begin with {tokenizer.bos_token}, which is "
            "this tokenizer's BOS token: `bos yes` puts no second one before them"
        )


def note_of_lengths(name: str, drawn: Iterable[Drawn]) -> Iterator[str]:
    """Templates whose prompts are not equally long, so that the tokens of one are not those of another."""
    lengths: dict[str, set[int]] = {}
    for _, _, prompt in drawn:
        lengths.setdefault(prompt.template, set()).add(len(prompt.tokens))
    uneven = {template: sorted(found) for template, found in lengths.items() if len(found) > 1}
    if uneven:
        template, found = next(iter(uneven.items()))
        of_one = "no line names its `template`, and prompts" if len(lengths) == 1 else f"prompts of {template}"
        yield (
            f"{name}: {of_one} have {found[0]} to {found[-1]} tokens, so that no mean by template is taken of them: "
            "name the `template` of each line, another for another length, or write `method { ablate mean }`"
        )


def notes_of_tokens(name: str, drawn: Iterable[Drawn], tokenizer: Any) -> Iterator[str]:
    """What a tokenizer makes of the prompts that were drawn, in whatever order they were."""
    in_order = sorted(drawn, key=lambda line: line[0])
    yield from _wide_spans(name, [(number, text) for number, text, _ in in_order], tokenizer)
    yield from _missing_spaces(name, in_order, tokenizer)
    yield from _listed_twice(name, in_order)


def _wide_spans(name: str, lines: Iterable[Line], tokenizer: Any) -> Iterator[str]:
    """Positions of which only the last token is meant: the first such one stands for all."""
    for number, prompt in lines:
        for position, span, count in tokens_of_spans(prompt, tokenizer):
            if count > 1:
                covered = shorten(prompt.text[slice(*span)], WIDEST)
                yield (
                    f'{name}, line {number}: position {position}, "{covered}", covers {count} tokens and means the '
                    "last of them only, as every span of several tokens does"
                )
                return


def _missing_spaces(name: str, lines: Sequence[Drawn], tokenizer: Any) -> Iterator[str]:
    """Answers, right or wrong, that have another token with the space that they lack."""
    found = [(number, answer) for number, text, _ in lines for answer in _spaced(text, tokenizer)]
    if found:
        number, answer = found[0]
        count = len({number for number, _ in found})
        yield (
            f'{name}, line {number}: the answer "{answer}" has no space before it, and " {answer}" is a token of its '
            f"own: unless it goes on with the word before, write the space ({count} of {len(lines)} prompts drawn)"
        )


def _spaced(prompt: TextPrompt, tokenizer: Any) -> Iterator[str]:
    """The answers of a prompt whose spelling with a space before them is another token."""
    last = prompt.text[-1]
    if last.isspace() or last in _JOINING:
        return
    bare = [
        answer
        for answer in dict.fromkeys((prompt.answer, *prompt.wrong))
        if isinstance(answer, str) and answer[0].isalnum()
        if not (answer[0].isdigit() and last.isdigit())  # 17 and 32 are one number
    ]
    if bare:
        found = continuations(prompt.text, [*bare, *(f" {answer}" for answer in bare)], tokenizer)
        without, with_space = found[: len(bare)], found[len(bare) :]
        yield from (a for a, one, other in zip(bare, without, with_space, strict=True) if other not in (None, one))


def _listed_twice(name: str, lines: Sequence[Drawn]) -> Iterator[str]:
    """Wrong answers and options that are there twice, as they are written or as the tokenizer reads them."""
    wrong = [(n, text.wrong, prompt.wrong) for n, text, prompt in lines]
    options = [
        (n, text.options, prompt.options) for n, text, prompt in lines if text.options != (text.answer, *text.wrong)
    ]
    for what, listed in (("wrong answers", wrong), ("options", options)):
        twice = [(n, written, tokens) for n, written, tokens in listed if len(tokens) < len(written)]
        if twice:
            number, written, tokens = twice[0]
            yield (
                f"{name}, line {number}: {len(written)} {what} are listed and {len(tokens)} of them differ as tokens: "
                f"each counts once ({len(twice)} of {len(lines)} prompts drawn)"
            )

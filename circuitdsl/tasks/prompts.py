"""Prompts with named positions: what every task gives, for any tokenizer.

Built-in tasks and JSONL files write a :class:`TextPrompt`, with positions as character spans;
``tokenise`` (in ``tokenise.py``) turns it into a :class:`Prompt` with token indices for one tokenizer.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from circuitdsl.components import END

Span = tuple[int, int]


@dataclass(frozen=True)
class FirstToken:
    """An answer of which the first token alone is meant, as it continues the text."""

    text: str

    def __str__(self) -> str:
        return self.text


Answer = str | FirstToken | int
"""An answer as it continues the text, one token; the first token of a text; or a token by its number."""


AnswerT = TypeVar("AnswerT")
"""An answer as it is written, or its token."""


@dataclass(frozen=True)
class Answers(Generic[AnswerT]):
    """What may follow a position: ``right`` answers, at least one, ``wrong`` ones, and all that the task allows."""

    right: tuple[AnswerT, ...]
    wrong: tuple[AnswerT, ...] = ()
    options: tuple[AnswerT, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """The answer that would follow the position ``at`` if one variable of the task
    (``language.environment.VariableInfo``) alone had the value that it has on a counterfactual."""

    counterfactual: str
    answer: Answer
    at: str = END.name


@dataclass(frozen=True)
class TextPrompt:
    """A prompt before any tokenizer has seen it.

    ``spans`` maps a position's name to half-open character spans of ``text``; each means the last token that the
    span touches. END need not be listed. ``tokens`` are positions that are given as token indices, from 0 and without a
    BOS token. ``answer`` and ``wrong`` are spelled as they continue the text (" Mary").
    ``options`` are the answers that the task allows, for ``accuracy(among options)``. ``right`` are all right answers,
    ``answer`` among them, where there are several. ``predicted`` has what each variable of the task leads to.
    ``item`` is what the prompt is about, for items that are written in several templates: prompts of one item are not
    independent of each other. "" is none. ``elsewhere`` has the answers that may follow other positions of a text which
    goes on after them (a teacher-forced continuation).
    """

    text: str
    answer: Answer
    wrong: tuple[Answer, ...]
    options: tuple[Answer, ...]
    spans: Mapping[str, tuple[Span, ...]]
    counterfactuals: Mapping[str, str]
    template: str
    right: tuple[Answer, ...] = ()
    item: str = ""
    predicted: Mapping[str, Prediction] = field(default_factory=dict[str, Prediction])
    tokens: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    elsewhere: Mapping[str, Answers[Answer]] = field(default_factory=dict[str, Answers[Answer]])


@dataclass(frozen=True)
class Prompt:
    """A prompt as one model reads it. Every counterfactual has as many tokens as ``tokens``.

    ``positions`` maps a name to the token indices it has here, ascending; END is always there. With a BOS token,
    ``tokens`` and the counterfactuals begin with it, the positions count it, and it is the position BOS.

    What a model says is read after the position ``read``, whose answers ``answer``, ``right``, ``wrong`` and
    ``options`` are; ``elsewhere`` has those of other positions (see :func:`read_at`).
    """

    text: str
    tokens: tuple[int, ...]
    answer: int
    wrong: tuple[int, ...]
    options: tuple[int, ...]
    positions: Mapping[str, tuple[int, ...]]
    counterfactuals: Mapping[str, tuple[int, ...]]
    template: str
    right: tuple[int, ...] = ()  # see ``answers``
    item: str = ""
    predicted: Mapping[str, int] = field(default_factory=dict[str, int])  # the answer's token, by variable
    number: int = 0  # its index in the stream, see ``numbered``
    turn: int = 0  # how many earlier prompts of the stream have its template
    read: str = END.name
    elsewhere: Mapping[str, Answers[int]] = field(default_factory=dict[str, Answers[int]])

    @property
    def answers(self) -> tuple[int, ...]:
        """All right answers: those of ``right``, or the one."""
        return self.right or (self.answer,)


def read_at(prompt: Prompt, position: str) -> Prompt:
    """A prompt of which the answer after a position is asked; KeyError if it gives none there."""
    if position == prompt.read:
        return prompt
    found = prompt.elsewhere[position]
    return replace(
        prompt, read=position, answer=found.right[0], right=found.right, wrong=found.wrong, options=found.options
    )


def digest(prompt: Prompt) -> str:
    """A short hash of what a prompt says and is asked, whatever number it has: equal for the same prompts."""
    counterfactuals = sorted(prompt.counterfactuals.items())
    said = (prompt.tokens, prompt.answers, prompt.wrong, prompt.options, counterfactuals, prompt.read)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:10]


@dataclass(frozen=True)
class PromptSet:
    """Prompts in a fixed order: drawing more with the same seed only appends.

    ``notes`` says what the tokenizer made the task leave out, for people ("18 of 20 names are one token").
    ``exhausted`` is true if the task has no more prompts than these. ``shares`` is the share of a file's lines in each
    template, which add up to one; {} for tasks that write their own prompts, whose templates count equally.
    """

    prompts: tuple[Prompt, ...]
    notes: tuple[str, ...] = field(default=())
    shares: Mapping[str, float] = field(default_factory=dict[str, float])
    exhausted: bool = False


def numbered(prompts: Iterable[Prompt]) -> tuple[Prompt, ...]:
    """The prompts of a stream from its beginning, each with its place in the stream and among those of its template."""
    turns = Counter[str]()
    found: list[Prompt] = []
    for number, prompt in enumerate(prompts):
        found.append(replace(prompt, number=number, turn=turns[prompt.template]))
        turns[prompt.template] += 1
    return tuple(found)

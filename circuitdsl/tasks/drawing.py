"""What the tasks that write their own prompts share: choosing words that a tokenizer has, turns, and layouts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, TypeVar

from circuitdsl.language.environment import TaskInfo
from circuitdsl.tasks.layout import Layout, layouts_of
from circuitdsl.tasks.prompts import Prompt, PromptSet, TextPrompt
from circuitdsl.tasks.task import TaskError
from circuitdsl.tasks.tokenise import is_known, single_tokens, tokenise


class Selection:
    """What of a task's words and templates one tokenizer has; ``notes`` tells people what had to go."""

    def __init__(self, task: str, tokenizer: Any):
        self._task = task
        self.tokenizer = tokenizer
        self.notes: tuple[str, ...] = ()

    def words(self, kind: str, pool: Sequence[str], at_least: int) -> tuple[str, ...]:
        """The words of ``pool`` that are single tokens; :class:`TaskError` if there are fewer than ``at_least``."""
        return self.checked(kind, "one token each", single_tokens(self.tokenizer, pool), len(pool), at_least)

    def colors(self, pool: Sequence[str], at_least: int) -> tuple[str, ...]:
        """The colours of ``pool`` that are single tokens, both as they stand and capitalised."""
        plain = set(single_tokens(self.tokenizer, pool))
        answers = set(single_tokens(self.tokenizer, (color.capitalize() for color in pool)))
        kept = tuple(color for color in pool if color in plain and color.capitalize() in answers)
        return self.checked("colours", "one token each, also capitalised", kept, len(pool), at_least)

    def templates(self, names: Sequence[str], example: Callable[[str], str]) -> tuple[str, ...]:
        """The templates whose words the vocabulary has, judged by one ``example`` text of each."""
        kept = tuple(name for name in names if is_known(self.tokenizer, example(name)))
        return self.checked("templates", "in its words", kept, len(names), 1)

    def checked(self, kind: str, quality: str, kept: tuple[str, ...], of: int, at_least: int) -> tuple[str, ...]:
        """``kept``, those of a kind that a tokenizer has; :class:`TaskError` if there are fewer than ``at_least``."""
        left = f"{len(kept)} of {of} {kind} are {quality} for this tokenizer"
        if len(kept) < at_least:
            raise TaskError(f"the task {self._task} needs {at_least} {kind}, but {left}", "use another model or task")
        if len(kept) < of:
            self.notes += (left,)
        return kept


def turns(items: Sequence[str], rng: random.Random) -> Iterator[str]:
    """All of ``items`` in a random order, then all of them in another, and so on without end."""
    while True:
        yield from rng.sample(items, len(items))


PoolsT = TypeVar("PoolsT")
"""The words that a task draws from."""


@dataclass(frozen=True)
class WrittenTask(Generic[PoolsT]):
    """A task that writes its own prompts: sentences of drawn words, in templates that take turns.

    * ``pools``: all words of the task, for layouts, which no tokenizer has a say in;
    * ``choose``: those of them that one tokenizer has; it raises :class:`TaskError` if they do not suffice;
    * ``write``: one prompt of a template from some pools. It must draw the same from generators of the same state;
    * ``samples``: how many prompts of a template show all places where its positions may stand.
    """

    info: TaskInfo
    templates: tuple[str, ...]
    pools: PoolsT
    choose: Callable[[Selection], PoolsT]
    write: Callable[[str, PoolsT, random.Random], TextPrompt]
    samples: int = 1

    def draw(self, tokenizer: Any, count: int, seed: int, bos: bool) -> PromptSet:
        """See :class:`circuitdsl.tasks.Task`. Of the templates those are used whose words the vocabulary has."""
        selection = Selection(self.info.name, tokenizer)
        pools, known = self.chosen(selection)
        rng = random.Random(f"prompts {seed}")
        texts = (self.write(template, pools, rng) for template in islice(turns(known, rng), count))
        return PromptSet(_tokenised(texts, tokenizer, bos), selection.notes)

    def chosen(self, selection: Selection) -> tuple[PoolsT, tuple[str, ...]]:
        """The words that a tokenizer has, and the templates."""
        pools = self.choose(selection)

        def example(template: str) -> str:
            return self.write(template, pools, random.Random(0)).text

        return pools, selection.templates(self.templates, example)

    def layouts(self) -> tuple[Layout, ...]:
        """See :class:`circuitdsl.tasks.Task`. Those of ``samples`` prompts of each template."""
        return layouts_of(
            self.write(template, self.pools, random.Random(seed))
            for template in self.templates
            for seed in range(self.samples)
        )


@dataclass(frozen=True)
class ListedTask(WrittenTask[PoolsT]):
    """A task of so few words that all its prompts can be listed: ``listing`` writes those of a template."""

    listing: Callable[[str, PoolsT], Iterable[TextPrompt]] = field(kw_only=True)

    def every(self, tokenizer: Any, seed: int, bos: bool) -> PromptSet:
        """See :class:`circuitdsl.tasks.Listing`."""
        selection = Selection(self.info.name, tokenizer)
        pools, known = self.chosen(selection)
        texts = [text for template in known for text in self.listing(template, pools)]
        random.Random(f"all prompts {seed}").shuffle(texts)
        return PromptSet(_tokenised(texts, tokenizer, bos), selection.notes, exhausted=True)


def _tokenised(texts: Iterable[TextPrompt], tokenizer: Any, bos: bool) -> tuple[Prompt, ...]:
    return tuple(
        tokenise(text, tokenizer, bos, where=f"prompt {number} (template {text.template})")
        for number, text in enumerate(texts, start=1)
    )

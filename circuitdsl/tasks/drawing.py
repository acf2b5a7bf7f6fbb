"""What the tasks that write their own prompts share: choosing words a tokenizer has, and taking turns."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from .prompts import PromptSet, TextPrompt
from .task import TaskError
from .tokenise import is_known, single_tokens, tokenise


class Selection:
    """What of a task's words and templates one tokenizer has; ``notes`` tells people what had to go."""

    def __init__(self, task: str, tokenizer: Any):
        self._task = task
        self.tokenizer = tokenizer
        self.notes: tuple[str, ...] = ()

    def words(self, kind: str, pool: Sequence[str], at_least: int) -> tuple[str, ...]:
        """The words of ``pool`` that are single tokens; :class:`TaskError` if there are fewer than ``at_least``."""
        return self._checked(kind, "one token each", single_tokens(self.tokenizer, pool), len(pool), at_least)

    def colors(self, pool: Sequence[str], at_least: int) -> tuple[str, ...]:
        """The colours of ``pool`` that are single tokens, both as they stand and capitalised."""
        plain = set(single_tokens(self.tokenizer, pool))
        answers = set(single_tokens(self.tokenizer, (color.capitalize() for color in pool)))
        kept = tuple(color for color in pool if color in plain and color.capitalize() in answers)
        return self._checked("colours", "one token each, also capitalised", kept, len(pool), at_least)

    def templates(self, names: Sequence[str], example: Callable[[str], str]) -> tuple[str, ...]:
        """The templates whose words the vocabulary has, judged by one ``example`` text of each."""
        kept = tuple(name for name in names if is_known(self.tokenizer, example(name)))
        return self._checked("templates", "in its words", kept, len(names), 1)

    def _checked(self, kind: str, quality: str, kept: tuple[str, ...], of: int, at_least: int) -> tuple[str, ...]:
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


def write_prompts(
    selection: Selection,
    templates: Sequence[str],
    write: Callable[[str, random.Random], TextPrompt],
    count: int,
    seed: int,
    bos: bool,
) -> PromptSet:
    """``count`` prompts by ``write(template, rng)``, those templates taking turns whose words the vocabulary has."""
    known = selection.templates(templates, lambda template: write(template, random.Random(0)).text)
    rng = random.Random(f"prompts {seed}")
    texts = (write(template, rng) for template in islice(turns(known, rng), count))
    prompts = (
        tokenise(text, selection.tokenizer, bos, where=f"prompt {number} (template {text.template})")
        for number, text in enumerate(texts, start=1)
    )
    return PromptSet(tuple(prompts), selection.notes)

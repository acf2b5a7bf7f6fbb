"""Induction: random tokens, then the same tokens again up to some point; the answer is the one that came next.

The prompts are made of token ids, of any vocabulary, and their texts are only for people to read.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import islice
from typing import Any

from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef
from circuitdsl.tasks.arguments import whole_number
from circuitdsl.tasks.drawing import turns
from circuitdsl.tasks.layout import Layout
from circuitdsl.tasks.prompts import Prompt, PromptSet
from circuitdsl.tasks.task import TaskError
from circuitdsl.tasks.tokenise import bos_position, bos_tokens


@dataclass(frozen=True)
class Induction:
    """The task ``induction``; ``length`` is that of the longer sequences before they repeat."""

    length: int = 20

    @property
    def info(self) -> TaskInfo:
        """What the task offers."""
        return TaskInfo(
            name="induction",
            about="Induction: a sequence of random tokens begins a second time, and the answer is the token that came "
            "next the first time",
            positions=(
                PositionInfo("FIRST", "where the last token stood the first time"),
                PositionInfo("NEXT", "the token after FIRST, which is the answer"),
                PositionInfo("END", "the last token, where the answer is predicted"),
            ),
            counterfactuals=(
                ("other", "other random tokens before the repetition begins, so that nothing is repeated"),
            ),
            default_counterfactual="other",
            templates=len(self._templates()),
        )

    def _templates(self) -> dict[str, tuple[int, int]]:
        """Name -> (tokens before the repetition, tokens repeated): two lengths, each broken off late or half-way."""
        lengths = {self.length, (self.length + 1) // 2}
        shapes = {(length, repeated) for length in lengths for repeated in (length - 1, length // 2)}
        return {f"{length}-{repeated}": (length, repeated) for length, repeated in sorted(shapes)}

    def draw(self, tokenizer: Any, count: int, seed: int, bos: bool) -> PromptSet:
        """See :class:`circuitdsl.tasks.Task`."""
        special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
        plain = [token for token in range(len(tokenizer)) if token not in special]
        if len(plain) < 2 * self.length:
            raise TaskError(
                f"the task induction needs {2 * self.length} tokens, but the vocabulary has {len(plain)} that are not "
                "special",
                f"write a shorter length: induction(length: {max(2, len(plain) // 2)})",
            )
        first = bos_tokens(tokenizer, bos)
        rng = random.Random(f"induction {seed}")
        shapes = self._templates()
        prompts = (
            _prompt(template, *shapes[template], plain, first, tokenizer, rng)
            for template in islice(turns(list(shapes), rng), count)
        )
        return PromptSet(tuple(prompts))

    def layouts(self) -> tuple[Layout, ...]:
        """See :class:`circuitdsl.tasks.Task`. They are exact."""
        return tuple(
            Layout(length + repeated, _positions(length, repeated, 0))
            for length, repeated in self._templates().values()
        )


def open_induction(ref: TaskRef) -> Induction:
    """The task of ``task induction(length: 20)``. Raises :class:`UnknownName` for other arguments."""
    return Induction(whole_number(ref, "length", default=20, low=4, high=500))


def _positions(length: int, repeated: int, before: int) -> dict[str, tuple[int, ...]]:
    """The positions after ``before`` tokens, which stand before the sequence."""
    end = before + length + repeated - 1
    return {"FIRST": (end - length,), "NEXT": (end - length + 1,), "END": (end,)}


def _prompt(
    template: str,
    length: int,
    repeated: int,
    plain: list[int],
    first: tuple[int, ...],
    tokenizer: Any,
    rng: random.Random,
) -> Prompt:
    drawn = rng.sample(plain, 2 * length)
    once, unrelated = drawn[:length], drawn[length:]
    again = once[:repeated]
    answer = once[repeated]
    return Prompt(
        text=tokenizer.decode(once + again),
        tokens=(*first, *once, *again),
        answer=answer,
        wrong=(rng.choice([token for token in once if token not in (answer, again[-1])]),),
        options=tuple(once),
        positions=bos_position(first) | _positions(length, repeated, len(first)),
        counterfactuals={"other": (*first, *unrelated, *again)},
        template=template,
    )

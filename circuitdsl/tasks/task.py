"""What every task is, and the error it raises when a model's tokenizer cannot carry it."""

from __future__ import annotations

from typing import Any, Protocol

from ..errors import InputError
from ..language.environment import TaskInfo
from .layout import Layout
from .prompts import PromptSet


class TaskError(InputError):
    """A task that cannot be drawn for the tokenizer at hand: ``message`` says what and where, ``remedy`` what to do."""


class Task(Protocol):
    """A source of prompts. ``info`` is known without a tokenizer."""

    @property
    def info(self) -> TaskInfo: ...

    def draw(self, tokenizer: Any, count: int, seed: int, bos: bool) -> PromptSet:
        """``count`` prompts, or all that there are, for a fast Hugging Face tokenizer.

        Drawing more with the same seed only appends, and templates take turns, so that a few prompts already
        show them all. ``bos`` puts the tokenizer's BOS token first. Raises :class:`TaskError`.
        """
        ...

    def layouts(self) -> tuple[Layout, ...]:
        """Where the tokens of typical prompts stand, one of each template at least, as no tokenizer has said."""
        ...

"""What every task is, how it is opened, and the error it raises when a model's tokenizer cannot carry it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from circuitdsl.errors import InputError
from circuitdsl.language.environment import TaskInfo, TaskRef
from circuitdsl.tasks.layout import Layout
from circuitdsl.tasks.prompts import PromptSet


class TaskError(InputError):
    """A task that cannot be drawn for the tokenizer at hand: ``message`` says what and where, ``remedy`` what to do."""


class Task(Protocol):
    """A source of prompts. ``info`` is known without a tokenizer."""

    @property
    def info(self) -> TaskInfo: ...

    def draw(self, tokenizer: Any, count: int, seed: int, bos: bool) -> PromptSet:
        """``count`` prompts, or all that there are, for a fast Hugging Face tokenizer, or what does all that one does.

        Drawing more with the same seed only appends, and templates take turns, so that a few prompts already
        show them all. ``bos`` puts the tokenizer's BOS token first, as the position BOS. Raises :class:`TaskError`.
        """
        ...

    def layouts(self) -> tuple[Layout, ...]:
        """Where the tokens of typical prompts stand, at least one of each template; found without a tokenizer."""
        ...


@runtime_checkable
class Listing(Protocol):
    """A task that can list all its prompts; its ``info.listed`` says how many there are at most."""

    def every(self, tokenizer: Any, seed: int, bos: bool) -> PromptSet:
        """Every prompt once, in an order that depends on the seed; otherwise as :meth:`Task.draw`."""
        ...


Opener = Callable[[TaskRef], Task]
"""What an entry point of the group ``circuitdsl.tasks`` is: it reads the arguments that the specification gives.

It raises :class:`UnknownName` for arguments that the task does not take.
"""


@runtime_checkable
class ReadsFiles(Protocol):
    """An opener of tasks whose prompts lie in files of the user's."""

    def files(self, ref: TaskRef) -> tuple[Path, ...]:
        """The files that the task reads, whether they exist or not. Raises :class:`UnknownName` for wrong arguments."""
        ...

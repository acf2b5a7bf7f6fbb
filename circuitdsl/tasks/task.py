"""What every task is, how it is opened, and the error it raises when a model's tokenizer cannot carry it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from circuitdsl.errors import InputError
from circuitdsl.language.environment import LineFault, TaskInfo, TaskRef
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


@dataclass(frozen=True)
class Examination:
    """A file of so many ``lines`` with prompts, as a tokenizer reads them: those that cannot be used, and notes on the
    others, each a sentence. ``skipped``: those are left out, and no mistake."""

    lines: int = 0
    faults: tuple[LineFault, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: bool = False


@runtime_checkable
class Examined(Protocol):
    """A task whose prompts are somebody's own, so that a tokenizer may not read all of them."""

    def examine(self, tokenizer: Any, bos: bool) -> Examination:
        """All of its lines. Raises :class:`TaskError` for a tokenizer that can read none."""
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


@runtime_checkable
class Tolerant(Protocol):
    """An opener of tasks whose files may hold lines that cannot be used."""

    def usable(self, ref: TaskRef) -> Task:
        """The task of the lines that can be used. Raises as the opener does, but for lines that cannot, if others
        can."""
        ...

"""Tasks: prompts with named positions, answers and counterfactuals, for any tokenizer.

One file a task; ``file("my.jsonl")`` brings anybody's own prompts. Importing this loads no model library.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..language.environment import TaskInfo, TaskRef, UnknownName
from .acronyms import open_acronyms
from .colored_objects import open_colored_objects
from .file import file_path, open_file
from .greater_than import open_greater_than
from .induction import open_induction
from .ioi import open_ioi
from .layout import Layout
from .prompts import Prompt, PromptSet, TextPrompt
from .task import Task, TaskError

_OPENERS: dict[str, Callable[[TaskRef], Task]] = {
    "ioi": open_ioi,
    "colored_objects": open_colored_objects,
    "induction": open_induction,
    "greater_than": open_greater_than,
    "acronyms": open_acronyms,
    "file": open_file,
}


def task_names() -> tuple[str, ...]:
    """The names that a specification may write after ``task``."""
    return tuple(_OPENERS)


def open_task(ref: TaskRef) -> Task:
    """The task that ``ref`` names.

    Raises :class:`UnknownName` for an unknown name, arguments that the task does not take, and a file that cannot
    be read or holds mistakes; the message then says the file, the lines and what is wrong with them.
    """
    if ref.name not in _OPENERS:
        raise UnknownName(
            f"there is no task called {ref.name}",
            known=task_names(),
            remedy=f'the tasks are {", ".join(task_names())}; file("my.jsonl") brings your own prompts',
        )
    return _OPENERS[ref.name](ref)


def describe(ref: TaskRef) -> TaskInfo:
    """What the task that ``ref`` names offers to a specification. Raises as :func:`open_task` does."""
    return open_task(ref).info


def files_of(ref: TaskRef) -> tuple[Path, ...]:
    """The files that the task reads its prompts from, there or not."""
    return (file_path(ref),) if ref.name == "file" else ()


__all__ = [
    "Layout",
    "Prompt",
    "PromptSet",
    "Task",
    "TaskError",
    "TextPrompt",
    "describe",
    "files_of",
    "open_task",
    "task_names",
]

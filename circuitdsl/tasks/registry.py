"""The tasks of this installation by name. A task is an entry point of the group ``circuitdsl.tasks``: an opener."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from circuitdsl.errors import InputError, interrupted
from circuitdsl.language.environment import TaskInfo, TaskRef, UnknownName
from circuitdsl.plugins import installed, load
from circuitdsl.tasks.checking import checked
from circuitdsl.tasks.prompts import PromptSet
from circuitdsl.tasks.task import Examination, Examined, Listing, Opener, ReadsFiles, Task, TaskError, Tolerant

FoundT = TypeVar("FoundT")


def task_names() -> tuple[str, ...]:
    """The names that a specification may write after ``task``: in alphabetical order, the user's own prompts last."""
    return tuple(sorted(installed("tasks"), key=lambda name: (name == "file", name)))


@checked
def open_task(ref: TaskRef) -> Task:
    """The task that ``ref`` names.

    Raises :class:`UnknownName` for an unknown name, arguments that the task does not take, and a file that cannot
    be read or holds mistakes; the message then says the file, the lines and what is wrong with them. Raises InputError
    for what is no ``TaskRef``.
    """
    return _opener(ref.name)(ref)


@checked
def describe(ref: TaskRef) -> TaskInfo:
    """What the task that ``ref`` names offers to a specification. Raises as :func:`open_task` does."""
    return open_task(ref).info


@checked
def open_usable(ref: TaskRef) -> Task:
    """The task of what can be used of its file, where some lines can. Raises as :func:`open_task` does otherwise."""
    opener = _opener(ref.name)
    return opener.usable(ref) if isinstance(opener, Tolerant) else opener(ref)


@checked
def files_of(ref: TaskRef) -> tuple[Path, ...]:
    """The files that the task reads its prompts from, whether they exist or not.

    Raises :class:`UnknownName` for an unknown name and for wrong arguments.
    """
    opener = _opener(ref.name)
    return opener.files(ref) if isinstance(opener, ReadsFiles) else ()


def _opener(name: str) -> Opener:
    """Loads the one task that is asked for, and no other."""
    if name not in installed("tasks"):
        raise UnknownName(
            f"there is no task called {name}",
            known=task_names(),
            remedy=f'the tasks are {", ".join(task_names())}; file("my.jsonl") brings your own prompts',
        )
    return load(installed("tasks")[name])


@checked
def draw(ref: TaskRef, tokenizer: Any, count: int, seed: int, bos: bool) -> PromptSet:
    """The first ``count`` prompts of a task, up to ``checking.MOST_DRAWN``, as a tokenizer reads them.

    Raises :class:`TaskError`, also for whatever a task or a tokenizer raises, :class:`UnknownName`, and InputError for
    arguments of other kinds.
    """
    return _asked(ref, lambda: open_task(ref).draw(tokenizer, count, seed, bos))


@checked
def draw_all(ref: TaskRef, tokenizer: Any, seed: int, bos: bool) -> PromptSet:
    """Every prompt of a task that can list them. Raises as :func:`draw` does."""

    def every() -> PromptSet:
        task = open_task(ref)
        if not isinstance(task, Listing):
            raise TaskError(f"the task {ref} cannot list its prompts", "write how many: `prompts 200`")
        return task.every(tokenizer, seed, bos)

    return _asked(ref, every)


@checked
def examine(ref: TaskRef, tokenizer: Any, bos: bool) -> Examination:
    """The lines of a task's file as a tokenizer reads them; none of a task that writes its own prompts.

    Raises as :func:`draw` does.
    """

    def examined(task: Task) -> Examination:
        return task.examine(tokenizer, bos) if isinstance(task, Examined) else Examination()

    return _asked(ref, lambda: examined(open_usable(ref)))


def _asked(ref: TaskRef, ask: Callable[[], FoundT]) -> FoundT:
    try:
        return ask()
    except InputError:
        raise
    except Exception as error:
        if interrupted(error):
            raise KeyboardInterrupt from error
        raise TaskError(
            f"prompts of the task {ref} could not be drawn: {type(error).__name__}: {error}",
            "the task or the model's tokenizer is at fault: try another model, or report it with both",
        ) from error

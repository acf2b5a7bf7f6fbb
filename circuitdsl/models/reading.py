"""What a model's tokenizer makes of files of prompts, for those who open no model and load no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from circuitdsl.errors import InputError
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.diagnostics import Diagnostic
from circuitdsl.language.environment import LineFault, TaskRef, UnknownName
from circuitdsl.language.source import Span
from circuitdsl.models.folders import find_folder
from circuitdsl.models.model import ModelError
from circuitdsl.models.planted.plans import PLANTED
from circuitdsl.models.tokenizer import light_tokenizer
from circuitdsl.tasks import Examination, examine, files_of


def local_tokenizer(name: str, revision: str | None = None) -> Any:
    """As :func:`light_tokenizer`, of models on this machine alone: nothing is fetched. Raises :class:`ModelError` for
    others, too."""
    if name not in PLANTED and find_folder(name, revision) is None:
        raise ModelError(
            f"the tokenizer of {name} is not on this machine",
            "`circuitdsl check` fetches it with the model; `--model` reads the lines as another model does",
        )
    return light_tokenizer(name, revision)


def read_prompts(
    circuits: Iterable[Circuit],
    model: str | None,
    tokenizer: Callable[[str], Any],
) -> tuple[Diagnostic, ...]:
    """What is wrong with the files of prompts of some circuits, for the tokenizers of their models or of ``model``.

    ``tokenizer`` gives the tokenizer of a model by its name. Every line that cannot be used is an error, or a
    warning where it is skipped; notes on the others are warnings.
    """
    asked = {
        (model or circuit.model, task, circuit.method.bos): circuit
        for circuit in circuits
        for task in circuit.tasks
        if files_of(task)
    }
    found = (
        _of_file(name, partial(tokenizer, name), task, bos, circuit) for (name, task, bos), circuit in asked.items()
    )
    return tuple(dict.fromkeys(diagnostic for each in found for diagnostic in each))


def _of_file(
    name: str, tokenizer: Callable[[], Any], task: TaskRef, bos: bool, circuit: Circuit
) -> Iterator[Diagnostic]:
    file = str(files_of(task)[0])
    try:
        found = examine(task, tokenizer(), bos)
    except InputError as error:
        message = f"{file} was not read as {name} would: {error.message}"
        yield Diagnostic("C496", message, Span(circuit.file, circuit.line, 1, circuit.line, 8), error.remedy)
    else:
        yield from _said(task, file, found)


def read_file(path: Path, tokenizer: Any) -> tuple[Diagnostic, ...]:
    """What is wrong with a file of prompts for a model's tokenizer."""
    task = TaskRef("file", (("", path.name),), str(path.parent))
    try:
        return tuple(_said(task, str(path), examine(task, tokenizer, bos=False)))
    except UnknownName as error:
        if not error.faults:
            return (Diagnostic("C202", error.message, Span.of_file(str(path)), error.remedy),)
        return tuple(_said(task, str(path), Examination(len(error.faults), error.faults)))


def _said(task: TaskRef, file: str, found: Examination) -> Iterator[Diagnostic]:
    """A diagnostic for each line that cannot be used, and each note."""
    for number, fault in enumerate(found.faults):
        yield _of_line(fault, found, _summary(task, found) if number == 0 else ())
    yield from (Diagnostic("C495", note, Span.of_file(file)) for note in found.notes)


def _of_line(fault: LineFault, found: Examination, notes: tuple[str, ...]) -> Diagnostic:
    code, left_out = ("C495", " (it is skipped)") if found.skipped else ("C231", "")
    span = Span(fault.file, fault.line, 1, fault.line, 1)
    return Diagnostic(code, f"line {fault.line}: {fault.message}{left_out}", span, fault.remedy, notes)


def _summary(task: TaskRef, found: Examination) -> tuple[str, ...]:
    """How many lines cannot be used, and how to go on with the others."""
    unusable = f"{len(found.faults):,} of {found.lines:,} lines cannot be used"
    rest = found.lines - len(found.faults)
    if found.skipped or not rest:
        return (unusable,)
    name = dict(task.arguments).get("")
    return (f'{unusable}; `task {task.name}("{name}", skip: yes)` goes on with the other {rest:,}',)

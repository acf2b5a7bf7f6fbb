"""Anybody's own prompts: ``task file("my.jsonl")``, one JSON object a line.

The file is read as data and nothing else, within limits, and every line that cannot be used is named. What only a
tokenizer can tell (an answer of two tokens, a counterfactual of another length) comes out when prompts are drawn, or
when all of them are looked at (:meth:`FileTask.examine`). With ``skip: yes`` such lines are left out.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from circuitdsl.errors import listed
from circuitdsl.language.environment import (
    AnswersInfo,
    LineFault,
    PositionInfo,
    TaskInfo,
    TaskRef,
    UnknownName,
    VariableInfo,
)
from circuitdsl.tasks.drawing import turns
from circuitdsl.tasks.file_lines import Line, read_lines
from circuitdsl.tasks.file_notes import note_of_bos, note_of_lengths, notes_of_texts, notes_of_tokens
from circuitdsl.tasks.layout import Layout, layouts_of
from circuitdsl.tasks.prompts import Prompt, PromptSet, TextPrompt
from circuitdsl.tasks.task import Examination, TaskError
from circuitdsl.tasks.tokenise import bos_tokens, require_fast, tokenise

MAX_BYTES = 64 * 1024 * 1024
MAX_LAYOUTS = 500  # prompts whose layout is looked at for an estimate
MAX_SHOWN = 10  # mistakes in one message

_SKIP = "skip"
_WRITE = 'write: file("my.jsonl"), or file("my.jsonl", skip: yes) to leave out lines that cannot be used'

_Read = tuple[int, TextPrompt, Prompt]
"""A line, and what a tokenizer makes of it."""


@dataclass(frozen=True)
class FileTask:
    """The prompts of a file, with the line that each came from.

    ``faults`` are the lines that hold none. They are left out, and where that is not wanted (``skip``) the opener
    refuses the file.
    """

    info: TaskInfo
    lines: tuple[Line, ...]
    path: str
    name: str
    skip: bool = False
    faults: tuple[LineFault, ...] = ()

    def draw(self, tokenizer: Any, count: int, seed: int, bos: bool) -> PromptSet:
        """See :class:`circuitdsl.tasks.Task`. The file's order is shuffled within each template.

        Raises :class:`TaskError` with all lines that cannot be used if one of those drawn is among them.
        """
        unread: tuple[LineFault, ...] = ()
        lines = self.lines
        if self.skip:
            usable, unread = self._examined(tokenizer, bos)
            lines = tuple((number, text) for number, text, _ in usable)
        by_template: dict[str, list[Line]] = {}
        for number, prompt in lines:
            by_template.setdefault(prompt.template, []).append((number, prompt))
        rng = random.Random(f"file {seed}")
        for group in by_template.values():
            rng.shuffle(group)
        made = self._read(islice(_in_turns(by_template, rng), count), tokenizer, bos)
        return PromptSet(
            tuple(prompt for _, _, prompt in made),
            (*self._used(len(made), unread), *self._notes(made, tokenizer, bos)),
            exhausted=len(made) == len(lines),
            shares={template: len(group) / len(lines) for template, group in by_template.items()},
        )

    def every(self, tokenizer: Any, seed: int, bos: bool) -> PromptSet:
        """See :class:`circuitdsl.tasks.Listing`. All lines."""
        return self.draw(tokenizer, len(self.lines), seed, bos)

    def layouts(self) -> tuple[Layout, ...]:
        """See :class:`circuitdsl.tasks.Task`. Those of the file's first lines."""
        return layouts_of(prompt for _, prompt in self.lines[:MAX_LAYOUTS])

    def examine(self, tokenizer: Any, bos: bool) -> Examination:
        """See :class:`circuitdsl.tasks.Examined`."""
        made, faults = self._looked_at(tokenizer, bos)
        notes = (*self._notes(made, tokenizer, bos), *note_of_lengths(self.name, made))
        return Examination(self._total, faults, notes, self.skip)

    @property
    def _total(self) -> int:
        """How many lines the file has, those that hold no prompt among them."""
        return len(self.lines) + len(self.faults)

    # --- lines as a tokenizer reads them -----------------------------------------------------------

    def _read(self, lines: Iterator[Line], tokenizer: Any, bos: bool) -> list[_Read]:
        """Some lines, all of which can be used. Raises TaskError, with all of the file that cannot."""
        try:
            return [(number, text, self._tokenised(number, text, tokenizer, bos)) for number, text in lines]
        except TaskError:
            _, faults = self._looked_at(tokenizer, bos)  # raises what is no line's doing
            self._refuse(faults)

    def _examined(self, tokenizer: Any, bos: bool) -> tuple[list[_Read], tuple[LineFault, ...]]:
        """The lines that can be used, and the others. Raises TaskError if there are none to be used."""
        made, faults = self._looked_at(tokenizer, bos)
        if not made:
            self._refuse(faults)
        return made, faults

    def _looked_at(self, tokenizer: Any, bos: bool) -> tuple[list[_Read], tuple[LineFault, ...]]:
        """Every line, as far as it can be used, and what is wrong with the others."""
        require_fast(tokenizer)
        bos_tokens(tokenizer, bos)  # what no line can help
        made: list[_Read] = []
        faults = list(self.faults)
        for number, text in self.lines:
            try:
                made.append((number, text, self._tokenised(number, text, tokenizer, bos)))
            except TaskError as error:
                message = error.message.removeprefix(self._where(number)).lstrip(":, ")
                faults.append(LineFault(self.path, number, message, error.remedy))
        return made, tuple(sorted(faults, key=lambda fault: fault.line))

    def _tokenised(self, number: int, text: TextPrompt, tokenizer: Any, bos: bool) -> Prompt:
        return tokenise(text, tokenizer, bos, self._where(number))

    def _where(self, number: int) -> str:
        return f"{self.name}, line {number}"

    # --- what is said of them ----------------------------------------------------------------------

    def _refuse(self, faults: Sequence[LineFault]) -> NoReturn:
        first, *others = faults
        lines = self._total
        message = f"{self._where(first.line)}: {first.message}"
        if others:
            also = listed((str(fault.line) for fault in others), MAX_SHOWN)
            message += f"; {len(faults)} of {lines} lines cannot be used, also {also}: `circuitdsl lint` says why"
        skipped = f'; `task file("{self.name}", skip: yes)` leaves such lines out' * (len(faults) < lines)
        raise TaskError(message, f"{first.remedy}{skipped}")

    def _used(self, used: int, unread: Sequence[LineFault]) -> Iterator[str]:
        """How many lines are used, if not all are, and why not."""
        lines = self._total
        if used < lines:
            why = listed((f"line {fault.line}: {fault.message}" for fault in unread), MAX_SHOWN)
            skipped = f"; {len(unread)} cannot be used and are skipped ({why})" if unread else ""
            yield f"{self.name}: {used:,} of {lines:,} lines are used{skipped}"

    def _notes(self, made: Sequence[_Read], tokenizer: Any, bos: bool) -> Iterator[str]:
        yield from notes_of_texts(self.name, self.lines)
        if bos:
            yield from note_of_bos(self.name, self.lines, tokenizer)
        yield from notes_of_tokens(self.name, made, tokenizer)


class _FileOpener:
    """Opens ``task file("my.jsonl")``; a relative name counts from the specification's folder."""

    def __call__(self, ref: TaskRef) -> FileTask:
        """The task that ``ref`` names.

        Raises :class:`UnknownName` for other arguments, a file that cannot be read, and lines that cannot be used
        unless they are to be skipped.
        """
        task = self.usable(ref)
        if task.faults and not task.skip:
            _refuse(task.name, task.faults, len(task.lines))
        return task

    def usable(self, ref: TaskRef) -> FileTask:
        """See :class:`circuitdsl.tasks.task.Tolerant`."""
        name, skip = _arguments(ref)
        path = str(_path(ref))
        read = read_lines(text_of(_path(ref), name), path)
        if not read.prompts and not read.faults:
            raise UnknownName(
                f"{name}: there are no prompts in it",
                remedy=f"`circuitdsl tasks new other.jsonl` writes a file to begin with; {name} needs a line a prompt",
            )
        if not read.prompts:
            _refuse(name, read.faults, 0)
        info = _info(ref, [prompt for _, prompt in read.prompts])
        return FileTask(info, read.prompts, path, name, skip, read.faults)

    def files(self, ref: TaskRef) -> tuple[Path, ...]:
        """See :class:`circuitdsl.tasks.ReadsFiles`."""
        return (_path(ref),)


open_file = _FileOpener()


def _refuse(name: str, faults: Sequence[LineFault], usable: int) -> NoReturn:
    first, *others = (f"{name}, line {fault.line}: {fault.message}" for fault in faults[:MAX_SHOWN])
    more = [f"and {len(faults) - MAX_SHOWN} more"] if len(faults) > MAX_SHOWN else []
    notes = (*others, *more)
    raise UnknownName(first, remedy=faults[0].remedy, notes=notes, faults=tuple(faults), usable=usable)


def _path(ref: TaskRef) -> Path:
    return Path(ref.folder) / _arguments(ref)[0]


def _arguments(ref: TaskRef) -> tuple[str, bool]:
    """The file's name, and whether lines that cannot be used are to be skipped."""
    names = [value for key, value in ref.arguments if key == ""]
    if len(names) != 1 or not isinstance(names[0], str) or any(key not in ("", _SKIP) for key, _ in ref.arguments):
        raise UnknownName(f"the task file takes one argument, a file's name, but got {ref}", remedy=_WRITE)
    skip = [value for key, value in ref.arguments if key == _SKIP]
    if len(skip) > 1 or any(value != "yes" for value in skip):
        raise UnknownName(f"`skip` of the task file is `yes`, or not there, but got {ref}", remedy=_WRITE)
    return names[0], skip == ["yes"]


def _in_turns(by_template: dict[str, list[Line]], rng: random.Random) -> Iterator[Line]:
    """All lines once, the templates taking turns as long as they last."""
    waiting = {template: iter(group) for template, group in by_template.items()}
    left = sum(len(group) for group in by_template.values())
    for template in turns(list(by_template), rng):
        if left == 0:
            return
        for line in islice(waiting[template], 1):
            left -= 1
            yield line


def text_of(path: Path, name: str) -> str:
    """The text of a user's file. Raises :class:`UnknownName` for one that is not there, too large or not UTF-8."""
    try:
        if not path.is_file():
            raise UnknownName(
                f"{name}: there is no such file ({path})",
                remedy="file names in a specification count from its folder, others from where the command is run",
            )
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UnknownName(
                f"{name}: {size / 2**20:.0f} MiB, more than the limit of {MAX_BYTES // 2**20}", remedy="split the file"
            )
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UnknownName(f"{name}, line {line}: not UTF-8", remedy="save the file as UTF-8 text") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise UnknownName(f"{name}: cannot be read: {error}", remedy="check its name and permissions") from error


def _info(ref: TaskRef, prompts: list[TextPrompt]) -> TaskInfo:
    most: dict[str, int] = {}
    for prompt in prompts:
        for name, places in (*prompt.spans.items(), *prompt.tokens.items()):
            most[name] = max(most.get(name, 0), len(places))
    counterfactuals = tuple(prompts[0].counterfactuals)
    lines = Counter(prompt.template for prompt in prompts)
    return TaskInfo(
        name=str(ref),
        about=f"{len(prompts)} prompts of your own",
        positions=(
            *(PositionInfo(name, "given by the file", many=count > 1) for name, count in most.items()),
            PositionInfo("END", "the last token, where the answer is predicted"),
        ),
        counterfactuals=tuple((name, "given by the file") for name in counterfactuals),
        default_counterfactual=counterfactuals[0] if counterfactuals else None,
        variables=tuple(
            VariableInfo(name, "given by the file", prediction.counterfactual, prediction.at)
            for name, prediction in prompts[0].predicted.items()
        ),
        templates=len(lines),
        lines=tuple(lines.values()),
        listed=len(prompts),
        wrong=bool(prompts[0].wrong),
        choice=any(set(prompt.options) - {prompt.answer, *prompt.right} for prompt in prompts),
        elsewhere=tuple(
            AnswersInfo(
                name,
                "given by the file",
                wrong=bool(answers.wrong),
                choice=any(set(here.options) - set(here.right) for here in (each.elsewhere[name] for each in prompts)),
            )
            for name, answers in prompts[0].elsewhere.items()
        ),
    )

"""Prompts for finding and prompts for judging: two streams of a task that writes its own, two halves of a file.

A task that writes its prompts draws those for finding with another seed. The lines of a file are divided: lines that
say the same, or that the file gives one item, stay together, and each template gives half of its items to either side.
"""

from __future__ import annotations

import random
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

from circuitdsl.errors import InputError
from circuitdsl.language.environment import TaskRef
from circuitdsl.report.output import write_file
from circuitdsl.tasks import files_of, open_task
from circuitdsl.tasks.file import FileTask
from circuitdsl.tasks.prompts import TextPrompt

OTHER = 2**30
"""What a seed differs by from that of the prompts for finding, in its 31st bit."""

FEWEST = 16
"""Lines that can be divided: eight independent prompts are the fewest that anything is decided by."""


@dataclass(frozen=True)
class Halves:
    """The task and the seed of either half, and in words how they were made."""

    finding: TaskRef
    judging: TaskRef
    finding_seed: int
    about: str


def halves_of(task: TaskRef, seed: int, output: Path | None) -> Halves:
    """The halves of a task's prompts; those of a file are written beside ``output``, the file of the specification.

    Raises InputError for a file without an ``output``, or with too few lines.
    """
    if not files_of(task):
        other = seed ^ OTHER
        return Halves(task, task, other, f"found on prompts of seed {other}, judged on those of seed {seed}")
    opened = open_task(task)
    if not isinstance(opened, FileTask):
        raise InputError(f"the prompts of {task} come from files that cannot be divided", "write them as one .jsonl")
    if output is None:
        raise InputError(
            "half of the prompts are for finding and half for judging: a file of prompts is divided into two, which "
            "stand beside the specification",
            "say where that goes: -o my.circuit",
        )
    (path,) = files_of(task)
    finding, judging = divided(opened.lines, seed)
    lines = path.read_bytes().decode("utf-8-sig").split("\n")
    names = [f"{output.stem}.{part}.jsonl" for part in ("finding", "judging")]
    if path.resolve() in {(output.parent / name).resolve() for name in names}:
        raise InputError(f"{path.name} would be written over by half of itself", "give the specification another name")
    for name, numbers in zip(names, (finding, judging), strict=True):
        text = "".join(f"{lines[number - 1].rstrip(chr(13))}\n" for number in numbers)
        write_file(output.parent / name, text)
    settings = tuple(argument for argument in task.arguments if argument[0])
    parts = [TaskRef("file", (("", name), *settings), str(output.parent)) for name in names]
    about = (
        f"found on {len(finding)} lines of {path.name} ({names[0]}), judged on the other {len(judging)} ({names[1]})"
    )
    return Halves(parts[0], parts[1], seed, about)


def divided(lines: tuple[tuple[int, TextPrompt], ...], seed: int) -> tuple[list[int], list[int]]:
    """The numbers of the lines of either half, in order. Raises InputError where there are too few."""
    items: dict[Hashable, list[tuple[int, TextPrompt]]] = {}
    for number, prompt in lines:
        items.setdefault(prompt.item or _said(prompt), []).append((number, prompt))
    if len(items) < FEWEST:
        raise InputError(
            f"{len(items)} different prompts are too few to find a circuit on one half and judge it on the other",
            f"give {FEWEST} lines or more that differ",
        )
    kinds: dict[tuple[str, ...], list[list[int]]] = {}
    for members in items.values():
        templates = tuple(sorted({prompt.template for _, prompt in members}))
        kinds.setdefault(templates, []).append([number for number, _ in members])
    rng = random.Random(f"halves {seed}")
    sides: tuple[list[int], list[int]] = ([], [])
    turn = 0
    for kind in sorted(kinds):
        rng.shuffle(kinds[kind])
        for numbers in kinds[kind]:
            sides[turn % 2].extend(numbers)
            turn += 1
    return sorted(sides[0]), sorted(sides[1])


def _said(prompt: TextPrompt) -> Hashable:
    """All that a prompt says, whatever its template is called."""
    return (prompt.text, prompt.answer, prompt.wrong, tuple(sorted(prompt.counterfactuals.items())))

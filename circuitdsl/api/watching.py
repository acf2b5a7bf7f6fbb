"""Checks that are made again whenever a file is saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from circuitdsl import tasks
from circuitdsl.api.arguments import checked
from circuitdsl.api.environments import environment
from circuitdsl.api.prompts import with_prompts
from circuitdsl.api.reading import Findings, after_warning, found_files, require_blocks
from circuitdsl.api.workbench import workbench
from circuitdsl.check.progress import Progress
from circuitdsl.check.watched import Watched
from circuitdsl.errors import InputError
from circuitdsl.language.circuit import Document
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.resolve import load_with_warnings
from circuitdsl.models import Opening
from circuitdsl.report.notebook import followed

if TYPE_CHECKING:
    from circuitdsl.engine.store import Store
    from circuitdsl.models import Dtype
    from circuitdsl.outcome import Report


@checked
def watch(
    *paths: str | Path,
    warned: Callable[[Findings], None] | None = None,
    model: str | Path | None = None,
    prompts: int | None = None,
    unexplained: bool = True,
    progress: Progress | None = None,
    store: Store | bool = True,
    engine: str = "fast",
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
    screen: str = "",
    memory: int = 0,
    examples: bool = False,
    executor: str | None = None,
) -> Iterator[Report | InputError]:
    """Check spec files, and again whenever one of them is saved, without end: a report each time.

    Watched are the files, those that they use, and files of prompts. Models stay open in between. ``warned`` is told of
    what is suspicious, each time. Other arguments as for :func:`check`. The first check raises as :func:`load` and
    :func:`check` do; after that wrong input is given as the error itself, and the watch goes on.
    """
    files, watched = found_files(paths), Watched()

    def read() -> Document:
        return with_prompts(_load_watched(watched, files, model, revision, warned), prompts)

    document = read()  # before anything loads torch, so that a wrong specification is told at once
    bench = workbench(model, store, engine, memory, Opening(device, revision, dtype), screen, executor)

    def judged(document: Document) -> Report:
        from circuitdsl.plan.plan import make_plan

        with followed(progress) as told:
            return bench.check(make_plan(document, unexplained, examples=examples), told)

    yield judged(document)
    while True:
        time.sleep(_PAUSE)
        if watched.changed():
            try:
                found = judged(read())
            except InputError as error:
                found = error
            yield found


_PAUSE = 0.1  # seconds between two looks at the files


def _load_watched(
    watched: Watched,
    paths: Sequence[str],
    model: str | Path | None,
    revision: str | None,
    warned: Callable[[Findings], None] | None,
) -> Document:
    """A document with something to check in it, all of whose files are watched."""
    watched.add(paths)
    try:
        loaded = load_with_warnings(paths, environment(model, revision))
    except SpecError as error:
        watched.add(error.sources)
        raise
    document = loaded.document
    circuits = (*document.circuits, *document.used)
    of_circuits = (task for circuit in circuits for task in circuit.tasks)
    watched.add([*loaded.sources, *(file for task in of_circuits for file in tasks.files_of(task))])
    require_blocks(after_warning(loaded, warned), paths)
    return document

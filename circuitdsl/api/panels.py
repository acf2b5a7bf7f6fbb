"""The same claims on many models, or on many revisions of one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from circuitdsl.api.arguments import checked
from circuitdsl.api.prompts import with_prompts
from circuitdsl.api.reading import Findings, load, require_blocks
from circuitdsl.api.workbench import workbench
from circuitdsl.check.progress import Progress
from circuitdsl.errors import InputError, require, shown
from circuitdsl.language.circuit import Document
from circuitdsl.language.diagnostics import Diagnostic
from circuitdsl.models import Opening
from circuitdsl.report.notebook import followed

if TYPE_CHECKING:
    from circuitdsl.engine.store import Store
    from circuitdsl.models import Dtype
    from circuitdsl.models.listing import ListedModel
    from circuitdsl.outcome import Panel, Report


@checked
def panel(
    document: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    models: str | Path | Iterable[str | Path | ListedModel],
    prompts: int | None = None,
    unexplained: bool = True,
    progress: Progress | None = None,
    store: Store | bool = True,
    engine: str = "fast",
    device: str | None = None,
    dtype: Dtype | None = None,
    screen: str = "",
    memory: int = 0,
    executor: str | None = None,
    warned: Callable[[Findings], None] | None = None,
) -> Panel:
    """Judge every claim of spec files on many models, one after the other: claims by models.

    ``models`` are names, folders and ``name@revision``, or the file that lists them, one a line
    (``models.listing``). One model is open at a time. Names of which nothing is known are refused before any model is
    opened; what cannot be opened or run is an error of its column, and the others are checked. A panel that was cut off
    goes on from what its ``store`` has. Other arguments as for :func:`check`. Raises InputError for a list of models
    that is wrong, for an argument that cannot be had, and where no model can be checked: SpecError where that is since
    the files are wrong.
    """
    from circuitdsl.check.panel import check_panel
    from circuitdsl.models.listing import read_listing, require_known, told_apart
    from circuitdsl.plan.plan import make_plan
    from circuitdsl.report.data.recorded import record

    if isinstance(models, str | Path):
        named = read_listing(models)
    else:
        named = told_apart(tuple(map(_listed, models)), "the models")
    require_known(named)
    files = _files(document)
    told_once = _once(warned)

    def read(model: ListedModel) -> Document:
        found = load(*files, model=model.name, revision=model.revision, warned=told_once)
        require_blocks(found, files)
        return with_prompts(found, prompts)

    def judged(model: ListedModel, told: Progress) -> Report:
        opening = Opening(device, model.revision, dtype)
        bench = workbench(model.name, store, engine, memory, opening, screen, executor)
        return bench.check(make_plan(read(model), unexplained), told)

    with followed(progress) as told:
        if executor is not None:
            from circuitdsl.check.node import How
            from circuitdsl.check.spread import check_on_nodes

            bench = workbench(None, store, engine, memory, Opening(device, None, dtype), screen, executor)
            how = How(unexplained, engine, device, dtype, screen, memory, bench.store, record, str(Path.cwd()))
            assert bench.executor is not None
            if (spread := check_on_nodes(bench.executor, named, read, how, told)) is not None:
                return spread
        return check_panel(named, judged, record, told)


def _files(document: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> tuple[str | os.PathLike[str], ...]:
    if isinstance(document, str | os.PathLike):
        return (document,)
    if not isinstance(document, Iterable) or isinstance(document, bytes | Mapping):
        raise InputError(f"a panel is of the names of files, not {shown(document)}", 'write "my.circuit"')
    return tuple(document)


def _listed(given: object) -> ListedModel:
    from circuitdsl.models.listing import ListedModel, listed

    if isinstance(given, ListedModel):
        return given
    require(given, (str, Path), "a panel is of names of models", 'write ["mini", "gpt2"]')
    return listed(str(given))


def _once(warned: Callable[[Findings], None] | None) -> Callable[[Findings], None]:
    """What is suspicious in files that are read again and again, told once."""
    told: set[tuple[Diagnostic, ...]] = set()

    def tell(findings: Findings) -> None:
        if warned is not None and findings.diagnostics not in told:
            told.add(findings.diagnostics)
            warned(findings)

    return tell

"""Specifications held against their models: what of them should change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from circuitdsl.api.arguments import checked
from circuitdsl.api.environments import environment
from circuitdsl.api.prompts import with_prompt_count
from circuitdsl.api.reading import Findings, after_warning, found_files
from circuitdsl.api.workbench import workbench
from circuitdsl.check.progress import Progress
from circuitdsl.errors import InputError
from circuitdsl.models import Opening
from circuitdsl.report.notebook import followed

if TYPE_CHECKING:
    from circuitdsl.engine.store import Store
    from circuitdsl.models import Dtype
    from circuitdsl.models.given import AnyModel
    from circuitdsl.outcome import RefinementReport


@checked
def refine(
    path: str | Path,
    circuit: str = "",
    *,
    model: AnyModel | None = None,
    prompts: int | None = None,
    fdr: str | None = None,
    unexplained: bool = True,
    progress: Progress | None = None,
    store: Store | bool = True,
    engine: str = "fast",
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
    memory: int = 0,
    executor: str | None = None,
    warned: Callable[[Findings], None] | None = None,
) -> RefinementReport:
    """A specification against its model: what of it does nothing, what it lacks, and its text with that changed.

    ``circuit`` is the name of one of the file where it has several. It is measured as its own method says, on one
    number of ``prompts`` of either half: by itself the first of the method's own. ``fdr`` ("5%") is the share of false
    ones among all of which the same was asked and that entered, on average. ``unexplained`` looks for heads that act
    and that no role lists. Nothing is written. Other arguments as for :func:`check`. Raises SpecError for a file that
    is wrong, InputError for what cannot be had.
    """
    from circuitdsl.draft.refine.asked import read_refinement
    from circuitdsl.draft.refine.refining import refine as refined

    known = environment(model, revision)
    with TemporaryDirectory() as folder:
        (found,) = found_files([path])
        asked = read_refinement(found, circuit, fdr, known, Path(folder))
        after_warning(asked.loaded, warned)
        asked = replace(asked, circuit=with_prompt_count(asked.circuit, prompts))
        if asked.circuit.method.prompts_all:
            raise InputError("a refinement is found on one sample of prompts and judged on another", "--prompts 200")
        bench = workbench(model, store, engine, memory, Opening(device, revision, dtype), "", executor)
        with followed(progress) as told:
            return refined(asked, bench, told, unexplained)

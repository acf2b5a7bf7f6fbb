"""The claims of a document: what they would take to check, and their verdicts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from circuitdsl.api.arguments import checked
from circuitdsl.api.prompts import with_prompts
from circuitdsl.api.reading import document_of
from circuitdsl.api.workbench import workbench
from circuitdsl.check.progress import Progress
from circuitdsl.language.circuit import Document
from circuitdsl.models import Opening
from circuitdsl.report.notebook import followed

if TYPE_CHECKING:
    from circuitdsl.engine.store import Store
    from circuitdsl.models import Dtype
    from circuitdsl.models.given import AnyModel
    from circuitdsl.outcome import Report
    from circuitdsl.plan.plan import Plan


@checked
def plan(
    document: Document | str | os.PathLike[str], unexplained: bool = True, memory: int = 0, examples: bool = False
) -> Plan:
    """The distinct experiments of a document or a file, their cost and the most memory that they take. Opens no model.

    ``unexplained`` counts the search for heads that matter and are not listed, ``examples`` single prompts that are
    shown. ``memory`` is as for :func:`check`. Raises InputError for what is no document.

    >>> found = plan("mini/ioi", unexplained=False)
    >>> found.prompts, found.asked > found.distinct
    (90, True)
    """
    from circuitdsl.plan.plan import make_plan

    return make_plan(document_of(document, "plan"), unexplained, int(memory), examples)


@checked
def check(
    document: Document | str | os.PathLike[str],
    model: AnyModel | None = None,
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
) -> Report:
    """Judge every claim of a document or a file on the models that it names, or all of them on ``model``.

    ``model`` is a name, a folder, a TransformerBridge, or a causal model of transformers, with its tokenizer as a pair;
    a file is read by its shape, whatever model the file names. ``prompts`` fixes the number of prompts, 2 or more, in
    place of each method's own. ``unexplained`` looks for heads that matter and are not listed. ``store`` is what keeps
    readings between calls: the user's own for True, none for False. ``engine`` is "fast", or "plain" for one hooked
    forward pass an experiment, or another of ``engine.base.engines()``. ``device``, ``revision`` and ``dtype`` say how
    models are opened, see ``models.Opening``. ``screen`` "bf16" looks for unlisted heads in bfloat16 first and measures
    in full all whose effect may reach the floor. ``memory`` is how many bytes stacked runs may take, 0 for a share of
    what is free. ``executor`` "ray" runs experiments on the Ray cluster of RAY_ADDRESS or a new one, and
    "ray://HOST:PORT" on one that is there; figures are the same (docs/scale.md). ``examples`` reads single prompts of
    each circuit, too: those that it serves worst, and where its heads look. ``progress`` is told of the work; in a
    notebook a bar shows it where none is given. Raises InputError for an argument, a model, a task, a device or a
    cluster that cannot be had; an experiment that cannot be run is a claim's verdict, not an exception.
    """
    from circuitdsl.plan.plan import make_plan

    measured = with_prompts(document_of(document, "check", model, revision), prompts)
    bench = workbench(model, store, engine, memory, Opening(device, revision, dtype), screen, executor)
    with followed(progress) as told:
        return bench.check(make_plan(measured, unexplained, examples=examples), told)

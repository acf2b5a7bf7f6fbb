"""What the package does: ``load``, ``plan``, ``check`` and ``compare``, and the ``environment`` that they use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from circuitdsl import tasks
from circuitdsl.compare import measures as compare_measures
from circuitdsl.compare.function import Align, function_jobs
from circuitdsl.compare.measures import KINDS, Kind
from circuitdsl.compare.structure import compare
from circuitdsl.compare.versions import changes
from circuitdsl.language.circuit import Circuit, Document
from circuitdsl.language.environment import Environment, MeasureInfo
from circuitdsl.language.resolve import load_files
from circuitdsl.measures.registry import MEASURES
from circuitdsl.models import Opening, geometry_of
from circuitdsl.plan.jobs import Job, claim_job, head_jobs, intervention_jobs, unlisted_jobs, variant_jobs
from circuitdsl.plan.plan import Plan, make_plan

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

    from circuitdsl.compare.reuse import Reuse
    from circuitdsl.engine.store import Store
    from circuitdsl.judge.outcome import Report
    from circuitdsl.models import Dtype

Progress = Callable[[int, int, str], None]
"""Told of work done, work expected (in prompts through the model) and what is being done."""

__all__ = ["changes", "check", "compare", "compare_function", "environment", "load", "measure_infos", "plan"]


def measure_infos() -> dict[str, MeasureInfo]:
    """Every measurement that a specification can name, by name."""
    return {name: measure.info for name, measure in MEASURES.items()} | dict(compare_measures.MEASURES)


def environment(model: str | None = None, revision: str | None = None) -> Environment:
    """The models, tasks and measurements that this installation knows.

    ``model`` stands in for whatever model a specification names; models are of ``revision``.
    """
    return Environment(
        geometry=lambda name: geometry_of(model or name, revision), task=tasks.describe, measures=measure_infos()
    )


def load(*paths: str | Path, model: str | None = None, revision: str | None = None) -> Document:
    """Read and resolve spec files, against ``model`` in place of the models that they name if it is given.

    The shape of a model of the hub is that of its ``revision``. Raises ``language.diagnostics.SpecError`` with all that
    is wrong in the files.
    """
    return load_files(paths, environment(model, revision))


def plan(document: Document, unexplained: bool = True) -> Plan:
    """The distinct experiments of a document and their cost. Runs nothing and opens no model."""
    return make_plan(list(jobs(document, unexplained)))


def check(
    document: Document,
    model: str | Path | TransformerBridge | None = None,
    prompts: int | None = None,
    unexplained: bool = True,
    progress: Progress | None = None,
    store: Store | None = None,
    engine: str = "fast",
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
    screen: str = "",
) -> Report:
    """Judge every claim of a document on the models that it names, or all of them on ``model``.

    ``prompts`` fixes the number of prompts in place of each method's own. ``unexplained`` looks for heads that matter
    and are not listed. ``store`` keeps readings between calls, as ``Store.in_folder(default_folder())`` does.
    ``engine`` is "fast", or "plain" for one hooked forward pass an experiment. ``device``, ``revision`` and ``dtype``
    say how models are opened, see ``models.Opening``. ``screen`` "bf16" looks for unlisted heads in bfloat16 first and
    measures in full all those that it does not find to be under the floor for certain. Raises ``errors.InputError`` for
    a model, task or device that cannot be had; an experiment that cannot be run is a claim's verdict, not an exception.
    """
    from circuitdsl.checking import Workbench, unwatched  # here, so that planning and linting never load torch

    if prompts is not None:
        document = with_prompts(document, prompts)
    bench = Workbench(model, store, engine, opening=Opening(device, revision, dtype), screen=screen)
    return bench.check(document, unexplained, progress or unwatched)


def compare_function(
    left: Circuit,
    right: Circuit,
    align: Align = (),
    model: str | Path | TransformerBridge | None = None,
    prompts: int | None = None,
    store: Store | None = None,
    kinds: Iterable[Kind] = KINDS,
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
    quoted: float | None = None,
) -> Reuse:
    """Compare two circuits in structure, in function and over all thresholds: ``compare`` and more, on the model.

    Measured are what each circuit, their shared and their single parts do on both tasks, whether they dissociate, and
    the overlap curves of these ``kinds``, which say where an overlap of ``quoted`` (a fraction; by itself the two
    circuits' own) would arise. Other arguments as for ``check``. Raises ``errors.InputError`` for circuits of two
    models, and for a model or task that cannot be had.
    """
    from circuitdsl.checking import Workbench

    if prompts is not None:
        left, right = with_prompt_count(left, prompts), with_prompt_count(right, prompts)
    opening = Opening(device, revision, dtype)
    return Workbench(model, store, opening=opening).compare(left, right, align, kinds, quoted)


def with_prompt_count(circuit: Circuit, prompts: int) -> Circuit:
    """The circuit measured on exactly this many prompts."""
    return replace(circuit, method=replace(circuit.method, prompts_first=prompts, prompts_most=prompts))


def with_prompts(document: Document, prompts: int) -> Document:
    """The document with every circuit measured on exactly this many prompts."""

    circuits, used = (
        tuple(with_prompt_count(circuit, prompts) for circuit in some) for some in (document.circuits, document.used)
    )
    return replace(document, circuits=circuits, used=used)


def jobs(document: Document, unexplained: bool) -> Iterator[Job]:
    """Every measurement that checking a document makes, in order."""
    for circuit in document.circuits:
        for claim in circuit.claims:
            yield claim_job(circuit.name, circuit, claim)
        for claim in circuit.claims:
            yield from variant_jobs(circuit.name, circuit, claim)
        yield from head_jobs(circuit.name, circuit).values()
        if unexplained:
            yield from unlisted_jobs(circuit.name, circuit).values()
    for comparison in document.comparisons:
        yield from function_jobs(document, comparison).values()
    for intervention in document.interventions:
        circuit = document.circuit(intervention.on)
        yield from intervention_jobs(intervention.name, intervention, circuit).values()

"""Any number of circuits on any number of tasks of one model: kept alone, and knocked out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from circuitdsl.check.bench import Bench
from circuitdsl.check.circuit import NOT_DONE, processing_of
from circuitdsl.check.function import of_part
from circuitdsl.check.progress import Progress
from circuitdsl.check.references import notes_on_task
from circuitdsl.check.work import Begun, Watch
from circuitdsl.check.workbench import Workbench
from circuitdsl.judge.estimates import NOTHING, Verdict
from circuitdsl.judge.verdicts import split_confidence
from circuitdsl.outcome import AtlasCell, AtlasFunction, Performance
from circuitdsl.plan.atlas import AtlasPlan
from circuitdsl.plan.plan import Plan


def measure_atlas(plan: AtlasPlan, models: Workbench, progress: Progress) -> AtlasFunction:
    """Measure every cell of an atlas. Raises InputError for a model or a task that cannot be had."""
    return models.carried_out(lambda: _measured(plan, models, progress))


def _measured(plan: AtlasPlan, models: Workbench, progress: Progress) -> AtlasFunction:
    begun, watch, whole = Begun.now(models), Watch(progress), Plan(others=tuple(plan.jobs()))
    models.begin(plan.circuits, watch.tick)
    models.bench(plan.circuits[0])  # which says what engine is at work
    watch.engine = models.engines
    watch.step(whole, "every circuit on every task")
    found = _function(plan, models)
    progress(watch.done, watch.done, watch.what)
    ran = begun.since(watch.done, whole.prompts, watch.planned, watch.plain)
    return replace(found, notes=(*found.notes, *models.notes), **vars(ran))


def _function(plan: AtlasPlan, models: Workbench) -> AtlasFunction:
    confidence = max(circuit.method.confidence for circuit in plan.circuits)
    each = split_confidence(confidence, max(1, sum(bool(cell.part.jobs) for cell in plan.cells)))
    performance, cells = list[Performance](), list[AtlasCell]()
    for task, circuit in enumerate(plan.circuits):
        bench = models.bench(circuit)
        found = bench.performance(plan.performance[task], circuit.method.measured)
        performance.append(found)
        cells += _on_task(plan, task, bench, each, "" if found.verdict is Verdict.HOLDS else NOT_DONE)
    first = models.bench(plan.circuits[0])
    engine = first.session.engine
    return AtlasFunction(
        performance=tuple(performance),
        cells=tuple(cells),
        confidence=confidence,
        each=each,
        model=engine.model.name,
        fingerprint=engine.model.fingerprint,
        processing=processing_of(engine.model, engine.dtype),
        notes=(
            *first.notes,
            *(note for each in plan.circuits for note in notes_on_task(models.bench(each).session, each)),
        ),
    )


def _on_task(plan: AtlasPlan, task: int, bench: Bench, confidence: float, withheld: str) -> Iterator[AtlasCell]:
    """All circuits on one task; no figures, and why, where a share of the task's metric means nothing."""
    cells = plan.on_task(task)
    if withheld:
        yield from (AtlasCell(cell.circuit, task, NOTHING, NOTHING, withheld) for cell in cells)
        return
    jobs = [job for cell in cells for job in cell.part.jobs]
    measured = bench.measure(jobs, plan.circuits[task].method.prompts_first)
    for cell in cells:
        kept, removed, why = of_part(cell.part, measured, bench, confidence)
        yield AtlasCell(cell.circuit, task, kept, removed, why if cell.part.jobs else "it lists nothing")

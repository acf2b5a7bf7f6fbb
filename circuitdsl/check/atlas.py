"""Any number of circuits on any number of tasks of one model: kept alone, and knocked out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from circuitdsl.check.bench import Bench
from circuitdsl.check.circuit import NOT_DONE, processing_of
from circuitdsl.check.progress import Progress
from circuitdsl.check.references import notes_on, sources_of
from circuitdsl.check.work import Begun
from circuitdsl.check.workbench import Workbench
from circuitdsl.judge.estimates import NOTHING, Verdict
from circuitdsl.judge.verdicts import split_confidence
from circuitdsl.measures.measurement import Failure, Measurement, data_of
from circuitdsl.outcome import AtlasCell, AtlasFunction, Performance
from circuitdsl.plan.atlas import AtlasPlan, CellPlan
from circuitdsl.plan.job import Started
from circuitdsl.plan.plan import Plan


def measure_atlas(plan: AtlasPlan, models: Workbench, progress: Progress) -> AtlasFunction:
    """Measure every cell of an atlas. Raises InputError for a model or a task that cannot be had."""
    return models.carried_out(lambda: _measured(plan, models, progress))


def _measured(plan: AtlasPlan, models: Workbench, progress: Progress) -> AtlasFunction:
    begun, whole, done = Begun.now(models), Plan(others=tuple(plan.jobs())), 0
    expected = round(whole.cost(models.engine).total * whole.prompts)

    def tick(prompts: int) -> None:
        nonlocal done
        done += prompts
        progress(done, max(done, expected), "every circuit on every task")

    models.begin(plan.circuits, tick)
    found = _function(plan, models)
    progress(done, done, "every circuit on every task")
    work = begun.work(done, whole.prompts, whole.cost(models.engines).total, whole.plain.total)
    return replace(found, notes=(*found.notes, *models.notes), **work)


def _function(plan: AtlasPlan, models: Workbench) -> AtlasFunction:
    confidence = max(circuit.method.confidence for circuit in plan.circuits)
    each = split_confidence(confidence, max(1, len(plan.cells)))
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
        notes=(*first.notes, *_on_references(plan, models)),
    )


def _on_task(plan: AtlasPlan, task: int, bench: Bench, confidence: float, withheld: str) -> Iterator[AtlasCell]:
    """All circuits on one task; no figures, and why, where a share of the task's metric means nothing."""
    planned = {cell.circuit: cell for cell in plan.on_task(task)}
    jobs = [job for cell in planned.values() for job in (cell.kept, cell.removed)]
    count = plan.circuits[task].method.prompts_first
    measured = {} if withheld else bench.measure(jobs, count)
    for place in range(len(plan.circuits)):
        if withheld or place not in planned:
            yield AtlasCell(place, task, NOTHING, NOTHING, withheld or "it lists nothing")
        else:
            yield _cell(planned[place], measured, bench, confidence)


def _cell(
    planned: CellPlan, measured: Mapping[Started, Measurement | Failure], bench: Bench, confidence: float
) -> AtlasCell:
    results = [measured[job] for job in (planned.kept, planned.removed)]
    kept, removed = (bench.estimate(result, confidence) for result in results)
    reasons = dict.fromkeys(result.message for result in results if isinstance(result, Failure))
    return AtlasCell(planned.circuit, planned.task, kept, removed, "; ".join(reasons))


def _on_references(plan: AtlasPlan, models: Workbench) -> Iterator[str]:
    for circuit in plan.circuits:
        session = models.bench(circuit).session
        data = data_of(circuit)
        for note in notes_on(session, data, next(sources_of(circuit.method))):
            yield f"on {circuit.name}'s task {note}"

"""Circuits as a whole, by their edges: what each keeps of the metric."""

from __future__ import annotations

from circuitdsl.check.circuit import NOT_DONE
from circuitdsl.check.progress import Progress
from circuitdsl.check.work import Watch
from circuitdsl.check.workbench import Workbench
from circuitdsl.errors import InputError
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.judge.verdicts import split_confidence
from circuitdsl.measures.measurement import Failure
from circuitdsl.plan.graphs import GraphsPlan
from circuitdsl.plan.plan import Plan


def measure_graphs(plan: GraphsPlan, models: Workbench, progress: Progress) -> tuple[Estimate, ...]:
    """The faithfulness of every circuit; all intervals hold together.

    Raises InputError for a model or a task that cannot be had, where the model does not surely do the task, and where
    a circuit cannot be run.
    """
    return models.carried_out(lambda: _measured(plan, models, progress))


def _measured(plan: GraphsPlan, models: Workbench, progress: Progress) -> tuple[Estimate, ...]:
    watch, first = Watch(progress), plan.circuits[0]
    models.begin(plan.circuits, watch.tick)
    bench = models.bench(first)  # which says what engine is at work
    watch.engine = models.engines
    watch.step(Plan(others=tuple(plan.jobs())), "every circuit as a whole")
    done = bench.performance(plan.performance, first.method.measured)
    if done.verdict is not Verdict.HOLDS:
        raise InputError(NOT_DONE, "measure on more prompts, or on a model that does the task")
    found = bench.measure(plan.whole, first.method.prompts_first)
    for result in found.values():
        if isinstance(result, Failure):
            raise InputError(result.message, "leave out the edges that cannot be run")
    each = split_confidence(first.method.confidence, len(plan.whole))
    progress(watch.done, watch.done, watch.what)
    return tuple(bench.estimate(found[job], each) for job in plan.whole)

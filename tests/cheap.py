"""Documents that cost less to check, where a test does not ask what their figures are; verdicts without a report."""

from __future__ import annotations

from dataclasses import replace

from circuitdsl.api import with_prompts
from circuitdsl.check.workbench import Workbench
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Circuit, Document
from circuitdsl.outcome import ClaimOutcome
from circuitdsl.plan.plan import make_plan


def with_reference(document: Document, count: int) -> Document:
    """The document with means, and outputs to resample, of so many prompts a group in every circuit."""

    def cheaper(circuit: Circuit) -> Circuit:
        return replace(circuit, method=replace(circuit.method, reference=count))

    circuits, used = (tuple(map(cheaper, some)) for some in (document.circuits, document.used))
    return replace(document, circuits=circuits, used=used)


def judged(document: Document, prompts: int | None = None) -> list[ClaimOutcome]:
    """What becomes of all claims on circuits and interventions, as a check judges them on a model that does the task.

    What else a report has takes as long again: what each listed head does, and an intervention's arms and later heads.
    Fails where a model does not do the task of a circuit that is judged, and where there are comparisons.
    """
    plan, bench = make_plan(with_prompts(document, prompts), unexplained=False), Workbench(store=None)
    assert not document.comparisons
    for each in plan.circuits:
        model, metric = bench.bench(each.circuit), each.circuit.method.measured
        done = [model.performance(job, metric).verdict for job in each.performance.values()]
        assert {*done} == {Verdict.HOLDS}, each.circuit.name
    blocks = [(each.circuit, each.claims) for each in plan.circuits]
    blocks += [(each.questions.circuit, each.claims) for each in plan.interventions]
    return [outcome for circuit, claims in blocks for outcome in bench.bench(circuit).judge(claims)]

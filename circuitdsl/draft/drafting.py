"""The pipeline of a draft: two halves, search, roles, consensus, claims, judgement, text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from circuitdsl.check.bench import Bench
from circuitdsl.check.circuit import NOT_DONE, processing_of
from circuitdsl.check.progress import Progress
from circuitdsl.check.search import search as look_for_others
from circuitdsl.check.work import Begun, Watch
from circuitdsl.check.workbench import Workbench
from circuitdsl.draft.asked import Asked
from circuitdsl.draft.counterfactuals import chosen
from circuitdsl.draft.judged import Confirmed, confirmed
from circuitdsl.draft.lines import Sketch, behaviour_lines, edge_lines, kept, lacking, whole_lines
from circuitdsl.draft.patching import Scope
from circuitdsl.draft.places import places_of
from circuitdsl.draft.search import Found, search
from circuitdsl.draft.stable import RESAMPLES, stable
from circuitdsl.draft.writing import Body, Heading, written
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.format import quoted
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.measurement import data_of
from circuitdsl.outcome import Performance
from circuitdsl.outcome.draft import DraftReport
from circuitdsl.plan.circuit import performance_job, plan_circuit
from circuitdsl.plan.job import Started


def draft(asked: Asked, models: Workbench, progress: Progress, unexplained: bool) -> DraftReport:
    """Make a draft. ``unexplained`` looks for heads that matter on the judging prompts and are not listed.

    Raises InputError for a model or prompts that cannot be had.
    """
    return models.carried_out(lambda: _drafted(asked, models, progress, unexplained))


def _drafted(asked: Asked, models: Workbench, progress: Progress, unexplained: bool) -> DraftReport:
    begun = Begun.now(models)
    watch = Watch(progress)
    models.begin([asked.finding], watch.tick)
    bench = models.bench(asked.finding)
    watch.engine = models.engines
    report = _report(asked, bench, watch, unexplained)
    progress(watch.done, watch.done, watch.what)
    ran = begun.since(watch.done, asked.finding.method.prompts_first, watch.planned, watch.plain)
    return replace(report, notes=(*report.notes, *models.notes), **vars(ran))


def _report(asked: Asked, bench: Bench, watch: Watch, unexplained: bool) -> DraftReport:
    circuit, session = asked.finding, bench.session
    method, model = circuit.method, session.engine.model
    prompts = session.prompts(data_of(circuit), method.prompts_first)
    performance = bench.performance(Started(performance_job(circuit)), method.measured)
    empty = DraftReport(
        circuit=circuit,
        text="",
        rule=str(asked.rule),
        mlps=asked.mlps,
        against=asked.against or chosen(method.against, prompts),
        halves=asked.halves.about,
        performance=performance,
        stages=(),
        roles=(),
        fed=(),
        refused=(),
        confirmed=0,
        prompts=(len(prompts), 0),
        model=model.name,
        processing=processing_of(model, session.engine.dtype),
        fingerprint=model.fingerprint,
        revision=model.revision,
        notes=(*bench.notes, *session.notes(data_of(circuit))),
    )
    if performance.verdict is not Verdict.HOLDS:
        return replace(empty, withheld=NOT_DONE)
    least = performance.metric.low or 0.0
    scope = Scope(circuit, asked.rule, asked.stages, asked.mlps, empty.against, least, places_of(prompts))
    found = search(scope, bench, watch)
    watch.what = "judging"
    found = replace(
        found, stages=tuple(stable(stage, asked.rule, method.floor, bench, method.seed) for stage in found.stages)
    )
    judged = _confirmed(asked, empty.against, found, performance, bench)
    if judged.performance.verdict is not Verdict.HOLDS:
        return replace(empty, performance=judged.performance, withheld=f"on the judging prompts {NOT_DONE}")
    others = None
    if unexplained:
        watch.what = "heads that are not listed"
        others = look_for_others(plan_circuit(judged.circuit, unexplained=True), bench).heads
    data = data_of(judged.circuit)
    return replace(
        empty,
        text=judged.text,
        stages=tuple(stage.outcome for stage in found.stages),
        roles=tuple(each.role for each in judged.sketch.roles),
        fed=judged.sketch.fed,
        refused=judged.refused,
        confirmed=len(judged.claims),
        prompts=(len(prompts), len(session.prompts(data, method.prompts_first))),
        kept=kept(judged.sketch, judged.circuit, bench),
        unexplained=others,
        unfinished=found.unfinished,
    )


def _confirmed(
    asked: Asked, against: tuple[str, ...], found: Found, performance: Performance, bench: Bench
) -> Confirmed:
    circuit = asked.finding

    def stated(sketch: Sketch) -> Body:
        alone = kept(sketch, circuit, bench)
        whole = whole_lines(alone, circuit, performance)
        roles = [(each.role, behaviour_lines(each, circuit, bench)) for each in sketch.roles]
        edges = edge_lines(sketch, circuit, bench)
        return Body(roles, edges, whole, lacks=lacking(alone))

    def text(body: Body) -> tuple[str, Circuit]:
        said = written(_heading(asked, against, found), body)
        (read,) = resolve_text(said, asked.path, asked.environment).circuits
        return said, read

    return confirmed(Sketch(found.roles, found.fed), stated, text, bench)


def _heading(asked: Asked, against: tuple[str, ...], found: Found) -> Heading:
    circuit, halves = asked.circuit, asked.halves
    task, called = str(circuit.task), circuit.task.name
    if called == "file":
        ((_, name),) = halves.judging.arguments
        task, called = f"file({quoted(str(name))})", Path(str(circuit.task.arguments[0][1])).name
    remarks = (
        "Drafted by circuitdsl: a proposal, found by path patching backwards from the logits.",
        f"{halves.about[0].upper()}{halves.about[1:]}.",
        f"Entry: {asked.rule}.",
        *(
            (f"Patched from {', '.join(against)}: an edge says `against` where it is not the first.",)
            if against[1:]
            else ()
        ),
        "Beside a line: effect [interval] and p on the finding prompts, corrected for all senders of the stage, or, of",
        "what is said to act together, for all layers that were patched as one; how often it is found again on",
        f"{RESAMPLES} resamples. Figures chosen as the largest of many are too large.",
        "Bounds leave three times the room of the finding interval. What did not hold on the judging prompts is not",
        "claimed, and is listed at the end.",
        *(() if asked.mlps else ("MLPs were not looked for; they are at work.",)),
        *((f"The search ended early: {found.unfinished}.",) if found.unfinished else ()),
    )
    about = f"A draft: {called} in {circuit.model}"
    return Heading(asked.name, about, circuit.model, task, asked.settings, remarks)

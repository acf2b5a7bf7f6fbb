"""The pipeline of a refinement: members, splits and edges one after the other, each on the text as it is by then."""

from __future__ import annotations

from dataclasses import replace

from circuitdsl.check.bench import Bench
from circuitdsl.check.circuit import NOT_DONE, processing_of
from circuitdsl.check.progress import Progress
from circuitdsl.check.references import size_of, sources_of
from circuitdsl.check.work import Begun, Watch
from circuitdsl.check.workbench import Workbench
from circuitdsl.draft.places import places_of
from circuitdsl.draft.refine.amendments import made
from circuitdsl.draft.refine.asked import Asked
from circuitdsl.draft.refine.claims import claim_changes
from circuitdsl.draft.refine.edges import edge_amendments
from circuitdsl.draft.refine.editing import Specification, resolved
from circuitdsl.draft.refine.inquiry import Inquiry
from circuitdsl.draft.refine.members import member_amendments
from circuitdsl.draft.refine.splits import split_amendments
from circuitdsl.draft.refine.superfluous import far_from_whole
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.format import format_source
from circuitdsl.measures.measurement import data_of
from circuitdsl.outcome import Performance
from circuitdsl.outcome.refinement import Proposal, RefinementReport
from circuitdsl.plan.circuit import performance_job
from circuitdsl.plan.job import Started

NO_COUNTERFACTUAL = "the task has no counterfactual: edges were not looked at, nor which role a node is like by them"


def refine(asked: Asked, models: Workbench, progress: Progress, unexplained: bool) -> RefinementReport:
    """Refine a circuit. ``unexplained`` looks for heads that act and that no role lists.

    Raises InputError for a model or prompts that cannot be had.
    """
    return models.carried_out(lambda: _refined(asked, models, progress, unexplained))


def _refined(asked: Asked, models: Workbench, progress: Progress, unexplained: bool) -> RefinementReport:
    begun = Begun.now(models)
    watch = Watch(progress)
    finding = asked.finding
    models.begin([finding], watch.tick)
    bench = models.bench(finding)
    watch.engine = models.engines
    report = _report(asked, Inquiry(bench, finding, asked.judging, asked.rule, watch), unexplained)
    progress(watch.done, watch.done, watch.what)
    ran = begun.since(watch.done, finding.method.prompts_first, watch.planned, watch.plain)
    return replace(report, notes=(*report.notes, *models.notes), **vars(ran))


def _report(asked: Asked, inquiry: Inquiry, unexplained: bool) -> RefinementReport:
    bench, finding = inquiry.bench, inquiry.finding
    model = bench.session.engine.model
    performances = [_performance(half, bench) for half in (finding, inquiry.judging)]
    data = [data_of(half) for half in (finding, inquiry.judging)]
    first, second = (len(bench.session.prompts(each, finding.method.prompts_first)) for each in data)
    empty = RefinementReport(
        circuit=replace(finding, task=asked.circuit.task),
        path=finding.file,
        before=asked.written,
        text=asked.written,
        rule=_rule(asked),
        halves=asked.halves.about,
        performance=performances[0],
        prompts=(first, second),
        model=model.name,
        processing=processing_of(model, bench.session.engine.dtype),
        fingerprint=model.fingerprint,
        revision=model.revision,
        notes=(*bench.notes, *bench.session.notes(data[0])),
    )
    for performance, half in zip(performances, ("", "on the judging prompts "), strict=True):
        if performance.verdict is not Verdict.HOLDS:
            return replace(empty, performance=performance, withheld=half + NOT_DONE)
    far = far_from_whole(inquiry)
    looks_outside = unexplained and not finding.of_edges  # a head in a role would make it a circuit of nodes
    changed, proposals = _changed(asked, inquiry, looks_outside, far)
    inquiry.watch.what = "what becomes of the claims"
    claims = ()
    if any(not each.withheld for each in proposals):
        after = inquiry.about(resolved(changed, asked.environment))
        claims = tuple(claim_changes(inquiry.judging, after.judging, bench))
    return replace(
        empty,
        text=asked.written if changed.text == asked.source.text else _as_written(asked.written, changed.text),
        surveys=tuple(inquiry.asked),
        proposals=proposals,
        claims=claims,
        reference=size_of(bench.session, data[0], next(sources_of(finding.method))),
        notes=(*empty.notes, *filter(None, (far, "" if finding.method.against else NO_COUNTERFACTUAL))),
    )


def _changed(asked: Asked, inquiry: Inquiry, unexplained: bool, far: str) -> tuple[Specification, tuple[Proposal, ...]]:
    """The text with all changes that can be made, and the proposals. Lines are those of the file as it is."""
    circuit, bench = inquiry.finding, inquiry.bench
    data = data_of(circuit)
    places = places_of(bench.session.prompts(data, circuit.method.prompts_first))
    text = Specification(asked.source, circuit.name, circuit.geometry)
    is_normal = format_source(text.text) == text.text
    edge_lines = [edge.span.line for edge in text.edges]
    role_lines = {role.name: role.line for role in circuit.roles}
    text, of_members = made(text, member_amendments(inquiry, places, unexplained, far), asked.environment)
    inquiry = inquiry.about(resolved(text, asked.environment))
    text, splits = made(text, split_amendments(inquiry, places, role_lines), asked.environment)
    inquiry = inquiry.about(resolved(text, asked.environment))
    amendments = edge_amendments(text, inquiry, asked.environment, edge_lines)
    text, of_edges = made(text, amendments, asked.environment)
    return text.formatted() if is_normal else text, (*of_members, *splits, *of_edges)


def _rule(asked: Asked) -> str:
    confidence = asked.circuit.method.confidence
    return (
        f"false discovery rate {100 * asked.rule.share:.4g}% of all of which the same was asked (Benjamini and "
        f"Hochberg), and on the judging prompts {100 * confidence:.4g}% of each by itself"
    )


def _performance(circuit: Circuit, bench: Bench) -> Performance:
    return bench.performance(Started(performance_job(circuit)), circuit.method.measured)


def _as_written(before: str, text: str) -> str:
    """A text with the line ends and the byte-order mark of the file."""
    start = "\ufeff" if before.startswith("\ufeff") else ""
    ends = "\r\n" if "\r\n" in before else "\n"
    return start + text.replace("\n", ends)

"""Carry out a sweep: whether the model does the task, then every sender's figure, all corrected for each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from circuitdsl.check.bench import Bench
from circuitdsl.check.circuit import NOT_DONE, processing_of
from circuitdsl.check.references import notes_on, size_of, sources_of
from circuitdsl.components import Node
from circuitdsl.judge.estimates import NOTHING, Estimate, Verdict
from circuitdsl.judge.verdicts import Judgement, holm, split_confidence
from circuitdsl.language.circuit import Bound, Method, Term
from circuitdsl.measures.estimands import is_share_of_metric
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import Failure, Measurement
from circuitdsl.measures.registry import measure_infos
from circuitdsl.outcome import Finding, SenderOutcome, SeriesOutcome, SweepReport
from circuitdsl.plan.sweep import SeriesPlan, SweepPlan

AT_ONCE = 64
"""Senders that are run at once. Their readings are in the store then: a sweep that is cut off goes on after them."""

Measured = Mapping[Node, Measurement | Failure]


def check_sweep(plan: SweepPlan, bench: Bench) -> SweepReport:
    """Measure every sender on the method's first prompts; shares of the metric only where the model does the task."""
    circuit, session = plan.circuit, bench.session
    method, model = circuit.method, session.engine.model
    performance = bench.performance(plan.performance, method.metric)
    done = performance.verdict is Verdict.HOLDS
    measured = [_measured(series, bench, method, done) for series in plan.series]
    each = split_confidence(method.confidence, max(1, plan.senders))
    data = Data(circuit.task, method.seed, method.bos)
    prompts = session.prompts(data, method.prompts_first)
    source = next(sources_of(method)) if any(_ablates(series.term) for series in plan.series) else None
    return SweepReport(
        circuit=circuit,
        performance=performance,
        series=outcomes_of(plan, measured, bench, each),
        prompts=len(prompts),
        confidence=method.confidence,
        each=each,
        model=model.name,
        processing=processing_of(model, session.engine.dtype),
        fingerprint=model.fingerprint,
        revision=model.revision,
        reference=size_of(session, data, source) if source else None,
        notes=(*bench.notes, *session.notes(data), *(notes_on(session, data, source) if source else ())),
        example=prompts[0].text if prompts else "",
    )


def _ablates(term: Term) -> bool:
    return term.measure == "knockout"


# --- measuring -------------------------------------------------------------------------------------


def _measured(series: SeriesPlan, bench: Bench, method: Method, done: bool) -> Measured | None:
    """Every sender's measurement; None where they turn out to be shares of the metric and the task is not ``done``."""
    found: dict[Node, Measurement | Failure] = {}
    for group in _groups(series):
        measured = bench.measure((series.senders[node] for node in group), method.prompts_first)
        found |= {node: measured[series.senders[node]] for node in group}
        if not done and any(map(_is_share, found.values())):
            return None
    return found


def _groups(series: SeriesPlan) -> Iterator[tuple[Node, ...]]:
    nodes = tuple(series.senders)
    for start in range(0, len(nodes), AT_ONCE):
        yield nodes[start : start + AT_ONCE]


def _is_share(measured: Measurement | Failure) -> bool:
    return isinstance(measured, Measurement) and is_share_of_metric(measured.estimand)


# --- what is found ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Weighed:
    """A sender's estimate, and its judgement if its figure is a share of the metric, for which there is a floor."""

    estimate: Estimate
    judgement: Judgement | None
    note: str


def outcomes_of(
    plan: SweepPlan, measured: list[Measured | None], bench: Bench, each: float
) -> tuple[SeriesOutcome, ...]:
    """Every term's senders, judged and corrected for all senders of the sweep; None in place of what is withheld.

    ``each`` is the confidence of one interval.
    """
    method = plan.circuit.method
    weighed = [{node: _weighed(one, bench, method, each) for node, one in (known or {}).items()} for known in measured]
    p_values = [one.judgement and one.judgement.p_value for known in weighed for one in known.values()]
    adjusted = iter(holm(p_values, plan.senders))
    return tuple(
        SeriesOutcome(
            series.term,
            measure_infos()[series.term.measure].unit,
            _ordered(_outcome(node, one, next(adjusted), method) for node, one in known.items()),
            series.left_out,
            NOT_DONE if found is None else "",
        )
        for series, found, known in zip(plan.series, measured, weighed, strict=True)
    )


def _weighed(measured: Measurement | Failure, bench: Bench, method: Method, each: float) -> _Weighed:
    if isinstance(measured, Failure):
        return _Weighed(NOTHING, None, measured.message)
    estimate = bench.estimate(measured, each)
    if not _is_share(measured):
        return _Weighed(estimate, None, measured.note)
    judgement = bench.judged(measured, Bound("outside", -method.floor, method.floor), method.confidence).judgement
    return _Weighed(estimate, judgement, "; ".join(filter(None, (judgement.note, measured.note))))


def _outcome(node: Node, one: _Weighed, p_holm: float | None, method: Method) -> SenderOutcome:
    p_value = one.judgement and one.judgement.p_value
    return SenderOutcome(node, one.estimate, _finding(one, p_holm, method), p_value, p_holm, one.note)


def _finding(one: _Weighed, p_holm: float | None, method: Method) -> Finding:
    low, high = one.estimate.low, one.estimate.high
    if one.estimate.value is None or low is None or high is None:
        return "not measured"
    if one.judgement is None:
        return "measured"
    if p_holm is not None and p_holm <= 1 - method.confidence:
        return "beyond"
    return "within" if -method.floor < low and high < method.floor else "open"


def _ordered(senders: Iterator[SenderOutcome]) -> tuple[SenderOutcome, ...]:
    """Strongest first; last what could not be measured."""
    return tuple(sorted(senders, key=lambda each: -abs(each.estimate.value) if each.estimate.value is not None else 1))

"""Carry out a sweep: whether the model does the task, then every sender's figure, all corrected for each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from circuitdsl.check.bench import Bench
from circuitdsl.check.circuit import NOT_DONE, processing_of
from circuitdsl.check.references import notes_on, size_of, sources_of
from circuitdsl.components import Node
from circuitdsl.judge.estimates import NOTHING, Estimate, Verdict
from circuitdsl.judge.race import early_looks, race, within
from circuitdsl.judge.verdicts import Judgement, holm, split_confidence
from circuitdsl.language.circuit import Bound, Method, Term
from circuitdsl.measures.estimands import is_share_of_metric
from circuitdsl.measures.measurement import Failure, Measurement, data_of
from circuitdsl.measures.registry import measure_infos
from circuitdsl.outcome import Finding, SenderOutcome, SeriesOutcome, SweepReport
from circuitdsl.plan.sweep import SeriesPlan, SweepPlan

AT_ONCE = 64
"""Senders that are run at once. Their readings are in the store then: a sweep that is cut off goes on after them."""

Measured = Mapping[Node, Measurement | Failure]


def check_sweep(plan: SweepPlan, bench: Bench) -> SweepReport:
    """Measure every sender on the method's first prompts, or on as many of them as tell that its figure is within the
    floor; shares of the metric only where the model does the task."""
    circuit, session = plan.circuit, bench.session
    method, model = circuit.method, session.engine.model
    performance = bench.performance(plan.performance, method.measured)
    done = performance.verdict is Verdict.HOLDS
    data = data_of(circuit)
    prompts = session.prompts(data, method.prompts_first)
    measured = [_measured(series, bench, method, len(prompts), done) for series in plan.series]
    each = split_confidence(method.confidence, max(1, plan.senders))
    source = next(sources_of(method)) if any(_ablates(series.term) for series in plan.series) else None
    return SweepReport(
        circuit=circuit,
        performance=performance,
        series=outcomes_of(plan, measured, bench, len(prompts), each),
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


def _measured(series: SeriesPlan, bench: Bench, method: Method, prompts: int, done: bool) -> Measured | None:
    """Every sender's measurement; None where they turn out to be shares of the metric and the task is not ``done``.

    Those whose figure is within the floor on fewer prompts are measured on no more (``judge.race``).
    """
    looks = _looks(series, prompts)
    found: dict[Node, Measurement | Failure] = {}

    def withheld() -> bool:
        return not done and any(map(_is_share, found.values()))

    def take(nodes: Sequence[Node], count: int) -> None:
        for group in _groups(nodes):
            measured = bench.measure((series.senders[node] for node in group), count)
            found.update({node: measured[series.senders[node]] for node in group})
            if withheld():
                return

    def settled(nodes: Sequence[Node], count: int) -> frozenset[Node]:
        take(nodes, count)
        return frozenset(n for n in nodes if withheld() or _is_within(found[n], bench, method, len(looks)))

    take(race(tuple(series.senders), prompts, looks, settled).rest, prompts)
    return None if withheld() else found


def _looks(series: SeriesPlan, prompts: int) -> tuple[int, ...]:
    """The looks at the senders of a term before all prompts; none if its figure has no floor."""
    return early_looks(prompts) if any(sender.job.raced for sender in series.senders.values()) else ()


def _groups(nodes: Sequence[Node]) -> Iterator[Sequence[Node]]:
    for start in range(0, len(nodes), AT_ONCE):
        yield nodes[start : start + AT_ONCE]


def _is_within(measured: Measurement | Failure, bench: Bench, method: Method, early: int) -> bool:
    """Whether a share of the metric is surely within the floor, by one of ``early`` looks or the last."""
    if not isinstance(measured, Measurement) or not _is_share(measured):
        return False
    return within(bench.weighed(measured), method.floor, early + 1)


def _is_share(measured: Measurement | Failure) -> bool:
    return isinstance(measured, Measurement) and is_share_of_metric(measured.estimand)


# --- what is found ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Weighed:
    """A sender's estimate, and its judgement if its figure is a share of the metric, for which there is a floor.

    ``prompts`` is how many of them it was measured on, ``within`` whether its figure is surely within the floor.
    """

    estimate: Estimate
    judgement: Judgement | None
    prompts: int
    within: bool
    note: str

    @property
    def p_value(self) -> float | None:
        return self.judgement and self.judgement.p_value


def outcomes_of(
    plan: SweepPlan, measured: list[Measured | None], bench: Bench, prompts: int, each: float
) -> tuple[SeriesOutcome, ...]:
    """Every term's senders, judged and corrected for all senders of the sweep; None in place of what is withheld.

    Those that were settled on fewer than all ``prompts`` count with a p-value of one. ``each`` is the confidence of one
    interval.
    """
    method = plan.circuit.method
    weighed = [
        {node: _weighed(one, bench, method, len(_looks(series, prompts)), each) for node, one in (known or {}).items()}
        for series, known in zip(plan.series, measured, strict=True)
    ]
    judged = [one for known in weighed for one in known.values()]
    p_values = [1.0 if one.p_value is not None and one.prompts < prompts else one.p_value for one in judged]
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


def _weighed(measured: Measurement | Failure, bench: Bench, method: Method, early: int, each: float) -> _Weighed:
    if isinstance(measured, Failure):
        return _Weighed(NOTHING, None, 0, False, measured.message)
    estimate = bench.estimate(measured, each)
    if not _is_share(measured):
        return _Weighed(estimate, None, measured.prompts, False, measured.note)
    judgement = bench.judged(measured, Bound("outside", -method.floor, method.floor), method.confidence).judgement
    note = "; ".join(filter(None, (judgement.note, measured.note)))
    return _Weighed(estimate, judgement, measured.prompts, _is_within(measured, bench, method, early), note)


def _outcome(node: Node, one: _Weighed, p_holm: float | None, method: Method) -> SenderOutcome:
    return SenderOutcome(node, one.estimate, _finding(one, p_holm, method), one.prompts, one.p_value, p_holm, one.note)


def _finding(one: _Weighed, p_holm: float | None, method: Method) -> Finding:
    low, high = one.estimate.low, one.estimate.high
    if one.estimate.value is None or low is None or high is None:
        return "not measured"
    if one.judgement is None:
        return "measured"
    if p_holm is not None and p_holm <= 1 - method.confidence:
        return "beyond"
    return "within" if one.within else "open"


def _ordered(senders: Iterator[SenderOutcome]) -> tuple[SenderOutcome, ...]:
    """Strongest first; last what could not be measured."""
    return tuple(sorted(senders, key=lambda each: -abs(each.estimate.value) if each.estimate.value is not None else 1))

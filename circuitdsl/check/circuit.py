"""Check a circuit: its claims, the same under varied methods, and its heads; ``search`` looks for others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from circuitdsl.check.bench import Bench, meaningful
from circuitdsl.check.declined import left_to_plain
from circuitdsl.check.examples import examples_of
from circuitdsl.check.references import notes_on, size_of, sources_of
from circuitdsl.check.search import search, search_note
from circuitdsl.engine.session import Session
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Bound, Claim, Method
from circuitdsl.measures.measurement import Failure, Measurement, data_of
from circuitdsl.models import KnownModel, Model
from circuitdsl.outcome import CircuitReport, ClaimOutcome, HeadOutcome, Performance, Variant
from circuitdsl.plan.circuit import CircuitPlan, answered_at, varied

NOT_DONE = "the model does not do this task on these prompts, so that a share of its metric means nothing"


def check_circuit(plan: CircuitPlan, bench: Bench) -> CircuitReport:
    """Judge every claim of a circuit, and measure its heads and those that it does not list."""
    circuit, session = plan.circuit, bench.session
    model = session.engine.model
    done = _performances(plan, bench)
    performance = done.get(circuit.method.at)
    reasons = {at: _not_done(at, each, circuit.method) for at, each in done.items()}
    kept = _too_little_kept(plan, bench)
    far = kept.get(circuit.method, "")
    of_claims = {claim: reasons.get(answered_at(claim, circuit.method), "") for claim in plan.claims}
    outcomes = excused({outcome.claim: outcome for outcome in bench.judge(plan.claims, of_claims)}, far)
    variants = _variants(plan, bench, reasons, kept)
    data = data_of(circuit)
    prompts = session.prompts(data, circuit.method.prompts_first)
    searched = plan.searched and not reasons.get(circuit.method.at) and not session.closed
    notes = (*bench.notes, *session.notes(data))  # before the search draws more prompts
    heads = _heads(plan, bench)
    examples = examples_of(plan.examples, heads, bench) if plan.examples else None
    found = search(plan, bench) if searched else None
    own, *others = sources_of(circuit.method)
    return CircuitReport(
        circuit=circuit,
        model=model.name,
        processing=processing_of(model, session.engine.dtype),
        prompts=max([len(prompts), *(outcome.prompts for outcome in outcomes.values())]),
        claims=tuple(replace(outcome, variants=variants[claim]) for claim, outcome in outcomes.items()),
        performance=performance,
        heads=heads,
        unexplained=found.heads if found else (),
        unexplained_note=search_note(circuit, found) if found else _not_looked_for(session),
        search=found and found.search,
        screening=found and found.screening,
        reference=size_of(session, data, own),
        notes=(
            *notes,
            *(_on_all_prompts(len(prompts), outcomes.values()) if data.listed else ()),
            *left_to_plain(plan.jobs(), session.engine.name),
            *notes_on(session, data, own, *others),
            *dict.fromkeys(each.note for each in outcomes.values() if far and each.note == far),
        ),
        example=prompts[0].text if prompts else "",
        examples=examples,
        fingerprint=model.fingerprint,
        identity=model.identity,
        revision=model.revision,
    )


def _performances(plan: CircuitPlan, bench: Bench) -> dict[str, Performance]:
    """How the model does the task, by the position after which the answer is read, as far as it was measured."""
    metric = plan.circuit.method.measured
    found = {at: bench.performance(job, metric) for at, job in plan.performance.items()}
    ended = bench.session.closed  # an error is then that it was not measured
    return {at: each for at, each in found.items() if not (ended and each.verdict is Verdict.ERROR)}


def _not_done(at: str, found: Performance, method: Method) -> str:
    """Why a share of the metric that is read there means nothing, "" where it means something."""
    if found.verdict is Verdict.HOLDS:
        return ""
    return NOT_DONE if at == method.at else f"after {at} {NOT_DONE}"


def _on_all_prompts(prompts: int, outcomes: Iterable[ClaimOutcome]) -> Iterator[str]:
    """What of a check on all prompts is exact, and what is drawn at random all the same."""
    tested = [outcome for outcome in outcomes if outcome.p_value is not None]
    said = f"all {prompts} prompts of the task were run, so that figures are exact and have no interval"
    if tested:
        lines = ", ".join(str(line) for line in dict.fromkeys(outcome.claim.line for outcome in tested))
        said += f"; what is drawn at random besides is tested, on line{'s' * (',' in lines)} {lines}"
    yield said


def _not_looked_for(session: Session) -> str:
    """Why nobody knows which other heads matter."""
    return "not looked for: the check was interrupted" if session.closed else "not looked for"


# --- other methods ----------------------------------------------------------------------------------


def _variants(
    plan: CircuitPlan, bench: Bench, reasons: Mapping[str, str], kept: Mapping[Method, str]
) -> dict[Claim, tuple[Variant, ...]]:
    """Each claim judged again, once, at the first number of prompts, under every setting to vary.

    ``reasons`` say why a share of the metric means nothing, by the position after which it is read; ``kept`` has the
    methods under which no listed head can be expected to add enough, and why.
    """
    first = plan.circuit.method.prompts_first
    jobs = {job: claim for claim, some in plan.variants.items() for job in some}
    bounds = {job: claim.under(job.job.method).bound for job, claim in jobs.items()}
    found: dict[Method, dict[Claim, Variant]] = {}
    for started, measured in bench.settled(bounds, first).items():
        claim, method = jobs[started], started.job.method
        bound = bounds[started]
        setting, value = started.job.key[-2:]
        reason = reasons.get(answered_at(claim, varied(plan.circuit.method, setting, value)), "")
        judged = meaningful(bench.judged(measured, bound, method.confidence), reason)
        judgement = judged.judgement
        variant = Variant(setting, value, judgement.estimate, judgement.verdict, judged.prompts, judgement.note)
        found.setdefault(method, {})[claim] = variant
    settled = [excused(variants, kept.get(method, "")) for method, variants in found.items()]
    return {claim: tuple(each[claim] for each in settled if claim in each) for claim in plan.variants}


# --- what listing a head claims ---------------------------------------------------------------------

FAR = 0.5
"""A circuit that keeps more of the metric than this is not far from whole, however many heads it lists."""

Judgeable = TypeVar("Judgeable", ClaimOutcome, Variant)


def _too_little_kept(plan: CircuitPlan, bench: Bench) -> dict[Method, str]:
    """The methods by which the circuit surely keeps so little that its heads cannot all add the floor, and why."""
    members = sum(claim.kind == "member" for claim in plan.circuit.claims)
    measured = bench.measure(plan.whole.values(), plan.circuit.method.prompts_first)
    reasons = {method: too_little_kept(measured[job], members, method, bench) for method, job in plan.whole.items()}
    return {method: reason for method, reason in reasons.items() if reason}


def too_little_kept(measured: Measurement | Failure, members: int, method: Method, bench: Bench) -> str:
    """Why the ``members`` of a circuit cannot all add the floor, where it surely keeps so little; "" where it does not.

    What a head adds is at most what the circuit keeps (``measures.ablation.what_it_keeps``, ``measured``), and where
    heads do not need each other, all that they add makes it up: below the floor times their number they add less on
    average.
    """
    enough = min(members * method.floor, FAR)
    judgement = bench.judged(measured, Bound("<", high=enough), method.confidence).judgement
    if judgement.verdict is not Verdict.HOLDS or judgement.estimate.value is None:
        return ""
    keeps = round(100 * judgement.estimate.value, 1) + 0.0  # no minus before a zero
    return (
        f"the circuit keeps {keeps:g}% of the metric, surely less than {100 * enough:g}%: so far from whole, "
        f"no listed head can be expected to add the floor ({100 * method.floor:g}%) inside it; list more "
        "heads, or claim `members knockout`"
    )


def excused(judged: Mapping[Claim, Judgeable], reason: str) -> dict[Claim, Judgeable]:
    """The verdicts under one method: where there is a ``reason`` why no listed head can add enough to the circuit, and
    none does, those that fail for it are undecided.

    Where one surely adds enough, it can be done, and the others fail as they would.
    """
    members = [each for claim, each in judged.items() if claim.kind == "member"]
    if not reason or any(each.verdict is Verdict.HOLDS for each in members):
        return dict(judged)

    def settled(claim: Claim, each: Judgeable) -> Judgeable:
        fails = claim.kind == "member" and each.verdict is Verdict.FAILS
        return replace(each, verdict=Verdict.UNDECIDED, note=reason) if fails else each

    return {claim: settled(claim, each) for claim, each in judged.items()}


# --- heads -----------------------------------------------------------------------------------------


def _heads(plan: CircuitPlan, bench: Bench) -> tuple[HeadOutcome, ...]:
    """What the model loses without each listed head, and what it adds to the circuit."""
    circuit, rows = plan.circuit, plan.heads
    method, floor = circuit.method, Bound(">=", low=circuit.method.floor)
    measured = bench.estimates(rows.values(), method)
    added = bench.settled(dict.fromkeys(plan.minimality.values(), floor), method.prompts_first, len(plan.claims))
    adds = {node: bench.estimate(added[job], method.confidence) for node, job in plan.minimality.items()}
    return tuple(
        HeadOutcome(str(node.component), str(node.position), circuit.roles_of(node), measured[job], adds.get(node))
        for node, job in rows.items()
    )


def processing_of(model: Model | KnownModel, dtype: str) -> str:
    """How weights were processed and in which precision they run, in words."""
    return model.weights + ("" if dtype == "float32" else f", in {dtype}")

"""Check a circuit: its claims, the same under varied methods, its heads, and heads that matter and are not listed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from circuitdsl.check.bench import Bench, meaningful
from circuitdsl.check.references import notes_on, size_of, sources_of
from circuitdsl.components import Head, Node
from circuitdsl.engine.session import Session
from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.screen import screen
from circuitdsl.judge.verdicts import holm, split_confidence
from circuitdsl.language.circuit import Bound, Circuit, Claim, Method
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import Failure, Measurement
from circuitdsl.outcome import CircuitReport, HeadOutcome, Screening, Variant
from circuitdsl.plan.circuit import CircuitPlan
from circuitdsl.plan.job import Started
from circuitdsl.plan.lockstep import measure

Rows = Mapping[Node, Started]

NOT_DONE = "the model does not do this task on these prompts, so that a share of its metric means nothing"


def check_circuit(plan: CircuitPlan, bench: Bench) -> CircuitReport:
    """Judge every claim of a circuit, and measure its heads and those that it does not list."""
    circuit, session = plan.circuit, bench.session
    model = session.engine.model
    performance = plan.performance and bench.performance(plan.performance, circuit.method.metric)
    reason = "" if performance is None or performance.verdict is Verdict.HOLDS else NOT_DONE
    outcomes = bench.judge(plan.claims, reason)
    variants = _variants(plan, bench, reason)
    data = Data(circuit.task, circuit.method.seed, circuit.method.bos)
    prompts = session.prompts(data, circuit.method.prompts_first)
    searched = plan.searched and not reason
    found, screening = _unexplained(plan, bench) if searched else ((), None)
    own, *varied = sources_of(circuit.method)
    return CircuitReport(
        circuit=circuit,
        model=model.name,
        processing=_processing(circuit.method, session.engine.dtype),
        prompts=max([len(prompts), *(outcome.prompts for outcome in outcomes)]),
        claims=tuple(replace(outcome, variants=variants.get(outcome.claim, ())) for outcome in outcomes),
        performance=performance,
        heads=_heads(circuit, plan.heads, bench),
        unexplained=found,
        unexplained_note=_unexplained_note(circuit, found, screening) if searched else "not looked for",
        screening=screening,
        reference=size_of(session, data, own),
        notes=(*bench.notes, *session.notes(data), *notes_on(session, data, own, *varied)),
        example=prompts[0].text if prompts else "",
        fingerprint=model.fingerprint,
        revision=model.revision,
    )


def _variants(plan: CircuitPlan, bench: Bench, reason: str) -> dict[Claim, tuple[Variant, ...]]:
    """Each claim judged again, once, at the first number of prompts, under every setting to vary."""
    method = plan.circuit.method
    claims = {job: claim for claim, jobs in plan.variants.items() for job in jobs}
    found: dict[Claim, list[Variant]] = {}
    for started, measured in bench.measure(claims, method.prompts_first).items():
        claim = claims[started]
        judgement = meaningful(bench.judged(measured, claim.bound, method.confidence), reason).judgement
        setting, varied = started.job.key[-2:]
        variant = Variant(setting, varied, judgement.estimate, judgement.verdict, judgement.note)
        found.setdefault(claim, []).append(variant)
    return {claim: tuple(variants) for claim, variants in found.items()}


# --- heads -----------------------------------------------------------------------------------------


def _heads(circuit: Circuit, rows: Rows, bench: Bench) -> tuple[HeadOutcome, ...]:
    measured = bench.estimates(rows.values(), circuit.method)
    return tuple(
        HeadOutcome(str(node.component), str(node.position), circuit.roles_of(node), measured[job])
        for node, job in rows.items()
    )


def _unexplained(plan: CircuitPlan, bench: Bench) -> tuple[tuple[HeadOutcome, ...], Screening | None]:
    """Heads outside the circuit whose knockout effect is surely beyond the floor, largest first.

    All heads that are searched are corrected for each other (Holm), so that one false head or more is listed at most as
    often as the method's confidence allows. Their intervals hold for all of them together (Bonferroni).
    """
    method, number = plan.circuit.method, max(1, len(plan.unlisted))
    floor = Bound("outside", -method.floor, method.floor)
    rows, screening = _screened(plan.unlisted, method, bench)
    measured = bench.measure(rows.values(), method.prompts_first)
    confidence = split_confidence(method.confidence, number)
    known = {node: m for node, job in rows.items() if isinstance(m := measured[job], Measurement)}
    p_values = [bench.judged(m, floor, method.confidence).judgement.p_value for m in known.values()]
    adjusted = holm(p_values, number)
    found = [
        HeadOutcome(str(node.component), str(node.position), (), bench.estimate(m, confidence))
        for (node, m), p in zip(known.items(), adjusted, strict=True)
        if p is not None and p <= 1 - method.confidence
    ]
    return tuple(sorted(found, key=lambda row: -abs(row.estimate.value or 0))), screening


def _screened(rows: Rows, method: Method, bench: Bench) -> tuple[Rows, Screening | None]:
    """The rows whose effect may reach the floor; those in which the screen says that it does not are sorted out."""
    coarse = bench.coarse
    if coarse is None:
        return rows, None

    def effects(session: Session, nodes: Sequence[Node]) -> dict[Node, float]:
        found = measure([rows[n] for n in nodes], lambda asked: session.run(asked, method.prompts_first))
        return {node: _value(found[rows[node]], bench) for node in nodes}

    left = screen(
        tuple(rows), method.floor, method.confidence, partial(effects, coarse), partial(effects, bench.session)
    )
    margin = left.margin if math.isfinite(left.margin) else None
    return {node: rows[node] for node in left.rest}, Screening(coarse.engine.dtype, left.sorted_out, margin)


def _value(measured: Measurement | Failure, bench: Bench) -> float:
    return math.nan if isinstance(measured, Failure) else bench.weighed(measured).value


_PROCESSING = {"none": "weights as they are", "fold": "norms folded, writing weights and unembedding centred"}


def _processing(method: Method, dtype: str) -> str:
    return _PROCESSING[method.processing] + ("" if dtype == "float32" else f", in {dtype}")


def _unexplained_note(circuit: Circuit, found: tuple[HeadOutcome, ...], screening: Screening | None) -> str:
    listed = {node.component for node in circuit.constituents if isinstance(node.component, Head)}
    looked_at = circuit.geometry.n_layers * circuit.geometry.n_heads - len(listed)
    note = (
        f"{len(found)} of the {looked_at} heads that the circuit does not list change {circuit.method.metric} by more "
        f"than {100 * circuit.method.floor:g}% when knocked out at all positions"
    )
    if found:
        note += "; chosen as the largest of many, these effects are too large on average"
    if screening is None:
        return note
    off = "" if screening.margin is None else f", which is off by {100 * screening.margin:.2g}% at most"
    return f"{note}; {screening.sorted_out} were sorted out in {screening.dtype}{off}, and all others measured in full"

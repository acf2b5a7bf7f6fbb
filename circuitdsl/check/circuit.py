"""Check a circuit: its claims, the same under varied methods, its heads, and heads that matter and are not listed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from circuitdsl.check.bench import Bench
from circuitdsl.components import Head, Node
from circuitdsl.engine.session import Session
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.judge.intervals import value
from circuitdsl.judge.screen import screen
from circuitdsl.judge.verdicts import decide
from circuitdsl.language.circuit import Bound, Circuit, Claim, Method
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import Failure, Measurement
from circuitdsl.outcome import CircuitReport, HeadOutcome, Screening, Variant
from circuitdsl.plan.circuit import CircuitPlan
from circuitdsl.plan.job import Started
from circuitdsl.plan.lockstep import measure

Rows = Mapping[Node, Started]


def check_circuit(plan: CircuitPlan, bench: Bench) -> CircuitReport:
    """Judge every claim of a circuit, and measure its heads and those that it does not list."""
    circuit, session = plan.circuit, bench.session
    model = session.engine.model
    outcomes = bench.judge(plan.claims)
    variants = _variants(plan, bench)
    data = Data(circuit.task, circuit.method.seed, circuit.method.bos)
    prompts = session.prompts(data, circuit.method.prompts_first)
    found, screening = _unexplained(plan, bench)
    return CircuitReport(
        circuit=circuit,
        model=model.name,
        processing=_processing(circuit.method, session.engine.dtype),
        prompts=max([len(prompts), *(outcome.prompts for outcome in outcomes)]),
        claims=tuple(replace(outcome, variants=variants.get(outcome.claim, ())) for outcome in outcomes),
        heads=_heads(circuit, plan.heads, bench),
        unexplained=found,
        unexplained_note=_unexplained_note(circuit, found, screening) if plan.searched else "not looked for",
        screening=screening,
        notes=(*bench.notes, *session.notes(data)),
        example=prompts[0].text if prompts else "",
        fingerprint=model.fingerprint,
        revision=model.revision,
    )


def _variants(plan: CircuitPlan, bench: Bench) -> dict[Claim, tuple[Variant, ...]]:
    """Each claim judged again, once, at the first number of prompts, under every setting to vary."""
    method = plan.circuit.method
    claims = {job: claim for claim, jobs in plan.variants.items() for job in jobs}
    found: dict[Claim, list[Variant]] = {}
    for started, measured in bench.measure(claims, method.prompts_first).items():
        claim = claims[started]
        judgement = bench.judged(measured, claim.bound, method.confidence).judgement
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
    """Heads outside the circuit whose knockout effect has all of its interval beyond the floor, largest first."""
    if not plan.searched:
        return (), None
    method = plan.circuit.method
    floor = Bound("outside", -method.floor, method.floor)

    def matters(estimate: Estimate) -> bool:
        if estimate.low is None or estimate.high is None:
            return False
        return decide(floor, estimate.low, estimate.high) is Verdict.HOLDS

    rows, screening = _screened(plan.unlisted, method, bench)
    found = [row for row in _heads(plan.circuit, rows, bench) if matters(row.estimate)]
    return tuple(sorted(found, key=lambda row: -abs(row.estimate.value or 0))), screening


def _screened(rows: Rows, method: Method, bench: Bench) -> tuple[Rows, Screening | None]:
    """The rows whose effect may reach the floor; those in which the screen says that it does not are sorted out."""
    coarse = bench.coarse
    if coarse is None:
        return rows, None

    def effects(session: Session, nodes: Sequence[Node]) -> dict[Node, float]:
        found = measure([rows[n] for n in nodes], lambda asked: session.run(asked, method.prompts_first))
        return {node: _value(found[rows[node]]) for node in nodes}

    left = screen(
        tuple(rows), method.floor, method.confidence, partial(effects, coarse), partial(effects, bench.session)
    )
    margin = left.margin if math.isfinite(left.margin) else None
    return {node: rows[node] for node in left.rest}, Screening(coarse.engine.dtype, left.sorted_out, margin)


def _value(measured: Measurement | Failure) -> float:
    return math.nan if isinstance(measured, Failure) else value(measured, measured.combine)


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
    if screening is None:
        return note
    off = "" if screening.margin is None else f", which is off by {100 * screening.margin:.2g}% at most"
    return f"{note}; {screening.sorted_out} were sorted out in {screening.dtype}{off}, and all others measured in full"

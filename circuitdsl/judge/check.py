"""Judge circuits and interventions on a model: measure, look at the interval, draw more prompts where it is open."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from circuitdsl.engine.session import Session
from circuitdsl.judge.arms import take_apart
from circuitdsl.judge.intervals import Bootstrap, interval, value
from circuitdsl.judge.outcome import (
    CircuitReport,
    ClaimOutcome,
    Figure,
    HeadOutcome,
    InterventionReport,
    Part,
    Screening,
    Variant,
    Verdict,
)
from circuitdsl.judge.screen import screen
from circuitdsl.judge.subjects import subject
from circuitdsl.judge.verdicts import Judgement, decide, holm, judge, looks, split_confidence
from circuitdsl.language.circuit import Bound, Circuit, Claim, Control, Intervention, Method, Node
from circuitdsl.language.environment import MeasureInfo
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import Measurement
from circuitdsl.plan.drive import Failure, measure
from circuitdsl.plan.jobs import Job, claim_job, head_jobs, intervention_jobs, unlisted_jobs, variant_jobs


@dataclass(frozen=True)
class Judged:
    """A job's judgement with the measurement and the number of prompts that it rests on."""

    judgement: Judgement
    prompts: int
    confidence: float
    measurement: Measurement | None = None


@dataclass(frozen=True)
class Judge:
    """Judges claims with one session; ``measures`` are the registry's descriptions by name.

    ``coarse``, if there is one, measures the same model in a lower precision, to screen the search for heads that are
    not listed. ``notes`` go into every circuit's report.
    """

    session: Session
    bootstrap: Bootstrap
    measures: Mapping[str, MeasureInfo]
    coarse: Session | None = None
    notes: tuple[str, ...] = ()

    # --- whole reports ---------------------------------------------------------------------------

    def circuit(self, circuit: Circuit, unexplained: bool = True) -> CircuitReport:
        """Check every claim of a circuit. ``unexplained`` looks for heads that matter and are not listed."""
        owner = circuit.name
        jobs = {claim: claim_job(owner, circuit, claim) for claim in circuit.claims}
        judged = self.claims({job: claim for claim, job in jobs.items()})
        variants = self._variants(circuit)
        outcomes = self.outcomes({claim: judged[job] for claim, job in jobs.items()})
        data = Data(circuit.task, circuit.method.seed, circuit.method.bos)
        prompts = self.session.prompts(data, circuit.method.prompts_first)
        found, screening = self._unexplained(circuit) if unexplained else ((), None)
        return CircuitReport(
            circuit=circuit,
            model=self.session.engine.model.name,
            processing=_processing(circuit.method, self.session.engine.dtype),
            prompts=max([len(prompts), *(outcome.prompts for outcome in outcomes)]),
            claims=tuple(replace(o, variants=variants.get(o.claim.id, ())) for o in outcomes),
            heads=self._heads(circuit, head_jobs(owner, circuit)),
            unexplained=found,
            unexplained_note=_unexplained_note(circuit, found, screening) if unexplained else "not looked for",
            screening=screening,
            notes=(*self.notes, *self.session.notes(data)),
            example=prompts[0].text if prompts else "",
        )

    def intervention(self, intervention: Intervention, circuit: Circuit) -> InterventionReport:
        """Check the claims of an intervention on a circuit's task, and take it apart."""
        jobs = intervention_jobs(intervention.name, intervention, circuit)
        judged = self.claims({job: claim for claim, job in jobs.items()})
        outcomes = self.outcomes({claim: judged[job] for claim, job in jobs.items()})
        taken = take_apart(intervention, circuit, self.session, self.bootstrap)
        return InterventionReport(
            intervention=intervention,
            model=self.session.engine.model.name,
            prompts=max((outcome.prompts for outcome in outcomes), default=0),
            claims=outcomes,
            accuracy=taken.accuracy,
            arms=taken.arms,
            p_value=taken.p_value,
            downstream=taken.downstream,
            direct=taken.direct,
            notes=taken.notes,
        )

    # --- claims ----------------------------------------------------------------------------------

    def claims(self, jobs: Mapping[Job, Claim]) -> dict[Job, Judged]:
        """Judge each job's claim, drawing more prompts for those that stay open, up to the method's most."""
        done: dict[Job, Judged] = {}
        for method, group in _by_method(jobs).items():
            done |= self._look(method, {job: jobs[job] for job in group})
        return done

    def _look(self, method: Method, jobs: Mapping[Job, Claim]) -> dict[Job, Judged]:
        counts = looks(method.prompts_first, method.prompts_most)
        confidence = split_confidence(method.confidence, len(counts))
        done: dict[Job, Judged] = {}
        for count in counts:
            still_open = [job for job in jobs if _is_open(done.get(job))]
            for job, measured in self._measure(still_open, count).items():
                done[job] = self._judged(measured, jobs[job].bound, confidence)
        return done

    def _measure(self, jobs: Iterable[Job], count: int) -> dict[Job, Measurement | Failure]:
        return measure(jobs, lambda experiments: self.session.run(experiments, count))

    def _judged(self, measured: Measurement | Failure, bound: Bound | Control, confidence: float) -> Judged:
        if isinstance(measured, Failure):
            nothing = Judgement(Figure(None, None, None), Verdict.ERROR, None, note=measured.message)
            return Judged(nothing, 0, confidence)
        judgement = judge(measured, bound, self.bootstrap, confidence)
        return Judged(judgement, measured.prompts, confidence, measured)

    def outcomes(self, judged: Mapping[Claim, Judged]) -> tuple[ClaimOutcome, ...]:
        """Claims with their judgements, p-values corrected over all of them."""
        adjusted = holm([each.judgement.p_value for each in judged.values()])
        return tuple(self._outcome(claim, each, p) for (claim, each), p in zip(judged.items(), adjusted, strict=True))

    def _outcome(self, claim: Claim, judged: Judged, p_holm: float | None) -> ClaimOutcome:
        judgement, measurement = judged.judgement, judged.measurement
        notes = [judgement.note, measurement.note if measurement else ""]
        return ClaimOutcome(
            claim=claim,
            unit=self.measures[claim.term.measure].unit,
            figure=judgement.figure,
            verdict=judgement.verdict,
            confidence=judged.confidence,
            prompts=judged.prompts,
            note="; ".join(note for note in notes if note),
            subject=subject(claim.term),
            parts=self._parts(measurement, judged.confidence),
            control=judgement.control,
            p_value=judgement.p_value,
            p_holm=p_holm,
        )

    def _parts(self, measurement: Measurement | None, confidence: float) -> tuple[Part, ...]:
        if measurement is None:
            return ()
        return tuple(Part(label, interval(part, self.bootstrap, confidence)) for label, part in measurement.parts)

    # --- the same claims under other methods -----------------------------------------------------

    def _variants(self, circuit: Circuit) -> dict[str, tuple[Variant, ...]]:
        """Each claim judged again, once, at the first number of prompts, under every setting to vary."""
        jobs = {job: claim for claim in circuit.claims for job in variant_jobs(circuit.name, circuit, claim)}
        found: dict[str, list[Variant]] = {}
        for job, measured in self._measure(jobs, circuit.method.prompts_first).items():
            judged = self._judged(measured, jobs[job].bound, circuit.method.confidence)
            setting, value = job.key[-2:]
            found.setdefault(jobs[job].id, []).append(
                Variant(setting, value, judged.judgement.figure, judged.judgement.verdict, judged.judgement.note)
            )
        return {claim: tuple(variants) for claim, variants in found.items()}

    # --- heads -----------------------------------------------------------------------------------

    def _heads(self, circuit: Circuit, jobs: Mapping[Node, Job]) -> tuple[HeadOutcome, ...]:
        measured = self._measure(jobs.values(), circuit.method.prompts_first)

        def figure(result: Measurement | Failure) -> Figure:
            if isinstance(result, Failure):
                return Figure(None, None, None)
            return interval(result, self.bootstrap, circuit.method.confidence)

        return tuple(
            HeadOutcome(str(node.component), str(node.position), circuit.roles_of(node), figure(measured[job]))
            for node, job in jobs.items()
        )

    def _unexplained(self, circuit: Circuit) -> tuple[tuple[HeadOutcome, ...], Screening | None]:
        """Heads outside the circuit whose knockout effect is above the floor for certain, largest first."""
        floor = Bound("outside", -circuit.method.floor, circuit.method.floor)

        def matters(figure: Figure) -> bool:
            if figure.low is None or figure.high is None:
                return False
            return decide(floor, figure.low, figure.high) is Verdict.HOLDS

        jobs, screening = self._screened(unlisted_jobs(circuit.name, circuit), circuit.method)
        rows = [row for row in self._heads(circuit, jobs) if matters(row.figure)]
        return tuple(sorted(rows, key=lambda row: -abs(row.figure.value or 0))), screening

    def _screened(self, jobs: Mapping[Node, Job], method: Method) -> tuple[Mapping[Node, Job], Screening | None]:
        """The jobs whose effect may reach the floor, once those in which it does not for certain are sorted out."""
        coarse = self.coarse
        if coarse is None:
            return jobs, None

        def effects(session: Session, nodes: Sequence[Node]) -> dict[Node, float]:
            found = measure([jobs[n] for n in nodes], lambda asked: session.run(asked, method.prompts_first))
            return {node: _value(found[jobs[node]]) for node in nodes}

        left = screen(
            tuple(jobs), method.floor, method.confidence, partial(effects, coarse), partial(effects, self.session)
        )
        margin = left.margin if math.isfinite(left.margin) else None
        return {node: jobs[node] for node in left.rest}, Screening(coarse.engine.dtype, left.sorted_out, margin)


def _value(measured: Measurement | Failure) -> float:
    return math.nan if isinstance(measured, Failure) else value(measured, measured.combine)


_PROCESSING = {"none": "weights as they are", "fold": "norms folded, writing weights and unembedding centred"}


def _processing(method: Method, dtype: str) -> str:
    return _PROCESSING[method.processing] + ("" if dtype == "float32" else f", in {dtype}")


def _unexplained_note(circuit: Circuit, found: tuple[HeadOutcome, ...], screening: Screening | None) -> str:
    looked_at = circuit.geometry.n_layers * circuit.geometry.n_heads - len(circuit.heads)
    note = (
        f"{len(found)} of the {looked_at} heads that the circuit does not list change {circuit.method.metric} by more "
        f"than {100 * circuit.method.floor:g}% when knocked out at all positions"
    )
    if screening is None:
        return note
    off = "" if screening.margin is None else f", which is off by {100 * screening.margin:.2g}% at most"
    return f"{note}; {screening.sorted_out} were sorted out in {screening.dtype}{off}, and all others measured in full"


def _is_open(judged: Judged | None) -> bool:
    return judged is None or judged.judgement.verdict is Verdict.UNDECIDED


def _by_method(jobs: Iterable[Job]) -> dict[Method, list[Job]]:
    groups: dict[Method, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.method, []).append(job)
    return groups

"""One open model at work: its session, and what turns the readings of jobs into judged claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from circuitdsl.engine.session import Session
from circuitdsl.judge.estimates import NOTHING, Estimate, Verdict
from circuitdsl.judge.intervals import Bootstrap, interval
from circuitdsl.judge.verdicts import Judgement, holm, judge, prompt_counts, split_confidence
from circuitdsl.language.circuit import Bound, Claim, Control, Method
from circuitdsl.measures.measurement import Failure, Measurement
from circuitdsl.measures.registry import measure_infos
from circuitdsl.outcome import ClaimOutcome, Part
from circuitdsl.plan.job import Started
from circuitdsl.plan.lockstep import measure


@dataclass(frozen=True)
class Judged:
    """A job's judgement with the measurement and the number of prompts that it rests on."""

    judgement: Judgement
    prompts: int
    confidence: float
    measurement: Measurement | None = None


@dataclass(frozen=True)
class Bench:
    """Measures and judges with one session.

    ``coarse``, if there is one, measures the same model in a lower precision, to screen the search for heads that are
    not listed. ``notes`` go into every circuit's report.
    """

    session: Session
    bootstrap: Bootstrap
    coarse: Session | None = None
    notes: tuple[str, ...] = ()

    # --- measuring -------------------------------------------------------------------------------

    def measure(self, jobs: Iterable[Started], count: int) -> dict[Started, Measurement | Failure]:
        """Carry out jobs on the first ``count`` prompts."""
        return measure(jobs, lambda experiments: self.session.run(experiments, count))

    def estimates(self, jobs: Iterable[Started], method: Method) -> dict[Started, Estimate]:
        """The intervals of jobs on the method's first prompts; NOTHING of those that cannot be measured."""
        measured = self.measure(jobs, method.prompts_first)
        return {
            job: NOTHING if isinstance(result, Failure) else interval(result, self.bootstrap, method.confidence)
            for job, result in measured.items()
        }

    # --- judging ---------------------------------------------------------------------------------

    def judge(self, claims: Mapping[Claim, Started]) -> tuple[ClaimOutcome, ...]:
        """Judge claims, drawing more prompts for those that stay open; p-values are corrected over all of them."""
        judged = self._judge(claims)
        adjusted = holm([each.judgement.p_value for each in judged.values()])
        return tuple(self._outcome(claim, each, p) for (claim, each), p in zip(judged.items(), adjusted, strict=True))

    def judged(self, measured: Measurement | Failure, bound: Bound | Control, confidence: float) -> Judged:
        """The judgement of one measurement."""
        if isinstance(measured, Failure):
            nothing = Judgement(NOTHING, Verdict.ERROR, None, note=measured.message)
            return Judged(nothing, 0, confidence)
        judgement = judge(measured, bound, self.bootstrap, confidence)
        return Judged(judgement, measured.prompts, confidence, measured)

    def _judge(self, claims: Mapping[Claim, Started]) -> dict[Claim, Judged]:
        """Each claim's judgement, up to the most prompts that its method allows."""
        done: dict[Claim, Judged] = {}
        for method, group in _by_method(claims).items():
            done |= self._judge_alike(method, group)
        return {claim: done[claim] for claim in claims}

    def _judge_alike(self, method: Method, claims: Mapping[Claim, Started]) -> dict[Claim, Judged]:
        counts = prompt_counts(method.prompts_first, method.prompts_most)
        confidence = split_confidence(method.confidence, len(counts))
        done: dict[Claim, Judged] = {}
        for count in counts:
            still_open = {job: claim for claim, job in claims.items() if _is_open(done.get(claim))}
            for job, measured in self.measure(still_open, count).items():
                claim = still_open[job]
                done[claim] = self.judged(measured, claim.bound, confidence)
        return done

    def _outcome(self, claim: Claim, judged: Judged, p_holm: float | None) -> ClaimOutcome:
        judgement, measurement = judged.judgement, judged.measurement
        notes = [judgement.note, measurement.note if measurement else ""]
        return ClaimOutcome(
            claim=claim,
            unit=measure_infos()[claim.term.measure].unit,
            estimate=judgement.estimate,
            verdict=judgement.verdict,
            confidence=judged.confidence,
            prompts=judged.prompts,
            note="; ".join(note for note in notes if note),
            parts=self._parts(measurement, judged.confidence),
            control=judgement.control,
            p_value=judgement.p_value,
            p_holm=p_holm,
        )

    def _parts(self, measurement: Measurement | None, confidence: float) -> tuple[Part, ...]:
        if measurement is None:
            return ()
        return tuple(Part(label, interval(part, self.bootstrap, confidence)) for label, part in measurement.parts)


def _is_open(judged: Judged | None) -> bool:
    return judged is None or judged.judgement.verdict is Verdict.UNDECIDED


def _by_method(claims: Mapping[Claim, Started]) -> dict[Method, dict[Claim, Started]]:
    groups: dict[Method, dict[Claim, Started]] = {}
    for claim, started in claims.items():
        groups.setdefault(started.job.method, {})[claim] = started
    return groups

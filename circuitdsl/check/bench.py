"""One open model at work: its session, and what turns the readings of jobs into judged claims."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from circuitdsl.engine.session import Session
from circuitdsl.judge.bootstrap import Bootstrap
from circuitdsl.judge.estimates import NOTHING, Estimate, Verdict
from circuitdsl.judge.looks import ONCE, Looks
from circuitdsl.judge.paired import singles
from circuitdsl.judge.singles import Singles
from circuitdsl.judge.units import Origin, Units, units_of
from circuitdsl.judge.verdicts import Judgement, estimated, holm, judge, left_open, none_as_good, p_value
from circuitdsl.judge.weigh import Weighed, looks_at
from circuitdsl.language.circuit import Bound, Claim, Control, Method, Term
from circuitdsl.measures.estimands import Led, is_share_of_metric
from circuitdsl.measures.experiments import Data, Drawn, Experiment, Resample
from circuitdsl.measures.few import EARLY
from circuitdsl.measures.measurement import Array, Failure, Measurement, RandomSets, Sample
from circuitdsl.measures.registry import measure_infos
from circuitdsl.outcome import ClaimOutcome, Part, Performance
from circuitdsl.plan.job import Started
from circuitdsl.plan.lockstep import measure
from circuitdsl.tasks.prompts import Prompt, digest


@dataclass(frozen=True)
class Judged:
    """A job's judgement with the measurement and the number of prompts that it rests on, one of its ``looks``."""

    judgement: Judgement
    prompts: int
    confidence: float
    measurement: Measurement | None = None
    looks: Looks = ONCE


@dataclass(frozen=True)
class Bench:
    """Measures and judges with one session.

    ``coarse``, if there is one, measures the same model in a lower precision, to screen the search for heads that are
    not listed. ``notes`` go into every circuit's report. ``start`` is the prompt of every stream with which its
    measurements begin. ``known`` are the units of prompts that were asked for before, ``digests`` their digests.
    """

    session: Session
    seed: int = 0
    coarse: Session | None = None
    notes: tuple[str, ...] = ()
    start: int = 0
    known: dict[tuple[Data, Drawn | None, int, int], Units] = field(default_factory=dict, compare=False, repr=False)
    digests: dict[tuple[Data, int, int], tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def bootstrap(self) -> Bootstrap:
        return Bootstrap(self.units, self.seed)

    def units(self, sample: Sample) -> Units:
        """The units of a sample's prompts, and how much each counts."""
        count = len(sample.columns)
        key = sample.data, sample.source, self.start, count
        if key not in self.known:
            self.known[key] = self._units(sample, count)
        return self.known[key]

    def _units(self, sample: Sample, count: int) -> Units:
        stop = self.start + count
        prompts = self.session.prompts(sample.data, stop)[self.start :]
        groups = self.session.groups(sample.data, sample.source, stop)[self.start :]
        origins = [
            Origin(prompt.template, _item(prompt), group, bool(prompt.item))
            for prompt, group in zip(prompts, groups, strict=True)
        ]
        return units_of(origins, self.session.shares(sample.data))

    def _singles(self, judged: Judged) -> Singles | None:
        """A claim's figure prompt by prompt; None where it is none of prompts."""
        if judged.measurement is None:
            return None
        sample = judged.measurement.samples[0]
        key = sample.data, self.start, len(sample.columns)
        if key not in self.digests:
            prompts = self.session.prompts(sample.data, self.start + len(sample.columns))[self.start :]
            self.digests[key] = tuple(map(digest, prompts))
        return singles(self.weighed(judged.measurement, judged.looks), self.digests[key])

    def weighed(self, measurement: Measurement, looks: Looks = ONCE) -> Weighed:
        """A measurement with the units of its samples."""
        return Weighed.of(measurement, self.units, all(map(self._is_whole, measurement.samples)), looks)

    def _is_whole(self, sample: Sample) -> bool:
        """Whether a sample is every prompt of its task, and what it replaces is not drawn from others at random."""
        if not sample.data.listed or isinstance(sample.source, Resample):
            return False
        return len(sample.columns) == len(self.session.all_of(sample.data))

    # --- measuring -------------------------------------------------------------------------------

    def measure(self, jobs: Iterable[Started], count: int) -> dict[Started, Measurement | Failure]:
        """Carry out jobs on the first ``count`` prompts, from the bench's own first prompt on."""
        return measure(jobs, partial(self._run, count=count), lambda few: self._run(few, min(few.prompts, count)))

    def _run(self, experiments: Iterable[Experiment], count: int) -> Mapping[Experiment, Array | Failure]:
        known = self.session.run(experiments, self.start + count)
        return {e: found if isinstance(found, Failure) else found[self.start :] for e, found in known.items()}

    def settled(
        self,
        jobs: Mapping[Started, Bound | Control],
        count: int,
        tests: int = 1,
        seen: Mapping[Started, int] | None = None,
    ) -> dict[Started, Measurement | Failure]:
        """As ``measure``, but of many figures only one is measured on all of these prompts where that decides, or only
        those are that few prompts leave open.

        Of the largest of several it is the one that is largest on few prompts, and decides where it is surely beyond
        the bound, as the largest is then, whatever the others are: so surely that Holm's correction for so many
        ``tests`` leaves it there. So the bound's verdict is that of all figures on all prompts. ``seen`` are the
        numbers of prompts on which all of them are known already.

        Of the largest of several that has to be within a bound, each has to be: those that few prompts surely show to
        be stop there, but for the largest.

        Of a claim that compares with random sets it is its own, and decides where none of them does as well on few
        prompts. Where one does, they are looked at a second time, on all, which their p-value counts.
        """
        few = self._on_few(jobs, seen)
        leaders = {job: job.led(known, self._open(known, jobs[job], job, tests)) for job, known in few.items()}
        found = self.measure((*leaders.values(), *(job for job in jobs if job not in leaders)), count)
        led = {
            job: found[leader] for job, leader in leaders.items() if self._settles(found[leader], jobs[job], job, tests)
        }
        rest = self.measure((job for job in leaders if job not in led), count)
        rest = {job: looked_at_again(measured, found[leaders[job]]) for job, measured in rest.items()}
        return {job: led.get(job) or rest.get(job) or found[job] for job in jobs}

    def leaders(self, jobs: Iterable[Started]) -> dict[Started, Started]:
        """For each job with many figures: the job of one of them alone, chosen on few prompts."""
        return {job: job.led(known) for job, known in self._on_few(jobs).items()}

    def _on_few(self, jobs: Iterable[Started], seen: Mapping[Started, int] | None = None) -> dict[Started, Measurement]:
        """Each job with many figures on few prompts, or on as many as were ``seen``, if all of its figures were."""
        several = {job: job.job.few if job.job.stops else (seen or {}).get(job, job.job.few) for job in jobs if job.one}
        found: dict[Started, Measurement] = {}
        for count in sorted(set(several.values())):
            few = {job: job.on_few for job, at in several.items() if at == count}
            measured = self.measure(few.values(), count)
            found |= {job: known for job, each in few.items() if isinstance(known := measured[each], Measurement)}
        return found

    def _open(self, few: Measurement, bound: Bound | Control, job: Started, tests: int) -> frozenset[int]:
        """The places of figures that few prompts do not surely show to be within a bound from above, after Holm's
        correction for so many ``tests``; none of what does not stop one by one."""
        if not job.job.stops or isinstance(bound, Control) or not bound.from_above:
            return frozenset()
        method = job.job.method
        return left_open(self.weighed(few), bound, EARLY * (1 - method.confidence) / tests)

    def _settles(self, measured: Measurement | Failure, bound: Bound | Control, job: Started, tests: int) -> bool:
        """Whether nothing that the other figures are on all prompts can change the verdict."""
        if isinstance(measured, Failure) or not goes_on(measured):
            return False  # where a file has no more prompts, all is known of all of them
        if isinstance(bound, Control):
            assert isinstance(measured.control, RandomSets)
            return none_as_good(self.weighed(measured), measured.control, bound)
        if job.job.stops:
            return bound.from_above
        return bound.from_below and self._beyond(measured, bound, job, tests)

    def _beyond(self, measured: Measurement, bound: Bound, job: Started, tests: int) -> bool:
        """Whether the leader surely is at least what a bound asks for, and few prompts tell how large others may be."""
        method = job.job.method
        looks = looks_at(measured, self.units, method.prompts_first, method.prompts_most)
        weighed = self.weighed(measured, looks).claimed
        p, evidence = p_value(weighed, bound), weighed.evidence()
        if p is None or evidence is None or p > (1 - method.confidence) / tests:
            return False
        return math.isfinite(evidence.high((1 - method.confidence) / 2))

    def estimates(self, jobs: Iterable[Started], method: Method) -> dict[Started, Estimate]:
        """The intervals of jobs on the method's first prompts; NOTHING of those that cannot be measured."""
        measured = self.measure(jobs, method.prompts_first)
        return {job: self.estimate(result, method.confidence) for job, result in measured.items()}

    def estimate(self, measured: Measurement | Failure, confidence: float, looks: Looks = ONCE) -> Estimate:
        """A measurement's value with its interval; NOTHING of what could not be measured."""
        return NOTHING if isinstance(measured, Failure) else estimated(self.weighed(measured, looks), confidence)

    # --- judging ---------------------------------------------------------------------------------

    def judge(
        self, claims: Mapping[Claim, Started], reasons: Mapping[Claim, str] | None = None
    ) -> tuple[ClaimOutcome, ...]:
        """Judge claims, drawing more prompts for those that stay open; p-values are corrected over all of them.

        ``reasons`` say of claims why the model does not do their task, "" where it does: a share of the metric is
        undecided for it, on however many prompts.
        """
        judged = self._judge(claims, reasons or {})
        adjusted = holm([_tested(each.judgement) for each in judged.values()])
        return tuple(self._outcome(claim, each, p) for (claim, each), p in zip(judged.items(), adjusted, strict=True))

    def judged(
        self, measured: Measurement | Failure, bound: Bound | Control, confidence: float, looks: Looks = ONCE
    ) -> Judged:
        """The judgement of one measurement at one of its looks, at one confidence over all of them."""
        if isinstance(measured, Failure):
            nothing = Judgement(NOTHING, Verdict.ERROR, None, note=measured.message)
            return Judged(nothing, 0, confidence)
        weighed = self.weighed(measured, looks).claimed
        judgement = judge(weighed, bound, confidence)
        sure = 1.0 if judgement.exact else confidence
        return Judged(judgement, measured.prompts, sure, measured, weighed.looks)

    def performance(self, job: Started, metric: Term) -> Performance:
        """Whether the model does a task, on more prompts while that is open."""
        claim = Claim("", 0, "the model does the task", "expect", metric, Bound(">", low=0.0))
        judged = self._judge({claim: job}, {})[claim]
        parts = [part.estimate for part in self._parts(judged)]
        of_metric, accuracy, above = parts or (NOTHING, NOTHING, NOTHING)
        judgement = judged.judgement
        return Performance(
            of_metric, accuracy, above, judgement.verdict, judged.confidence, judged.prompts, judgement.note
        )

    def _judge(self, claims: Mapping[Claim, Started], reasons: Mapping[Claim, str]) -> dict[Claim, Judged]:
        """Each claim's judgement, up to the most prompts that its method allows."""
        done: dict[Claim, Judged] = {}
        for method, group in _by_method(claims).items():
            done |= self._judge_alike(method, group, reasons, len(claims))
        return {claim: done[claim] for claim in claims}

    def _judge_alike(
        self, method: Method, claims: Mapping[Claim, Started], reasons: Mapping[Claim, str], tests: int
    ) -> dict[Claim, Judged]:
        """Each claim is looked at by itself: one that is decided is measured on no more prompts."""
        done: dict[Claim, Judged] = {}
        due = dict.fromkeys(claims, method.prompts_first)
        while due:
            count = min(due.values())
            now = {claims[claim]: claim for claim, at in due.items() if at == count}
            bounds = {job: claim.bound for job, claim in now.items()}
            seen = {job: done[claim].prompts for job, claim in now.items() if claim in done}
            for job, measured in self.settled(bounds, count, tests, seen).items():
                claim = now[job]
                del due[claim]
                if claim in done and isinstance(measured, Failure) and measured.kind == "ended":
                    continue  # the earlier look stands
                if isinstance(measured, Failure):
                    done[claim] = self.judged(measured, claim.bound, method.confidence)
                    continue
                looks = looks_at(measured, self.units, method.prompts_first, method.prompts_most)
                found = self.judged(measured, claim.bound, method.confidence, looks)
                done[claim] = meaningful(found, reasons.get(claim, ""))
                later = found.looks.after(count)
                if later and done[claim] is found and _is_open(claim, found):
                    due[claim] = later
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
            parts=self._parts(judged),
            control=judgement.control,
            control_prompts=judgement.control_prompts,
            p_value=_tested(judgement),
            p_holm=p_holm,
            exact=judgement.exact,
            singles=self._singles(judged),
        )

    def _parts(self, judged: Judged) -> tuple[Part, ...]:
        if judged.measurement is None:
            return ()
        return tuple(
            Part(label, self.estimate(part, *_judged_as(part, judged)), part.prompts)
            for label, part in judged.measurement.parts
        )


def goes_on(one: Measurement) -> bool:
    """Whether one of many figures was measured on more prompts than all of them."""
    own, *few = one.samples
    return all(len(own.columns) > len(each.columns) for each in few)


def looked_at_again(measured: Measurement | Failure, one: Measurement | Failure) -> Measurement | Failure:
    """A measurement of all of many figures on all prompts, after a look at few that did not settle it (``one``): of
    random sets it is the second."""
    if isinstance(measured, Failure) or isinstance(one, Failure) or not isinstance(measured.control, RandomSets):
        return measured
    return replace(measured, control=replace(measured.control, looks=2)) if goes_on(one) else measured


def meaningful(judged: Judged, reason: str) -> Judged:
    """A judgement, undecided for a ``reason``, if there is one, why shares of the metric mean nothing."""
    measurement = judged.measurement
    if not reason or measurement is None or not is_share_of_metric(measurement.estimand):
        return judged
    nothing = replace(judged.judgement, verdict=Verdict.UNDECIDED, p_value=None, note=reason, exact=False)
    return replace(judged, judgement=nothing)


def _judged_as(part: Measurement, judged: Judged) -> tuple[float, Looks]:
    """The confidence of a part of a claim's figure, and the looks at it: where each may stop early, those that did have
    one look, and either their share of the error."""
    whole = judged.measurement
    if whole is None or not isinstance(whole.estimand, Led):
        return judged.confidence, judged.looks
    error, early = 1 - judged.confidence, whole.estimand.early
    stopped = part.prompts < whole.prompts
    return (1 - error * early, ONCE) if stopped else (1 - error * (1 - early), judged.looks)


def _tested(judgement: Judgement) -> float | None:
    """The p-value of a verdict that rests on a test."""
    return None if judgement.exact else judgement.p_value


def _item(prompt: Prompt) -> Hashable:
    """What prompts share that are not independent of each other: the item that a file names, or all that they say."""
    return prompt.item or (prompt.tokens, prompt.answer, prompt.wrong, tuple(sorted(prompt.counterfactuals.items())))


def _is_open(claim: Claim, judged: Judged) -> bool:
    """Whether more prompts may decide a claim. Against random sets they do not: the number of sets limits that test."""
    measurement = judged.measurement
    of_sets = measurement is not None and isinstance(measurement.control, RandomSets)
    return judged.judgement.verdict is Verdict.UNDECIDED and not of_sets


def _by_method(claims: Mapping[Claim, Started]) -> dict[Method, dict[Claim, Started]]:
    groups: dict[Method, dict[Claim, Started]] = {}
    for claim, started in claims.items():
        groups.setdefault(started.job.method, {})[claim] = started
    return groups

"""The one module that calls the judge: a measurement with the prompts that it rests on, judged at once or in looks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.truth.sampling import Drawn
from circuitdsl.judge import verdicts
from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.looks import ONCE, Looks
from circuitdsl.judge.units import Origin, Units, units_of
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.circuit import Bound, Control
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import Measurement, Sample

CONFIDENCE = 0.95
SIDE = (1 - CONFIDENCE) / 2
"""How often a verdict may be wrong on either side, with the bound at the truth."""


@dataclass(frozen=True)
class Judged:
    """What the judge said. An end of the interval that it could not give is infinite."""

    low: float
    high: float
    verdict: Verdict
    p_value: float | None


@dataclass(frozen=True)
class Judge:
    """Judges what was measured on some drawn prompts."""

    drawn: Drawn
    known: dict[tuple[Data, bool, int], Units] = field(default_factory=dict[tuple[Data, bool, int], Units], repr=False)
    """The units of prompts that were asked for before: of the first of those that were drawn."""

    def judge(
        self, measured: Measurement, bounds: Sequence[Bound | Control], looks: Looks = ONCE
    ) -> tuple[Judged, ...]:
        """At one of these looks, once for each bound."""
        return tuple(map(_judged, verdicts.judge_all(self.weighed(measured, looks), bounds, CONFIDENCE)))

    def value(self, measured: Measurement) -> float:
        """The figure itself: of a dependence, which is no function of means, as the evidence has it."""
        evidence = self.weighed(measured).evidence()
        return math.nan if evidence is None else evidence.value

    def weighed(self, measured: Measurement, looks: Looks = ONCE) -> Weighed:
        return Weighed.of(measured, self.units, looks=looks).claimed

    def left_open(self, measured: Measurement, bound: Bound, share: float) -> frozenset[int]:
        """The places of figures that do not stop: so much of the error is theirs (``Bench.settled``)."""
        return verdicts.left_open(Weighed.of(measured, self.units), bound, share * (1 - CONFIDENCE))

    def units(self, sample: Sample) -> Units:
        key = sample.data, sample.source is not None, len(sample.columns)
        if key not in self.known:
            records = self.drawn.first(key[2]).records(sample.data)
            self.known[key] = units_of([Origin(r.template, r.item, r.group if key[1] else "") for r in records], {})
        assert len(self.known[key].unit) == len(sample.columns)
        return self.known[key]


def _judged(found: verdicts.Judgement) -> Judged:
    low, high = found.estimate.low, found.estimate.high
    ends = (-math.inf if low is None else low, math.inf if high is None else high)
    return Judged(*ends, found.verdict, found.p_value)


@dataclass(frozen=True)
class Look:
    """What was measured on some prompts, whose number is one of those at which it may be judged."""

    judge: Judge
    measured: Measurement
    looks: Looks = ONCE

    def verdicts(self, bounds: Sequence[Bound]) -> tuple[Verdict, ...]:
        return verdicts.verdicts_on(self.judge.weighed(self.measured, self.looks), bounds, CONFIDENCE)

    def judged(self, bounds: Sequence[Bound]) -> tuple[Judged, ...]:
        return self.judge.judge(self.measured, bounds, self.looks)


def in_looks(looks: Sequence[Look], bounds: Sequence[Bound]) -> tuple[Judged, ...]:
    """For each bound the judgement of the first look that decides, or of the last (``Bench.judge``)."""
    found: dict[Bound, Judged] = {}
    for look in looks:
        done = [bound for bound in bounds if bound not in found]
        if look is not looks[-1]:
            told = zip(done, look.verdicts(done), strict=True)
            done = [bound for bound, verdict in told if verdict is not Verdict.UNDECIDED]
        found.update(zip(done, look.judged(done) if done else (), strict=True))
    return tuple(found[each] for each in bounds)

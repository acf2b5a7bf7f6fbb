"""The one module that calls the judge: a measurement with the prompts that it rests on, judged at once or in looks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.truth.sampling import Drawn
from circuitdsl.judge import verdicts
from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.units import Origin, Units, units_of
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.circuit import Bound, Control
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

    def judge(
        self, measured: Measurement, bounds: Sequence[Bound | Control], looks: int = 1, confidence: float = CONFIDENCE
    ) -> tuple[Judged, ...]:
        """One of so many looks, once for each bound."""
        return tuple(map(_judged, verdicts.judge_all(self.weighed(measured), bounds, confidence, looks)))

    def value(self, measured: Measurement) -> float:
        """The figure itself: of a dependence, which is no function of means, as the evidence has it."""
        evidence = self.weighed(measured).evidence()
        return math.nan if evidence is None else evidence.value

    def weighed(self, measured: Measurement) -> Weighed:
        return Weighed.of(measured, self._units)

    def _units(self, sample: Sample) -> Units:
        records = self.drawn.records(sample.data)[: len(sample.columns)]
        grouped = sample.source is not None
        return units_of([Origin(r.template, r.item, r.group if grouped else "") for r in records], {})


def _judged(found: verdicts.Judgement) -> Judged:
    low, high = found.estimate.low, found.estimate.high
    ends = (-math.inf if low is None else low, math.inf if high is None else high)
    return Judged(*ends, found.verdict, found.p_value)


def in_looks(looks: Sequence[tuple[Judge, Measurement]], bounds: Sequence[Bound]) -> tuple[Judged, ...]:
    """For each bound the judgement of the first look that decides, or of the last: each look has more prompts
    (``Bench.judge``)."""
    found: dict[Bound, Judged] = {}
    for judge, measured in looks:
        still = [each for each in bounds if each not in found or found[each].verdict is Verdict.UNDECIDED]
        found.update(zip(still, judge.judge(measured, still, len(looks)), strict=True))
    return tuple(found[each] for each in bounds)

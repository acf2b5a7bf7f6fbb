"""The one module that calls the judge: a measurement with the prompts that it rests on, judged at once or in looks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.truth.sampling import Drawn
from circuitdsl.judge import intervals, verdicts
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Bound, Control
from circuitdsl.measures.measurement import Measurement

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
    bootstrap: intervals.Bootstrap = field(init=False)

    def __post_init__(self) -> None:
        drawn = self.drawn
        bootstrap = intervals.Bootstrap(lambda data, count: [r.template for r in drawn.records(data)[:count]])
        object.__setattr__(self, "bootstrap", bootstrap)

    def judge(
        self, measured: Measurement, bounds: Iterable[Bound | Control], confidence: float = CONFIDENCE
    ) -> tuple[Judged, ...]:
        """A single look, once for each bound. What is the same for all of them may be done once."""
        return tuple(self._judged(measured, bound, confidence) for bound in bounds)

    def _judged(self, measured: Measurement, bound: Bound | Control, confidence: float) -> Judged:
        found = verdicts.judge(measured, bound, self.bootstrap, confidence)
        low, high = found.estimate.low, found.estimate.high
        ends = (-math.inf if low is None else low, math.inf if high is None else high)
        return Judged(*ends, found.verdict, found.p_value)

    def value(self, measured: Measurement) -> float:
        """The figure itself."""
        return intervals.value(measured, measured.combine)


def in_looks(looks: Sequence[tuple[Judge, Measurement]], bounds: Sequence[Bound]) -> tuple[Judged, ...]:
    """For each bound the judgement of the first look that decides, or of the last: each look has more prompts
    (``Bench.judge``)."""
    confidence = verdicts.split_confidence(CONFIDENCE, len(looks))
    found: dict[Bound, Judged] = {}
    for judge, measured in looks:
        still = [each for each in bounds if each not in found or found[each].verdict is Verdict.UNDECIDED]
        found.update(zip(still, judge.judge(measured, still, confidence), strict=True))
    return tuple(found[each] for each in bounds)

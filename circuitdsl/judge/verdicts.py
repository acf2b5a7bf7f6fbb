"""From a measurement and a bound to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from circuitdsl.judge.intervals import Bootstrap, Spread, bca, interval, spread
from circuitdsl.judge.outcome import Figure, Verdict
from circuitdsl.language.circuit import Bound, Control
from circuitdsl.measures.measurement import Measurement

_INFINITY = float("inf")

UNDEFINED = "undefined: its denominator is zero on these prompts"
ONE_PROMPT = "one prompt has no interval: give the task more prompts"


@dataclass(frozen=True)
class Judgement:
    """A verdict with what led to it. ``p_value`` is small where the bound is hardly met by chance."""

    figure: Figure
    verdict: Verdict
    p_value: float | None
    control: Figure | None = None
    note: str = ""


def judge(measurement: Measurement, bound: Bound | Control, bootstrap: Bootstrap, confidence: float) -> Judgement:
    """Judge one measurement at one confidence level."""
    if measurement.prompts < 2:
        return Judgement(interval(measurement, bootstrap, confidence), Verdict.ERROR, None, note=ONE_PROMPT)
    if isinstance(bound, Control):
        return _against_control(measurement, bound, bootstrap, confidence)
    figure = interval(measurement, bootstrap, confidence)
    if figure.low is None or figure.high is None:
        return Judgement(figure, Verdict.ERROR, None, note=UNDEFINED)
    all_of_it = spread(measurement, measurement.combine, bootstrap)
    return Judgement(figure, decide(bound, figure.low, figure.high), p_value(bound, all_of_it))


def decide(bound: Bound, low: float, high: float) -> Verdict:
    """holds if every value in [low, high] satisfies the bound, fails if none does, undecided otherwise."""
    least = -_INFINITY if bound.low is None else bound.low
    most = _INFINITY if bound.high is None else bound.high
    match bound.op:
        case ">=":
            return _verdict(low >= least, high < least)
        case ">":
            return _verdict(low > least, high <= least)
        case "<=":
            return _verdict(high <= most, low > most)
        case "<":
            return _verdict(high < most, low >= most)
        case "in":
            return _verdict(least <= low and high <= most, high < least or low > most)
        case "inside":
            return _verdict(least < low and high < most, high <= least or low >= most)
        case "outside":
            return _verdict(high <= least or low >= most, least < low and high < most)


def _verdict(holds: bool, fails: bool) -> Verdict:
    return Verdict.HOLDS if holds else Verdict.FAILS if fails else Verdict.UNDECIDED


def p_value(bound: Bound, spread: Spread) -> float:
    """One-sided p-value of "the bound is not met", normal with the bootstrap's standard error.

    Counting replicates cannot tell 0.001 from 0.00001, which a correction for many claims needs.
    """
    error = float(np.std(spread.replicates))

    def beyond(distance: float) -> float:
        """How likely a figure as far on the right side of a limit would be if the truth were at the limit."""
        return float(stats.norm.sf(distance / error)) if error else float(distance < 0)

    above = 0.0 if bound.low is None else beyond(spread.value - bound.low)
    below = 0.0 if bound.high is None else beyond(bound.high - spread.value)
    if bound.op == "outside":
        return min(1 - above, 1 - below)
    return max(above, below)


def _against_control(measurement: Measurement, bound: Control, bootstrap: Bootstrap, confidence: float) -> Judgement:
    """Judge the difference between the figure and the control's, both from the same prompts."""
    combine, control = measurement.combine, measurement.control
    assert control is not None, "the resolver lets a control stand only where the measurement has one"
    figure = bca(spread(measurement, combine, bootstrap), confidence)
    other = bca(spread(measurement, control, bootstrap), confidence)
    apart = spread(measurement, lambda means: combine(means) - control(means), bootstrap)
    gap = bca(apart, confidence)
    if gap.low is None or gap.high is None:
        return Judgement(figure, Verdict.ERROR, None, other, UNDEFINED)
    zero = Bound(">", low=0.0) if bound.op == ">" else Bound("<", high=0.0)
    return Judgement(figure, decide(zero, gap.low, gap.high), p_value(zero, apart), other)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment of the p-values that are there (Holm 1979)."""
    known = [(p, i) for i, p in enumerate(p_values) if p is not None]
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(sorted(known)):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        adjusted[i] = largest
    return adjusted


def looks(first: int, most: int) -> tuple[int, ...]:
    """The numbers of prompts at which an undecided claim is looked at: the first, then doubled up to the most."""
    counts = [first]
    while counts[-1] < most:
        counts.append(min(2 * counts[-1], most))
    return tuple(counts)


def split_confidence(confidence: float, number: int) -> float:
    """The level of each of ``number`` looks at which all of them together err at most 1 - confidence (Bonferroni)."""
    return 1 - (1 - confidence) / number

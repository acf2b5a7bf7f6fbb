"""From a measurement and a bound to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.judge.intervals import Bootstrap, Spread, bca, interval, spread
from circuitdsl.language.circuit import Bound, Control
from circuitdsl.measures.measurement import Measurement

_INFINITY = float("inf")

UNDEFINED = "undefined: its denominator is zero on these prompts"
ONE_PROMPT = "one prompt has no interval: give the task more prompts"


@dataclass(frozen=True)
class Judgement:
    """A verdict with what led to it. ``p_value`` is small where the bound is hardly met by chance."""

    estimate: Estimate
    verdict: Verdict
    p_value: float | None
    control: Estimate | None = None
    note: str = ""


def judge(measurement: Measurement, bound: Bound | Control, bootstrap: Bootstrap, confidence: float) -> Judgement:
    """Judge one measurement at one confidence level."""
    if measurement.prompts < 2:
        return Judgement(interval(measurement, bootstrap, confidence), Verdict.ERROR, None, note=ONE_PROMPT)
    if isinstance(bound, Control):
        return _against_control(measurement, bound, bootstrap, confidence)
    estimate = interval(measurement, bootstrap, confidence)
    if estimate.low is None or estimate.high is None:
        return Judgement(estimate, Verdict.ERROR, None, note=UNDEFINED)
    all_of_it = spread(measurement, measurement.combine, bootstrap)
    return Judgement(estimate, decide(bound, estimate.low, estimate.high), p_value(bound, all_of_it))


def decide(bound: Bound, low: float, high: float) -> Verdict:
    """holds if every value in [low, high] satisfies the bound, fails if none does, undecided otherwise.

    >>> at_least_half = Bound(">=", low=0.5)
    >>> [str(decide(at_least_half, *ends)) for ends in ((0.6, 0.8), (0.4, 0.8), (0.1, 0.4))]
    ['holds', 'undecided', 'fails']
    """
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
        """How likely an estimate as far on the right side of a limit would be if the truth were at the limit."""
        return float(stats.norm.sf(distance / error)) if error else float(distance < 0)

    above = 0.0 if bound.low is None else beyond(spread.value - bound.low)
    below = 0.0 if bound.high is None else beyond(bound.high - spread.value)
    if bound.op == "outside":
        return min(1 - above, 1 - below)
    return max(above, below)


def _against_control(measurement: Measurement, bound: Control, bootstrap: Bootstrap, confidence: float) -> Judgement:
    """Judge the difference between the estimate and the control's, both from the same prompts."""
    combine, control = measurement.combine, measurement.control
    assert control is not None, "the resolver lets a control stand only where the measurement has one"
    estimate = bca(spread(measurement, combine, bootstrap), confidence)
    other = bca(spread(measurement, control, bootstrap), confidence)
    apart = spread(measurement, lambda means: combine(means) - control(means), bootstrap)
    gap = bca(apart, confidence)
    if gap.low is None or gap.high is None:
        return Judgement(estimate, Verdict.ERROR, None, other, UNDEFINED)
    zero = Bound(">", low=0.0) if bound.op == ">" else Bound("<", high=0.0)
    return Judgement(estimate, decide(zero, gap.low, gap.high), p_value(zero, apart), other)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment of the p-values that are there (Holm 1979).

    >>> holm([0.01, None, 0.03, 0.02])
    [0.03, None, 0.04, 0.04]
    """
    known = [(p, i) for i, p in enumerate(p_values) if p is not None]
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(sorted(known)):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        adjusted[i] = largest
    return adjusted


def prompt_counts(first: int, most: int) -> tuple[int, ...]:
    """The numbers of prompts at which an undecided claim is judged: the first, then doubled up to the most.

    >>> prompt_counts(200, 1000)
    (200, 400, 800, 1000)
    """
    counts = [first]
    while counts[-1] < most:
        counts.append(min(2 * counts[-1], most))
    return tuple(counts)


def split_confidence(confidence: float, number: int) -> float:
    """The level of each of ``number`` intervals at which all of them together err at most 1 - confidence (Bonferroni).

    >>> split_confidence(0.95, 5)
    0.99
    """
    return 1 - (1 - confidence) / number

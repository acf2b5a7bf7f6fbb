"""From a measurement and a bound to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from circuitdsl.judge.intervals import Bootstrap, bca, interval, spread
from circuitdsl.judge.outcome import Figure, Verdict
from circuitdsl.language.circuit import Bound, Control
from circuitdsl.measures.measurement import Array, Measurement

_INFINITY = float("inf")

UNDEFINED = "undefined: its denominator is zero on these prompts"
ONE_PROMPT = "one prompt has no interval: give the task more prompts"


@dataclass(frozen=True)
class Judgement:
    """A verdict with what led to it. ``p_value`` is small where the bootstrap rarely violates the bound."""

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
    replicates = spread(measurement, measurement.combine, bootstrap).replicates
    return Judgement(figure, decide(bound, figure.low, figure.high), _p_value(bound, replicates))


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


def _p_value(bound: Bound, replicates: Array) -> float:
    """Share of replicates that violate the bound, counting the sample itself as one (Davison and Hinkley 1997)."""
    violations = sum(decide(bound, float(x), float(x)) is not Verdict.HOLDS for x in replicates)
    return (1 + violations) / (1 + len(replicates))


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
    return Judgement(figure, decide(zero, gap.low, gap.high), _p_value(zero, apart.replicates), other)


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

"""From a measurement and a bound to a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.judge.evidence import FEWEST, Binomial, Evidence, Known
from circuitdsl.judge.looks import Split
from circuitdsl.judge.units import Array
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.circuit import Bound, Control
from circuitdsl.measures.controls import ROUNDING
from circuitdsl.measures.estimands import Largest, needs_of
from circuitdsl.measures.few import INDEPENDENT
from circuitdsl.measures.measurement import Paired, RandomSets, Shuffled

_INFINITY = math.inf

UNDEFINED = "undefined: its denominator is zero on these prompts"
NOT_TOLD = (
    "its denominator is not told from zero on these prompts, so that the share can be anything: give the task more "
    "prompts, or look whether the model does the task"
)


@dataclass(frozen=True)
class Judgement:
    """A verdict with what led to it.

    ``p_value`` is the least 1 - confidence at which the claim would hold, all looks at it counted. ``exact``: the
    figure is that of all prompts, so that the verdict is no test's, and the p-value 0 or 1. ``control_prompts``: on how
    many prompts the control was measured.
    """

    estimate: Estimate
    verdict: Verdict
    p_value: float | None
    control: Estimate | None = None
    note: str = ""
    exact: bool = False
    control_prompts: int | None = None


def judge(weighed: Weighed, bound: Bound | Control, confidence: float) -> Judgement:
    """Judge one measurement, at one confidence over all looks at it."""
    (judgement,) = judge_all(weighed, (bound,), confidence)
    return judgement


def judge_all(weighed: Weighed, bounds: Sequence[Bound | Control], confidence: float) -> tuple[Judgement, ...]:
    """One measurement against several bounds, each by itself."""
    evidence = weighed.evidence()
    if evidence is None:
        nothing = Judgement(Estimate(None, None, None), Verdict.UNDECIDED, None, note=UNDEFINED)
        return (nothing,) * len(bounds)
    estimate = interval(evidence, confidence)
    return tuple(
        _against_control(weighed, estimate, bound, confidence)
        if isinstance(bound, Control)
        else _against_bound(weighed, evidence, bound, confidence, _undecided(estimate))
        for bound in bounds
    )


def _undecided(estimate: Estimate) -> Judgement:
    return Judgement(estimate, Verdict.UNDECIDED, 1.0, note=NOT_TOLD if estimate.unbounded else "")


def _against_bound(
    weighed: Weighed, evidence: Evidence, bound: Bound, confidence: float, undecided: Judgement
) -> Judgement:
    """``undecided`` with the verdict that the evidence gives."""
    if isinstance(evidence, Known):
        value = _on(bound, evidence.value)
        verdict = decide(bound, value, value)
        return replace(undecided, verdict=verdict, p_value=float(verdict is not Verdict.HOLDS), exact=True)
    note = _too_few(weighed, evidence)
    if note:
        return replace(undecided, note=note)
    holds, fails = (_both_sides(p) for p in (met(bound, evidence), broken(bound, evidence)))
    return replace(undecided, verdict=_tested(holds, fails, confidence), p_value=holds)


def _tested(holds: float, fails: float, confidence: float) -> Verdict:
    """A verdict from the p-values of either side."""
    return _verdict(holds <= 1 - confidence, fails <= 1 - confidence)


def verdicts_on(weighed: Weighed, bounds: Sequence[Bound], confidence: float) -> tuple[Verdict, ...]:
    """The verdicts of :func:`judge_all`, without the interval, which takes far longer."""
    evidence = weighed.evidence()
    if evidence is None or _too_few(weighed, evidence):
        return (Verdict.UNDECIDED,) * len(bounds)
    return tuple(
        _tested(_both_sides(met(bound, evidence)), _both_sides(broken(bound, evidence)), confidence) for bound in bounds
    )


def _on(bound: Bound, value: float) -> float:
    """A figure of all prompts, on an end of its bound where rounding alone keeps it off: 19 of 20 are 95%."""
    ends = (end for end in (bound.low, bound.high) if end is not None)
    return next((end for end in ends if math.isclose(value, end, rel_tol=1e-9, abs_tol=1e-12)), value)


def _both_sides(p: float) -> float:
    """A one-sided p-value, as if either side were looked at."""
    return min(1.0, 2 * p)


def p_value(weighed: Weighed, bound: Bound) -> float | None:
    """The p-value with which :func:`judge` judges a bound, without the interval; None for an undefined figure."""
    evidence = weighed.evidence()
    if evidence is None:
        return None
    return 1.0 if _too_few(weighed, evidence) else _both_sides(met(bound, evidence))


def left_open(weighed: Weighed, bound: Bound, level: float) -> frozenset[int]:
    """Of the largest of several figures the places of those that, each by itself, are not surely as small as a bound
    from above asks for: those whose two-sided p-value is beyond ``level``, and all where too few prompts are
    ``INDEPENDENT``."""
    measurement = weighed.measurement
    assert isinstance(measurement.estimand, Largest), "of one figure there is nothing to be left"
    below = Bound("<" if bound.op in ("<", "inside") else "<=", high=bound.high)
    each = [replace(weighed, measurement=replace(measurement, estimand=one)) for one in measurement.estimand.of]
    p_values = [p_value(one, below) if weighed.fewest >= INDEPENDENT else None for one in each]
    return frozenset(place for place, p in enumerate(p_values) if p is None or p > level)


def interval(evidence: Evidence, confidence: float) -> Estimate:
    """The values that no test rejects, each side at half of 1 - confidence; infinite where none is rejected."""
    level = (1 - confidence) / 2
    return Estimate(evidence.value, evidence.low(level), evidence.high(level))


def estimated(weighed: Weighed, confidence: float) -> Estimate:
    """The value of a measurement with its interval; all None where it is undefined."""
    evidence = weighed.evidence()
    return Estimate(None, None, None) if evidence is None else interval(evidence, confidence)


def zero_p_value(evidence: Evidence, least: float) -> float:
    """The two-sided p-value of "the figure is zero"; one of at most ``least`` is rounding."""
    if abs(evidence.value) <= least:
        return 1.0
    return min(1.0, 2 * min(evidence.above(0.0), evidence.below(0.0)))


def _too_few(weighed: Weighed, evidence: Evidence) -> str:
    if weighed.fewest >= FEWEST or evidence.exact:
        return ""
    number = weighed.fewest
    return (
        f"{number} independent prompt{'' if number == 1 else 's'}: with fewer than {FEWEST} nothing can be decided but "
        "shares of prompts and other figures within limits"
    )


def met(bound: Bound, evidence: Evidence) -> float:
    """The one-sided p-value of "the bound is not met"."""
    low, high = bound.low, bound.high
    match bound.op:
        case ">=" | ">":
            return evidence.above(_closed(low, -1, bound.op == ">="))
        case "<=" | "<":
            return evidence.below(_closed(high, 1, bound.op == "<="))
        case "in" | "inside":
            closed = bound.op == "in"
            return max(evidence.above(_closed(low, -1, closed)), evidence.below(_closed(high, 1, closed)))
        case "outside":  # beyond either side: what the other side may contribute is counted too
            least, most = _closed(low, 1, True), _closed(high, -1, True)
            over = evidence.above(most) + evidence.above(least)
            return min(over, evidence.below(least) + evidence.below(most), 1.0)


def broken(bound: Bound, evidence: Evidence) -> float:
    """The one-sided p-value of "the bound is met"."""
    low, high = bound.low, bound.high
    match bound.op:
        case ">=" | ">":
            return evidence.below(_closed(low, 1, bound.op == ">"))
        case "<=" | "<":
            return evidence.above(_closed(high, -1, bound.op == "<"))
        case "in" | "inside":
            closed = bound.op == "inside"
            return min(evidence.below(_closed(low, 1, closed)), evidence.above(_closed(high, -1, closed)))
        case "outside":
            return max(evidence.above(_closed(low, -1, False)), evidence.below(_closed(high, 1, False)))


def _closed(end: float | None, way: int, closed: bool) -> float:
    """The end of a bound, moved outwards by the least there is where the end itself is meant too. It makes a difference
    only to figures that are the same on every prompt."""
    assert end is not None, "the resolver gives every bound the ends that its operator needs"
    return math.nextafter(end, way * _INFINITY) if closed else end


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


def _against_control(weighed: Weighed, estimate: Estimate, bound: Control, confidence: float) -> Judgement:
    match weighed.measurement.control:
        case Paired() as control:
            return _against_pair(weighed, estimate, bound, control, confidence)
        case Shuffled() as control:
            judged = _against_shuffles(estimate, weighed.shuffled(control), confidence, weighed.split)
            return judged if judged.control is None else replace(judged, control_prompts=weighed.measurement.prompts)
        case RandomSets() as control:
            return _against_sets(estimate, ranked_of(weighed, control, bound), confidence)
        case None:
            raise AssertionError("the resolver lets a control stand only where the measurement has one")


def _against_pair(
    weighed: Weighed, estimate: Estimate, bound: Control, control: Paired, confidence: float
) -> Judgement:
    """Paired with one other figure: how far the one is above the other, beyond rounding. A sham is drawn, whatever
    prompts there are."""
    weighed = replace(weighed, whole=False)
    figure, excess = (weighed.evidence_of(each) for each in (control.figure, control.excess))
    if figure is None or excess is None:
        return Judgement(estimate, Verdict.UNDECIDED, None, note=UNDEFINED)
    beyond = Bound(">", low=ROUNDING) if bound.op == ">" else Bound("<", high=-ROUNDING)
    other = interval(figure, confidence)
    note = NOT_TOLD if estimate.unbounded else ""
    undecided = Judgement(estimate, Verdict.UNDECIDED, 1.0, other, note, control_prompts=weighed.measurement.prompts)
    return _against_bound(weighed, excess, beyond, confidence, undecided)


def _against_shuffles(estimate: Estimate, sets: Array, confidence: float, looks: Split) -> Judgement:
    """A permutation test, all looks counted. That it finds nothing proves nothing, so that nothing fails by it."""
    if estimate.value is None or not np.isfinite(sets).all():
        return Judgement(estimate, Verdict.UNDECIDED, None, note=UNDEFINED)
    as_good = _as_good(sets, estimate.value, ">")
    p_value = looks.over((1 + as_good) / (1 + len(sets)))
    note = f"{as_good} of {len(sets)} permutations of prompts within templates give as much"
    return Judgement(estimate, _verdict(p_value <= 1 - confidence, False), p_value, _spread(sets), note)


def _as_good(sets: Array, value: float, op: str) -> int:
    """How many figures are at least the value, or at most (``<``). Equal ones differ by rounding: a set may be the real
    one, or may differ from it in heads that do nothing."""
    slack = ROUNDING * max(1.0, abs(value))
    return int(np.sum(sets >= value - slack) if op == ">" else np.sum(sets <= value + slack))


def _spread(sets: Array) -> Estimate:
    middle, low, high = (float(np.quantile(sets, level)) for level in (0.5, 0.05, 0.95))
    return Estimate(middle, low, high)


@dataclass(frozen=True)
class Ranked:
    """A real set's ``value`` among random ``sets`` on the same ``prompts``, which may be ``fewer`` than the claim's.

    ``as_good`` of these do as well, ``alike`` of them exactly as well. ``looks`` are those so far, this one among them.
    """

    value: float
    sets: Array
    as_good: int
    alike: int
    looks: int
    prompts: int
    fewer: bool = False

    @property
    def defined(self) -> bool:
        return math.isfinite(self.value) and bool(np.isfinite(self.sets).all())

    @property
    def p_value(self) -> float:
        """The chance of doing as well as this, if the real set is as good as drawn like the others.

        A Monte Carlo test (Davison and Hinkley 1997, section 4.3): the share of sets, the real one among them, that do
        as well as the real one. It is exact whatever the number of prompts, since all are measured on the same ones.

        At an earlier look, on fewer prompts, the claim would have held if none had done as well. So to have come to
        this one with so many of N doing as well has a chance of at most

            P(none did at the earlier look) + P(at most so many do at this one) = 1 / (N + 1) + (1 + so many) / (N + 1)

        whatever the two looks have to do with each other: outcomes are ordered by the look that decides (Armitage
        1957; Jennison and Turnbull 2000, section 8.4), and either rank by itself is uniform.
        """
        return min(1.0, (self.looks + self.as_good) / (1 + len(self.sets)))


def ranked_of(weighed: Weighed, control: RandomSets, bound: Control) -> Ranked:
    """The measurement's figure among those of random sets, on the prompts on which these were measured."""
    means = weighed.means
    value = float((control.own or weighed.measurement.estimand).value(means))
    sets = np.asarray(control.figures(means), dtype=np.float64)
    as_good, as_bad = (_as_good(sets, value, op) for op in (bound.op, "<" if bound.op == ">" else ">"))
    measurement, fewer = weighed.measurement, control.own is not None
    prompts = len(measurement.samples[-1].columns) if fewer else measurement.prompts
    return Ranked(value, sets, as_good, as_good + as_bad - len(sets), control.looks, prompts, fewer)


def none_as_good(weighed: Weighed, control: RandomSets, bound: Control) -> bool:
    """Whether no random set does as well as the real one where these were measured, and the figure means something
    there: with a denominator below zero the worst set would be the best."""
    ranked, means = ranked_of(weighed, control, bound), weighed.means
    needs = needs_of(control.own or weighed.measurement.estimand)
    return ranked.defined and not ranked.as_good and all(need.of(means) > 0 for need in needs)


def _against_sets(estimate: Estimate, ranked: Ranked, confidence: float) -> Judgement:
    """It fails where more than 1 - confidence of all random sets surely do as well."""
    if estimate.value is None or not ranked.defined:
        return Judgement(estimate, Verdict.UNDECIDED, None, note=UNDEFINED)
    number, p_value = len(ranked.sets), ranked.p_value
    others = Binomial(ranked.as_good, number)
    verdict = _verdict(p_value <= 1 - confidence, others.low((1 - confidence) / 2) > 1 - confidence)
    note = f"{ranked.as_good} of {number} random sets do as well"
    if ranked.fewer:
        note += f", on the first {ranked.prompts} prompts"
    if ranked.alike > 1 and verdict is not Verdict.HOLDS:
        note += f", {ranked.alike} of them exactly as well: of few heads a random set is often the real one"
    return Judgement(estimate, verdict, p_value, _spread(ranked.sets), note, control_prompts=ranked.prompts)


def holm(p_values: Sequence[float | None], number: int = 0) -> list[float | None]:
    """Holm's step-down adjustment of the p-values that are there (Holm 1979).

    They are the smallest of ``number`` where others were sorted out before, whose p-values are taken to be larger.

    >>> holm([0.01, None, 0.03, 0.02])
    [0.03, None, 0.04, 0.04]
    """
    known = [(p, i) for i, p in enumerate(p_values) if p is not None]
    tests = max(number, len(known))
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(sorted(known)):
        largest = max(largest, min(1.0, p * (tests - rank)))
        adjusted[i] = largest
    return adjusted


def false_discovery(p_values: Sequence[float | None], number: int = 0) -> list[float | None]:
    """Benjamini and Hochberg's (1995) adjustment: of those at most q, a share of q is false on average.

    They are some of ``number`` p-values, the others taken to be 1. It is proven for independent tests and for those
    that are correlated one way. For two-sided tests on the same prompts, which may be correlated both ways, it holds
    as far as is known (Reiner-Benaim 2007); whatever the correlation, the share is at most q times the sum of 1/k up
    to their number (Benjamini and Yekutieli 2001).

    >>> [p and round(p, 3) for p in false_discovery([0.01, None, 0.03, 0.02])]
    [0.03, None, 0.03, 0.03]
    """
    known = [p for p in p_values if p is not None]
    if not known:
        return list(p_values)
    from scipy import stats  # here, for its import takes half a second

    others = np.ones(max(0, number - len(known)))
    found = iter(stats.false_discovery_control(np.concatenate([known, others]), method="bh").tolist())
    return [None if p is None else next(found) for p in p_values]


def split_confidence(confidence: float, number: int) -> float:
    """The level of each of ``number`` intervals at which all of them together err at most 1 - confidence (Bonferroni).

    >>> split_confidence(0.95, 5)
    0.99
    """
    return 1 - (1 - confidence) / number

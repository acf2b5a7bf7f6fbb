"""Samples of a pool judged with the bound at the truth: at once, and at several looks as a check does."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.truth.counts import Counts, hair
from benchmarks.truth.judging import Judge, Judged, Look, in_looks
from benchmarks.truth.pools import Suite
from benchmarks.truth.sampling import Drawn, Pool
from circuitdsl.judge.weigh import looks_at
from circuitdsl.language.circuit import Bound, Claim, Control
from circuitdsl.measures.few import EARLY
from circuitdsl.measures.measurement import Failure, Measurement
from circuitdsl.plan.lockstep import measure


@dataclass(frozen=True)
class Calibrated:
    """A claim with its truth and what was counted of its samples; ``led``: where it is led (``Measuring``)."""

    claim: Claim
    truth: float
    counts: Counts
    led: bool = False


def calibrate(
    suite: Suite, pool: Pool, prompts: Sequence[int], seeds: Sequence[int], ways: Collection[bool] = (False, True)
) -> tuple[Calibrated, ...]:
    """Judge a sample for each seed: of so many ``prompts``, or, of two numbers, from the first to the second.

    Claims against a control are left out: their truth is no number. ``ways``: whether figures are led, or not, or both.
    Where few prompts stop some of several figures, "at most" is judged with the bound at the truth, and "at least" and
    the interval where the claim's own bound stops as many as it can.
    """
    bounded = {claim: job for claim, job in suite.claims.items() if not isinstance(claim.bound, Control)}
    suite = Suite(suite.name, bounded)
    everything = pool.whole()
    truths = {claim: Judge(everything).value(each) for claim, each in measured_on(everything, suite).items()}
    at_truth = {claim: Bound("<=", high=truth) for claim, truth in truths.items()}
    several = [claim for claim, job in bounded.items() if job.one and job.job.lead and job.job.lead.of(prompts[0])]
    counts = {(claim, way): Counts() for way in ways for claim in (several if way else truths)}
    for seed in seeds:
        drawn = pool.draw(prompts[-1], np.random.default_rng([seed, *prompts]))
        whole = Measuring(suite, drawn)
        led, near = Led(suite, drawn, whole.known), Led(suite, drawn, whole.known, at_truth)
        for (claim, way), counted in counts.items():
            looks = (led if way else whole).looks(claim, *prompts)
            nearer = near.looks(claim, *prompts) if way and suite.claims[claim].job.stops else ()
            counted.add(truths[claim], *_at_the_truth(truths[claim], looks, nearer))
    return tuple(Calibrated(claim, truths[claim], each, way) for (claim, way), each in counts.items())


@dataclass(frozen=True)
class Measuring:
    """Measures the first prompts that were drawn, as many as somebody looks at."""

    suite: Suite
    drawn: Drawn
    known: dict[int, tuple[Judge, Mapping[Claim, Measurement]]] = field(default_factory=dict)

    def of(self, claim: Claim, count: int) -> tuple[Judge, Measurement]:
        if count not in self.known:
            part = self.drawn.first(count)
            self.known[count] = Judge(part), measured_on(part, self.suite)
        judge, measured = self.known[count]
        return judge, measured[claim]

    def looks(self, claim: Claim, first: int, most: int = 0) -> Sequence[Look]:
        """A claim at the looks from the first number of prompts to the most, or at the first alone."""
        judge, measured = self.of(claim, first)
        looks = looks_at(measured, judge.units, first, most or first)
        counts = judge.weighed(measured, looks).looks.counts if most else (first,)
        lead = self.suite.claims[claim].job.lead
        few = (lead and lead.of(first)) or first
        before = (few, *counts)
        return [Look(*self.at(claim, *each, few), looks) for each in zip(counts, before, strict=False)]

    def at(self, claim: Claim, count: int, before: int, few: int) -> tuple[Judge, Measurement]:
        """A claim at a look; ``before`` is the number of prompts of the look before, ``few`` that before the first."""
        return self.of(claim, count)


@dataclass(frozen=True)
class Led(Measuring):
    """The same of the largest of several figures as a check measures it first (``Bench.settled``): the one that is
    largest on few prompts, or at the look before, on all of them; where each stops by itself, those that few prompts do
    not show to be within a bound, of ``bounds`` or the claim's own."""

    bounds: Mapping[Claim, Bound] = field(default_factory=dict[Claim, Bound])

    def at(self, claim: Claim, count: int, before: int, few: int) -> tuple[Judge, Measurement]:
        job, bound = self.suite.claims[claim], self.bounds.get(claim, claim.bound)
        assert isinstance(bound, Bound), "the others are left out"
        some, largest = self.of(claim, few if job.job.stops else before)
        leader = job.led(largest, some.left_open(largest, bound, EARLY) if job.job.stops else ())
        judge, _ = self.of(claim, count)
        found = measure([leader], self.drawn.first(count).run)[leader]
        assert isinstance(found, Measurement), "all of it was measured before"
        return judge, found


def measured_on(drawn: Drawn, suite: Suite) -> Mapping[Claim, Measurement]:
    """Every claim measured on drawn prompts. Raises ValueError for one that cannot be."""
    found = measure(suite.claims.values(), drawn.run)
    measured: dict[Claim, Measurement] = {}
    for claim, job in suite.claims.items():
        result = found[job]
        if isinstance(result, Failure):
            raise ValueError(f"suite {suite.name}, line {claim.line}: {result.message}")
        measured[claim] = result
    return measured


def _at_the_truth(
    truth: float, looks: Sequence[Look], nearer: Sequence[Look]
) -> tuple[tuple[Judged, Judged], tuple[Judged, Judged]]:
    """Judgements of "at least" and "at most": both false by a hair, and both true by a hair. "At most" is judged in
    the ``nearer`` looks, if there are any."""
    above, below = truth + hair(truth), truth - hair(truth)
    at_least = Bound(">=", low=above), Bound(">=", low=below)
    at_most = Bound("<=", high=below), Bound("<=", high=above)
    if nearer:
        (first, second), (third, fourth) = in_looks(looks, at_least), in_looks(nearer, at_most)
    else:
        first, second, third, fourth = in_looks(looks, (*at_least, *at_most))
    return (first, third), (second, fourth)

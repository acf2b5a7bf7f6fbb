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
from circuitdsl.measures.few import few_of
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
    """
    bounded = {claim: job for claim, job in suite.claims.items() if not isinstance(claim.bound, Control)}
    suite = Suite(suite.name, bounded)
    whole = pool.whole()
    truths = {claim: Judge(whole).value(each) for claim, each in measured_on(whole, suite).items()}
    led = [claim for claim in truths if suite.claims[claim].one and few_of(prompts[0])]
    counts = {(claim, way): Counts() for way in ways for claim in (led if way else truths)}
    for seed in seeds:
        drawn = pool.draw(prompts[-1], np.random.default_rng([seed, *prompts]))
        measuring = Measuring(suite, drawn), Led(suite, drawn)
        for (claim, way), counted in counts.items():
            counted.add(truths[claim], *_at_the_truth(measuring[way].looks(claim, *prompts), truths[claim]))
    return tuple(Calibrated(claim, truths[claim], each, way) for (claim, way), each in counts.items())


@dataclass(frozen=True)
class Measuring:
    """Measures the first prompts that were drawn, as many as somebody looks at."""

    suite: Suite
    drawn: Drawn
    known: dict[int, tuple[Judge, Mapping[Claim, Measurement]]] = field(default_factory=dict, init=False)

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
        before = (few_of(first) or first, *counts)
        return [Look(*self.at(claim, *each), looks) for each in zip(counts, before, strict=False)]

    def at(self, claim: Claim, count: int, before: int) -> tuple[Judge, Measurement]:
        """A claim at a look; ``before`` is the number of prompts of the look before, or on which leaders are chosen."""
        return self.of(claim, count)


@dataclass(frozen=True)
class Led(Measuring):
    """The same of the largest of several figures as a check measures it first (``Bench.settled``): the one that is
    largest on few prompts, or at the look before, on all of them."""

    def at(self, claim: Claim, count: int, before: int) -> tuple[Judge, Measurement]:
        _, largest = self.of(claim, before)
        judge, _ = self.of(claim, count)
        leader = self.suite.claims[claim].led(largest)
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


def _at_the_truth(looks: Sequence[Look], truth: float) -> tuple[tuple[Judged, Judged], tuple[Judged, Judged]]:
    """Judgements of "at least" and "at most": both false by a hair, and both true by a hair."""
    above, below = truth + hair(truth), truth - hair(truth)
    false = Bound(">=", low=above), Bound("<=", high=below)
    true = Bound(">=", low=below), Bound("<=", high=above)
    first, second, third, fourth = in_looks(looks, (*false, *true))
    return (first, second), (third, fourth)

"""Samples of a pool judged with the bound at the truth: at once, and at several looks as a check does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.truth.counts import Counts, hair
from benchmarks.truth.judging import Judge, Judged, in_looks
from benchmarks.truth.pools import Suite
from benchmarks.truth.sampling import Drawn, Pool
from circuitdsl.language.circuit import Bound, Claim, Control
from circuitdsl.measures.measurement import Failure, Measurement
from circuitdsl.plan.lockstep import measure

LOOKS = (60, 120, 180)


@dataclass(frozen=True)
class Calibrated:
    """A claim with its truth and what was counted of its samples."""

    claim: Claim
    truth: float
    counts: Counts


def calibrate(suite: Suite, pool: Pool, looks: Sequence[int], seeds: Sequence[int]) -> tuple[Calibrated, ...]:
    """Judge a sample for each seed, of as many prompts as the last of ``looks``; a single look is judged at once.

    Claims against a control are left out: their truth is no number.
    """
    bounded = {claim: job for claim, job in suite.claims.items() if not isinstance(claim.bound, Control)}
    suite = Suite(suite.name, bounded)
    whole = pool.whole()
    truths = {claim: Judge(whole).value(each) for claim, each in measured_on(whole, suite).items()}
    counts = {claim: Counts() for claim in truths}
    for seed in seeds:
        drawn = pool.draw(looks[-1], np.random.default_rng([seed, *looks]))
        parts = [drawn.first(count) for count in looks]
        measured = [(Judge(part), measured_on(part, suite)) for part in parts]
        for claim, truth in truths.items():
            judged = [(judge, found[claim]) for judge, found in measured]
            counts[claim].add(truth, *_at_the_truth(judged, truth))
    return tuple(Calibrated(claim, truth, counts[claim]) for claim, truth in truths.items())


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
    looks: Sequence[tuple[Judge, Measurement]], truth: float
) -> tuple[tuple[Judged, Judged], tuple[Judged, Judged]]:
    """Judgements of "at least" and "at most": both false by a hair, and both true by a hair."""
    above, below = truth + hair(truth), truth - hair(truth)
    false = Bound(">=", low=above), Bound("<=", high=below)
    true = Bound(">=", low=below), Bound("<=", high=above)
    first, second, third, fourth = in_looks(looks, (*false, *true))
    return (first, second), (third, fourth)

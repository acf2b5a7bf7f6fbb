"""How many prompts a verdict takes: of sequences, and of looks that double and split the error among them.

Both judge the same samples of a pool, with the bound so many standard errors of 200 prompts below the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.truth.calibration import Measuring, measured_on
from benchmarks.truth.judging import CONFIDENCE, Judge
from benchmarks.truth.pools import Suite, measure_of, open_suite, read
from benchmarks.truth.sampling import Pool
from benchmarks.truth.trials import Tally
from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.verdicts import split_confidence, verdicts_on
from circuitdsl.language.circuit import Bound, Claim, Control

SUITE = "ioi"
MEASURES = ("logit_diff", "accuracy", "probability", "attention", "effect", "knockout", "faithfulness", "minimality")
DISTANCES = (2, 4, 8, 16)
"""In standard errors of 200 prompts."""

FIRST, MOST = 60, 1800
ERROR_OF, _SAMPLES = 200, 100


def trials(seeds: Iterable[int], size: int, folder: Path) -> dict[str, int]:
    """Prompts until a true claim holds, or the most there are: added up over samples, by measurement, distance and
    rule."""
    suite = saved_suite()
    pool = read(suite, size, folder)
    truths = {c: Judge(pool.whole()).value(each) for c, each in measured_on(pool.whole(), suite).items()}
    errors = _errors(suite, pool)
    tally = Tally()
    for seed in seeds:
        measuring = Measuring(suite, pool.draw(MOST, np.random.default_rng([seed, 29])))
        for claim, truth in truths.items():
            for distance in DISTANCES:
                bound = Bound(">=", low=truth - distance * errors[claim])
                for rule, took in RULES.items():
                    prompts, verdict = took(measuring, claim, bound)
                    name = (measure_of(claim), distance, rule)
                    tally.count(*name, "samples")
                    tally.count(*name, verdict)
                    tally.count(*name, "prompts", by=prompts)
    return dict(tally.of)


def saved_suite() -> Suite:
    """Of each measurement the first claim of the suite."""
    suite = open_suite(SUITE, MEASURES)
    first: dict[str, Claim] = {}
    for claim in suite.claims:
        if not isinstance(claim.bound, Control):
            first.setdefault(measure_of(claim), claim)
    return Suite(suite.name, {claim: suite.claims[claim] for claim in first.values()})


def _errors(suite: Suite, pool: Pool) -> Mapping[Claim, float]:
    """The spread of each figure over samples of 200 prompts."""
    found: dict[Claim, list[float]] = {claim: [] for claim in suite.claims}
    for seed in range(_SAMPLES):
        drawn = pool.draw(ERROR_OF, np.random.default_rng([seed, 31]))
        for claim, measured in measured_on(drawn, suite).items():
            found[claim].append(Judge(drawn).value(measured))
    return {claim: float(np.std(values, ddof=1)) for claim, values in found.items()}


def in_sequence(measuring: Measuring, claim: Claim, bound: Bound) -> tuple[int, Verdict]:
    """As a check does."""
    for look in measuring.looks(claim, FIRST, MOST):
        (verdict,) = look.verdicts([bound])
        if verdict is not Verdict.UNDECIDED:
            return look.measured.prompts, verdict
    return MOST, Verdict.UNDECIDED


def in_doublings(measuring: Measuring, claim: Claim, bound: Bound) -> tuple[int, Verdict]:
    """As a check did before: the number of prompts is doubled, and each look has its part of the error."""
    counts = [FIRST]
    while counts[-1] < MOST:
        counts.append(min(2 * counts[-1], MOST))
    for count in counts:
        judge, measured = measuring.of(claim, count)
        (verdict,) = verdicts_on(judge.weighed(measured), [bound], split_confidence(CONFIDENCE, len(counts)))
        if verdict is not Verdict.UNDECIDED:
            return count, verdict
    return MOST, Verdict.UNDECIDED


RULES: Mapping[str, Callable[[Measuring, Claim, Bound], tuple[int, Verdict]]] = {
    "sequence": in_sequence,
    "doublings": in_doublings,
}

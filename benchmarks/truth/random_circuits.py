"""Circuits of random heads of mini: they are no better than random heads, and may pass for it once in twenty times.

Beside them stand mini's own circuit and parts of it, which are better: how often that is found, at a look at few
prompts and one at all as a check does it, and at one look at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.truth.calibration import measured_on
from benchmarks.truth.counts import LEVELS
from benchmarks.truth.judging import Judge, Judged
from benchmarks.truth.pools import Suite, read, suite_of
from benchmarks.truth.sampling import Drawn
from benchmarks.truth.trials import Tally
from circuitdsl import api
from circuitdsl.check.bench import looked_at_again
from circuitdsl.components import Head
from circuitdsl.judge.verdicts import none_as_good
from circuitdsl.language.circuit import Claim, Control
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.few import few_of
from circuitdsl.measures.measurement import Measurement, RandomSets
from circuitdsl.models import geometry_of
from circuitdsl.plan.lockstep import measure

COUNTS = (20, 60)
CIRCUITS = 15
"""How many circuits are compared with the same random sets."""

BOTH = "expect faithfulness > random heads expect knockout(others) < random heads"

HEADS = [
    "0.3",
    "0.5",
    "0.6",
    "0.7",
    "1.0",
    "1.1",
    "1.4",
    "1.5",
    "1.6",
    "1.7",
    "2.3",
    "2.5",
    "2.6",
    "2.7",
    "3.0",
    "3.3",
    "3.7",
]
"""Mini's own circuit for IOI (specs/mini/ioi.circuit)."""

LEFT_OUT = (0, 5, 10)
OWN = {f"own{left_out}": f"mini's own heads but {left_out}" for left_out in LEFT_OUT}
"""Circuits of mini's own heads, of which some are left out at random, by name."""

ONE_LOOK = ", at one look"


def trials(seeds: Iterable[int], folder: Path) -> dict[str, int]:
    """Compare random circuits with random heads: for each seed other prompts, other sets and other circuits."""
    tally = Tally()
    for seed in seeds:
        suite = random_suite(seed)
        pool = read(suite, max(COUNTS), folder)
        for count in COUNTS:
            drawn = pool.whole().first(count)
            judge, whole = Judge(drawn), measured_on(drawn, suite)
            ways = {"": looked_at(drawn, count, suite, whole), ONE_LOOK: whole} if few_of(count) else {"": whole}
            for way, found in ways.items():
                for claim, measured in found.items():
                    (judged,) = judge.judge(measured, [claim.bound])
                    _count(tally, (count, f"{_what(claim)}{way}"), judged)
    return dict(tally.of)


def _count(tally: Tally, name: tuple[int, str], judged: Judged) -> None:
    tally.count(*name, judged.verdict)
    tally.count(*name, "p-values")
    for level in LEVELS:
        if judged.p_value is not None and judged.p_value <= level:
            tally.count(*name, "p", level)


def _what(claim: Claim) -> str:
    """What a claim is counted under: its measurement, and how much of mini's own circuit it is about."""
    circuit = claim.id.split(":")[0]
    return f"{claim.term.measure}, {OWN[circuit]}" if circuit in OWN else str(claim.term.measure)


def looked_at(
    drawn: Drawn, count: int, suite: Suite, whole: Mapping[Claim, Measurement]
) -> Mapping[Claim, Measurement]:
    """Every claim as a check measures it (``Bench.settled``): beside random sets on few of ``count`` prompts, where
    none of them does as well there, or at a second look beside the same on all, as they are known."""
    first = drawn.first(few_of(count))
    leaders = {claim: suite.claims[claim].led(measured) for claim, measured in measured_on(first, suite).items()}
    alone = measure(leaders.values(), drawn.run)
    judge = Judge(drawn)
    found: dict[Claim, Measurement] = {}
    for claim, leader in leaders.items():
        one, bound = alone[leader], claim.bound
        assert isinstance(one, Measurement) and isinstance(one.control, RandomSets) and isinstance(bound, Control)
        settled = none_as_good(judge.weighed(one), one.control, bound)
        again = looked_at_again(whole[claim], one)
        assert isinstance(again, Measurement)
        found[claim] = one if settled else again
    return found


def random_suite(seed: int) -> Suite:
    """The claims of random circuits that have the same number of heads in each layer, against random heads."""
    rng = np.random.default_rng([seed, 13])
    geometry = geometry_of("mini")
    numbers = rng.integers(1, geometry.n_heads - 1, geometry.n_layers)
    blocks = [_block(f"random{number}", _drawn(rng, numbers), seed, BOTH) for number in range(CIRCUITS)]
    for name, left_out in zip(OWN, LEFT_OUT, strict=True):
        own = [HEADS[place] for place in sorted(rng.permutation(len(HEADS))[left_out:])]
        blocks.append(_block(name, own, seed, "expect faithfulness > random heads"))
    suite = suite_of(f"random circuits {seed}", resolve_text("\n".join(blocks), "random.circuit", api.environment()))
    return Suite(suite.name, {claim: job for claim, job in suite.claims.items() if isinstance(claim.bound, Control)})


def _drawn(rng: np.random.Generator, numbers: np.ndarray) -> list[Head]:
    width = geometry_of("mini").n_heads
    return [
        Head(layer, int(index))
        for layer, number in enumerate(numbers)
        for index in sorted(rng.choice(width, number, replace=False))
    ]


def _block(name: str, heads: Iterable[Head | str], seed: int, claims: str) -> str:
    nodes = " ".join(map(str, heads))
    return (
        f"circuit {name} {{ model mini task ioi method {{ against abc prompts 200 seed {seed} }} "
        f"role others {{ {nodes} }} {claims} }}"
    )

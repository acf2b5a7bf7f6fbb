"""Circuits of random heads of mini: they are no better than random heads, and may pass for it once in twenty times."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.truth.calibration import measured_on
from benchmarks.truth.counts import LEVELS
from benchmarks.truth.judging import Judge
from benchmarks.truth.pools import Suite, read, suite_of
from benchmarks.truth.trials import Tally
from circuitdsl import api
from circuitdsl.components import Head
from circuitdsl.language.circuit import Control
from circuitdsl.language.resolve import resolve_text
from circuitdsl.models import geometry_of

COUNTS = (20, 60)
CIRCUITS = 15
"""How many circuits are compared with the same random sets."""


def trials(seeds: Iterable[int], folder: Path) -> dict[str, int]:
    """Compare random circuits with random heads: for each seed other prompts, other sets and other circuits."""
    tally = Tally()
    for seed in seeds:
        suite = random_suite(seed)
        pool = read(suite, max(COUNTS), folder)
        for count in COUNTS:
            drawn = pool.whole().first(count)
            judge = Judge(drawn)
            for claim, measured in measured_on(drawn, suite).items():
                (judged,) = judge.judge(measured, [claim.bound])
                name = (count, claim.term.measure)
                tally.count(*name, judged.verdict)
                tally.count(*name, "p-values")
                for level in LEVELS:
                    if judged.p_value is not None and judged.p_value <= level:
                        tally.count(*name, "p", level)
    return dict(tally.of)


def random_suite(seed: int) -> Suite:
    """The claims of random circuits that have the same number of heads in each layer, against random heads."""
    rng = np.random.default_rng([seed, 13])
    geometry = geometry_of("mini")
    numbers = rng.integers(1, geometry.n_heads - 1, geometry.n_layers)
    blocks = [_block(number, _drawn(rng, numbers), seed) for number in range(CIRCUITS)]
    suite = suite_of(f"random circuits {seed}", resolve_text("\n".join(blocks), "random.circuit", api.environment()))
    return Suite(suite.name, {claim: job for claim, job in suite.claims.items() if isinstance(claim.bound, Control)})


def _drawn(rng: np.random.Generator, numbers: np.ndarray) -> list[Head]:
    width = geometry_of("mini").n_heads
    return [
        Head(layer, int(index))
        for layer, number in enumerate(numbers)
        for index in sorted(rng.choice(width, number, replace=False))
    ]


def _block(number: int, heads: list[Head], seed: int) -> str:
    nodes = " ".join(map(str, heads))
    return (
        f"circuit random{number} {{ model mini task ioi method {{ against abc prompts 200 seed {seed} }} "
        f"role others {{ {nodes} }} expect faithfulness > random heads expect knockout(others) < random heads }}"
    )

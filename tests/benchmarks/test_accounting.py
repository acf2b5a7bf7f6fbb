"""What the benchmark counts without a clock is what the engines do: passes, and at least so many operations."""

from __future__ import annotations

import pytest
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cases import CASES, experiments
from benchmarks.columns import plain_passes
from benchmarks.floor import Floor
from benchmarks.models import DATA, SHAPES, model_of, prompts_of
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import references_over

PROMPTS = 2


@pytest.fixture(scope="module")
def tiny():
    return model_of("tiny")


@pytest.fixture(scope="module")
def prompts():
    return prompts_of(PROMPTS, 16, SHAPES["tiny"].vocabulary)


@pytest.mark.parametrize("case", ["a", "a-total", "b", "c", "d"])
def test_the_plain_engine_makes_as_many_passes_as_are_extrapolated(case, tiny, prompts):
    worlds = CASES[case].worlds(tiny.geometry)
    told: list[int] = []
    asked = experiments(worlds)
    PlainEngine(tiny, told.append).run(DATA, prompts, 0, PROMPTS, asked, references_over(prompts, asked))
    assert sum(told) == plain_passes(worlds, tiny.geometry) * PROMPTS


@pytest.mark.parametrize("case", ["a", "a-total", "b", "d"])  # in c worlds share parts, which the floor does not know
def test_the_floor_is_below_what_the_fast_engine_computes(case, tiny, prompts):
    worlds = CASES[case].worlds(tiny.geometry)
    with FlopCounterMode(display=False) as counted:
        FastEngine(tiny).run(DATA, prompts, 0, PROMPTS, experiments(worlds))
    floor = PROMPTS * Floor(tiny.geometry, prompts[0]).of(worlds)
    assert floor <= counted.get_total_flops() <= 4 * floor

"""Runs that are cached between calls: one more experiment on known prompts costs what it changes, and no more."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from random_models import DATA, HEADS, LAYERS, architecture, prompts
from scarce import leave_room_for_three

from arrays import arrays
from circuitdsl.components import Head, Node, Position
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.fast.run_cache import FinishedRun, RunCache
from circuitdsl.measures.experiments import Ablated, Experiment, FromCounterfactual, Metric, Patched

END = Position("END")
COUNT = 6


def direct(head: Head) -> Experiment:
    return Experiment(DATA, Patched(frozenset({Node(head, END)}), frozenset(), "x", False), Metric("logit_diff"))


def knockout(head: Head) -> Experiment:
    return Experiment(DATA, Ablated(frozenset({Node(head, END)}), FromCounterfactual("x")), Metric("logit_diff"))


HEADS_OF_ALL = [Head(layer, index) for layer in range(LAYERS) for index in range(HEADS)]
SWEEP = [direct(head) for head in HEADS_OF_ALL]
PAIR = direct(Head(0, 0)), direct(Head(1, 1))


class Counted:
    """An engine whose work is counted in prompts through a whole forward pass."""

    def __init__(self, memory: int):
        self.work = 0.0
        self.engine = FastEngine(architecture("gpt2"), memory=memory)
        self.engine._did = self.count

    def count(self, work: float) -> None:
        self.work += work

    def cost(self, experiments: list[Experiment], seed: int = 0) -> float:
        before = self.work
        self.engine.run(DATA, prompts(COUNT, seed), 0, COUNT, experiments)
        return self.work - before


def test_what_a_sweep_has_read_need_not_be_run_again():
    counted = Counted(memory=10**9)
    first = counted.cost(SWEEP)
    assert first > 2 * COUNT  # the clean run, the counterfactual run, and something for the sweep
    assert counted.cost([PAIR[0]]) < COUNT / 2


def test_what_was_not_cached_is_run_again_once_and_then_cached_beside_the_rest():
    counted = Counted(memory=10**9)
    counted.cost([PAIR[0]])
    assert counted.cost([PAIR[1]]) > COUNT  # of layer 1 nothing was cached of the counterfactuals
    assert counted.cost([PAIR[0]]) < COUNT / 2
    assert counted.cost([PAIR[1]]) < COUNT / 2


def test_other_prompts_have_runs_of_their_own():
    counted = Counted(memory=10**9)
    first = counted.cost(SWEEP)
    assert counted.cost(SWEEP, seed=1) == first
    assert counted.cost([PAIR[0]], seed=1) < COUNT / 2
    assert counted.cost([PAIR[0]], seed=0) < COUNT / 2


def test_without_memory_nothing_is_cached():
    counted = Counted(memory=1)
    counted.cost(SWEEP)
    assert counted.cost([PAIR[0]]) >= 2 * COUNT


def test_readings_on_cached_runs_are_those_of_a_new_engine():
    engine = FastEngine(architecture("gpt2"), memory=10**9)
    stream = prompts(COUNT, 0)
    engine.run(DATA, stream, 0, COUNT, SWEEP)
    asked = [*SWEEP, *map(knockout, HEADS_OF_ALL)]
    again = arrays(engine.run(DATA, stream, 0, COUNT, asked))
    anew = arrays(FastEngine(architecture("gpt2")).run(DATA, stream, 0, COUNT, asked))
    assert all(np.allclose(again[each], anew[each], rtol=1e-5, atol=1e-6) for each in asked)


def test_the_run_cache_is_emptied_and_halved_when_memory_runs_out(monkeypatch: pytest.MonkeyPatch):
    engine = FastEngine(architecture("gpt2"), memory=10**9)
    engine.run(DATA, prompts(COUNT, 1), 0, COUNT, SWEEP)
    leave_room_for_three(monkeypatch)
    engine.run(DATA, prompts(COUNT, 0), 0, COUNT, list(map(knockout, HEADS_OF_ALL)))
    assert [known for known, _ in engine.run_cache.batches] == [prompts(COUNT, 0)]
    assert engine.run_cache.capacity == 10**9 // 2


def test_a_run_cache_holds_no_more_than_its_capacity():
    def runs() -> dict[str, FinishedRun]:
        return {"": FinishedRun({}, {}, torch.zeros(4, dtype=torch.float32))}  # 16 bytes

    cache, batches = RunCache(40), [prompts(2, seed) for seed in range(3)]
    for batch in batches:
        cache.put(batch, runs())
    assert [known for known, _ in cache.batches] == batches[1:]
    assert cache.find(batches[0]) == {}
    assert set(cache.find(batches[1])) == {""}
    cache.put(batches[1], runs())
    assert [known for known, _ in cache.batches] == [batches[2], batches[1]]


def test_runs_that_are_too_large_for_the_run_cache_take_nothing_from_it():
    cache, batch = RunCache(40), prompts(2, 0)
    runs = {"": FinishedRun({}, {}, torch.zeros(4))}
    cache.put(batch, runs)
    cache.put(batch, {"": FinishedRun({}, {}, torch.zeros(100))})
    assert cache.find(batch) is runs

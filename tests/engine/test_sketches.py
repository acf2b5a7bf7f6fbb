"""Estimates to first order: both engines give the same, it is the derivative, and no prompt tells on another."""

from __future__ import annotations

import numpy as np
import pytest
from random_models import ARCHITECTURES, DATA, architecture, prompts

from circuitdsl.actions import Scale
from circuitdsl.components import ALL, Head, Node, Position
from circuitdsl.engine.base import Cost
from circuitdsl.engine.fast.cost import FastCost
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.cost import PlainCost
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import references_over
from circuitdsl.measures.experiments import (
    Clean,
    Experiment,
    FromCounterfactual,
    Intervened,
    Mean,
    Metric,
    Reading,
    Sketched,
    World,
    Zero,
)
from circuitdsl.measures.measurement import Array, Failure

METRIC = Metric("logit_diff")
STREAM = prompts(5, 3, ("END", "A"))
REFERENCE = prompts(24, 4)


def nodes(*heads: str) -> frozenset[Node]:
    layers = [tuple(map(int, head.split("."))) for head in heads]
    return frozenset(Node(Head(*each), ALL if each[1] else Position("S")) for each in layers)


WORLDS = [
    Sketched(nodes("0.0"), Zero()),
    Sketched(nodes("0.1"), Mean("x", 4, True)),
    Sketched(nodes("1.0", "1.1"), Mean("", 6, False)),
    Sketched(nodes("0.1", "1.1"), FromCounterfactual("y")),
]


def run(
    engine: FastEngine | PlainEngine, world: World, reading: Reading, start: int = 0, stop: int = 5
) -> Array | Failure:
    experiment = Experiment(DATA, world, reading)
    references = references_over(REFERENCE, [experiment])
    return engine.run(DATA, STREAM, start, stop, [experiment], references)[experiment]


def read(
    engine: FastEngine | PlainEngine, world: World, reading: Reading = METRIC, start: int = 0, stop: int = 5
) -> Array:
    found = run(engine, world, reading, start, stop)
    assert not isinstance(found, Failure)
    return found


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_both_engines_estimate_the_same(name: str):
    model = architecture(name)
    asked = [Experiment(DATA, world, reading) for world in WORLDS for reading in (METRIC, Metric("probability"))]
    references = references_over(REFERENCE, asked)
    engines = FastEngine(model, tokens=30), PlainEngine(model)
    fast, plain = (engine.run(DATA, STREAM, 0, 5, asked, references) for engine in engines)
    for each in asked:
        ours, theirs = fast[each], plain[each]
        assert not isinstance(ours, Failure) and not isinstance(theirs, Failure)
        assert np.abs(ours - theirs).max() <= 1e-4 * max(np.abs(theirs).max(), 1e-2), each


@pytest.mark.parametrize("name", ["gpt2", "rms, rotary pairs, grouped"])
def test_an_estimate_is_the_derivative(name: str):
    """A head that is scaled down a little changes the metric by that share of what is estimated of taking it away."""
    engine, share = PlainEngine(architecture(name)), 2e-3
    clean = read(engine, Clean())
    for head in ("0.1", "1.1"):
        less, more = (
            read(engine, Intervened((Scale(tuple(nodes(head)), text="", factor=1 + way * share),), (None,)))
            for way in (-1, 1)
        )
        slope = (less - more) / (2 * share)
        estimated = read(engine, Sketched(nodes(head), Zero())) - clean
        assert estimated == pytest.approx(slope, rel=0.03, abs=0.03 * np.abs(slope).max())


@pytest.mark.parametrize(("engine", "cost"), [(FastEngine, FastCost()), (PlainEngine, PlainCost())])
def test_all_heads_share_a_pass_forward_and_one_back(engine: type[FastEngine | PlainEngine], cost: Cost):
    """As a plan states it."""
    taken: list[int] = []
    worlds = [Sketched(nodes(head), Zero()) for head in ("0.0", "0.1", "1.0", "1.1")]
    experiments = [Experiment(DATA, world, METRIC) for world in worlds]
    model = architecture("gpt2")
    engine(model, taken.append).run(DATA, STREAM, 0, 5, experiments)
    assert sum(taken) == 5 * len(cost.shared(worlds)) == 10
    assert set(cost.own(worlds, [], model.geometry).values()) == {0}


def test_what_stands_beside_a_prompt_changes_no_estimate():
    model = architecture("gpt2")
    for world in WORLDS:
        together = read(FastEngine(model), world)
        alone = np.concatenate([read(FastEngine(model), world, start=i, stop=i + 1) for i in range(5)])
        assert np.array_equal(together, alone)


@pytest.mark.parametrize("engine", [FastEngine, PlainEngine])
def test_a_metric_without_a_gradient_is_not_estimated(engine: type[FastEngine | PlainEngine]):
    found = run(engine(architecture("gpt2")), WORLDS[0], Metric("accuracy"))
    assert isinstance(found, Failure) and "gradient" in found.message

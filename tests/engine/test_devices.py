"""Both engines run wherever the model stands: on a pretended second device, whose tensors may not meet the CPU's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from elsewhere import DEVICE, WAITED, Elsewhere, Mixed, move, two_devices
from random_models import ARCHITECTURES, DATA, Draw, prompts

from arrays import array
from circuitdsl.components import Head, Node, Position
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import references_over
from circuitdsl.measures.experiments import (
    Ablated,
    Experiment,
    FromCounterfactual,
    Isolated,
    Metric,
    Patched,
    Zero,
)
from circuitdsl.measures.measurement import Array, Failure


@pytest.fixture(autouse=True)
def with_versions(monkeypatch):
    """Tensor subclasses cannot be made in inference mode; no gradients are kept here either."""
    monkeypatch.setattr(torch, "inference_mode", torch.no_grad)


Figures = Mapping[Experiment, "Array | Failure"]


def assert_near(found: Figures, expected: Figures) -> None:
    """Figures of float32; of accuracy only that it was read, for the sign of a difference near 0 may be either."""
    for experiment, answer in found.items():
        if not isinstance(answer, np.ndarray):
            assert answer == expected[experiment]
        elif not str(getattr(experiment.reading, "name", "")).startswith("accuracy"):
            np.testing.assert_allclose(answer, array(expected[experiment]), rtol=1e-3, atol=1e-4)


NAMES = ("gpt2", "llama, grouped queries", "bloom, ALiBi", "attention only, no norm")


@pytest.mark.parametrize("name", NAMES)
def test_engines_give_the_same_figures_on_another_device(name):
    model = ARCHITECTURES[name]()
    stream = prompts(30, 3)
    drawn = [(Ablated(frozenset({Node(Head(1, 1), Position("S"))}), Zero()), Metric("logit_diff"))]
    drawn += Draw(model.geometry, 1).experiments(15)
    experiments = list(dict.fromkeys(Experiment(DATA, *pair) for pair in drawn))
    expected = FastEngine(model).run(DATA, stream, 1, 6, experiments, references_over(stream, experiments))
    move(model.bridge.to("cpu"))
    with two_devices():
        for engine in (FastEngine(model), PlainEngine(model)):
            assert DEVICE.type in engine.settings
            assert engine.device == str(DEVICE)
            references = references_over(stream, experiments)
            assert_near(engine.run(DATA, stream, 1, 6, experiments, references), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", NAMES)
def test_engines_give_the_same_figures_on_a_gpu(name):
    model = ARCHITECTURES[name]()
    stream = prompts(30, 3)
    experiments = list(dict.fromkeys(Experiment(DATA, *pair) for pair in Draw(model.geometry, 1).experiments(40)))
    model.bridge.to("cpu")
    expected = FastEngine(model).run(DATA, stream, 1, 20, experiments, references_over(stream, experiments))
    model.bridge.to("cuda")
    for engine in (FastEngine(model), PlainEngine(model)):
        assert engine.device.startswith("cuda")
        references = references_over(stream, experiments)
        assert_near(engine.run(DATA, stream, 1, 20, experiments, references), expected)


SWEEPS = {
    "to the logits": lambda node, source: Patched(frozenset({node}), frozenset(), "x", False),
    "to queries": lambda node, source: Patched(frozenset({node}), QUERIES, "x", False),
    "all recomputed": lambda node, source: Ablated(frozenset({node}), source),
    "alone": lambda node, source: Isolated(frozenset({node}), source, False),
}
QUERIES = frozenset({(Node(Head(2, 1), Position("END")), "q")})


@pytest.mark.parametrize(("metric", "waits"), [("logit_diff", 2), ("accuracy", 18)])
@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_batch_waits_for_the_device_for_its_guard_and_for_what_a_stack_reads(sweep, metric, waits):
    model = ARCHITECTURES["gpt2"]()
    stream = prompts(30, 3)[:6]
    heads = [Head(layer, head) for layer in range(2) for head in range(model.geometry.n_heads)]
    worlds = [SWEEPS[sweep](Node(head, Position("END")), FromCounterfactual("x")) for head in heads]
    asked = [Experiment(DATA, world, Metric(metric)) for world in worlds]
    move(model.bridge.to("cpu"))
    with two_devices():
        engine = FastEngine(model)
        engine.run(DATA, stream, 0, 6, asked)
        engine.run_cache.clear()
        WAITED.clear()
        ran = engine.run(DATA, stream, 0, 6, asked)
    assert all(isinstance(each, np.ndarray) for each in ran.values())
    # Of other metrics: the guard and, a world, whether its logits are numbers, and its figures.
    assert len(WAITED) <= waits, WAITED


def test_the_pretended_device_refuses_what_a_gpu_refuses():
    with two_devices():
        there = torch.arange(3, device=DEVICE)
        assert isinstance(there, Elsewhere) and isinstance(torch.tensor([1, 2], device=DEVICE), Elsewhere)
        here = torch.arange(3)
        for mixed in (lambda: there + here, lambda: here[there], lambda: torch.cat([there, here])):
            with pytest.raises(Mixed):
                mixed()
        assert (there + torch.tensor(1)).tolist() == [1, 2, 3]
        assert there[here].tolist() == (there.cpu() + here - here).tolist() == [0, 1, 2]

"""Where a model gives NaN there is no reading: a failure that says so, never a figure, and in both engines alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from ioi_data import IOI

from arrays import array
from circuitdsl.actions import Scale
from circuitdsl.components import Head, Node, Position
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.session import Session
from circuitdsl.errors import InputError
from circuitdsl.measures.experiments import Clean, Experiment, Intervened, Metric
from circuitdsl.measures.measurement import Failure
from circuitdsl.models import open_model

METRICS = ("logit_diff", "accuracy", "probability")
HEAD = (Node(Head(0, 0), Position("END")),)


def message(answer: object) -> str:
    assert isinstance(answer, Failure)
    return answer.message


@pytest.mark.parametrize("kind", [PlainEngine, FastEngine])
def test_nan_is_no_reading(kind, ioi_prompts):
    model = open_model("mini")
    engine = kind(model)
    norms = [model.bridge.ln_final.original_component.weight]
    if isinstance(engine, FastEngine):
        assert engine.network.final.weight is not None
        norms.append(engine.network.final.weight)
    with torch.no_grad():
        for weight in norms:
            weight[3] = float("nan")
    experiments = [Experiment(IOI, Clean(), Metric(name)) for name in METRICS]
    for answer in engine.run(IOI, ioi_prompts, 0, 30, experiments).values():
        assert message(answer) == "the model gives NaN or infinity"


@pytest.mark.parametrize("metric", METRICS)
def test_a_world_that_overflows_leaves_those_beside_it_alone(mini, ioi_prompts, metric):
    scaled = [Intervened((Scale(HEAD, factor, text="scale"),), (None,)) for factor in (2.0, float("inf"), 0.5)]
    experiments = [Experiment(IOI, world, Metric(metric)) for world in scaled]
    fast, plain = (kind(mini).run(IOI, ioi_prompts, 0, 30, experiments) for kind in (FastEngine, PlainEngine))
    for answers in (fast, plain):
        assert message(answers[experiments[1]]) == "the model gives NaN or infinity"
    for experiment in (experiments[0], experiments[2]):
        np.testing.assert_allclose(array(fast[experiment]), array(plain[experiment]), atol=1e-3)


def test_a_token_that_the_model_does_not_know_is_named(mini):
    narrow = replace(mini, geometry=replace(mini.geometry, d_vocab=50))
    with pytest.raises(InputError, match=r"the tokenizer of mini gives the token \d+ \(.*knows only tokens below 50"):
        Session(PlainEngine(narrow)).prompts(IOI, 6)

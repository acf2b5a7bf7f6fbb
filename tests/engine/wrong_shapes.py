"""Calls with wrong and with right shapes while shapes are checked: tests/engine/test_shapes.py runs this so."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from random_models import DATA, Draw, architecture, prompts

from circuitdsl.engine.batch import Batch
from circuitdsl.engine.fast.architecture import Linear, Norm
from circuitdsl.engine.fast.cached import cache
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.fast.full_pass import Arrivals
from circuitdsl.engine.fast.readers import laid_over
from circuitdsl.engine.fast.region import onward, take, whole
from circuitdsl.engine.references import references_over
from circuitdsl.measures.experiments import Experiment

HERE = torch.device("cpu")
TOKENS = torch.zeros(2, 5, dtype=torch.int64)
REAL = torch.ones(2, 5, dtype=torch.bool)

WRONG = {
    "another number of prompts": lambda: take(torch.zeros(3, 5, 4), TOKENS),
    "indices that are no integers": lambda: take(torch.zeros(2, 5, 4), torch.zeros(2, 5)),
    "a batch whose masks are shorter than its tokens": lambda: Batch((), TOKENS, REAL[:, 1:], TOKENS[:, 0]),
    "a mask without its prompts": lambda: onward(REAL[0], TOKENS[:, 0]),
    "a bias of another width": lambda: Linear(torch.zeros(3, 4), torch.zeros(4)),
    "a scale of several worlds": lambda: Norm("rms").with_scale_of(torch.zeros(2, 2, 5, 4), torch.zeros(2, 3, 5, 4)),
    "activations that are no numbers": lambda: cache(TOKENS, None),
    "values on other tokens than their mask": lambda: Arrivals(REAL[:, None, :, None], torch.zeros(2, 3, 4, 8)),
    "rows over a run of other prompts": lambda: laid_over(
        torch.zeros(3, 5, 4), "blocks.0.hook_resid_post", torch.zeros(2, 5, 4), whole(2, 5, HERE)
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_shape_is_an_error(wrong):
    with pytest.raises(TypeCheckError):
        wrong()


def test_right_shapes_are_none():
    region = onward(REAL, TOKENS[:, 0])
    assert take(torch.zeros(2, 5, 4), region.at).shape == (2, 1, 4)
    assert cache(torch.zeros(2, 5, 4), REAL).whole.shape == (2, 5, 4)
    assert Linear(torch.zeros(3, 4), torch.zeros(3))(torch.zeros(2, 1, 5, 4)).shape == (2, 1, 5, 3)


MODELS = ("llama, grouped queries", "bloom, ALiBi", "attention only, normed")
"""Rotated, biased and learned positions; grouped queries and none; gated MLPs, plain ones and none."""


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=2, deadline=None, suppress_health_check=list[Any](HealthCheck), derandomize=True)
@given(seed=st.integers(0, 10**6), tokens=st.sampled_from((20, 60, 4096)), memory=st.sampled_from((1, 60_000, 10**9)))
def test_random_worlds_have_the_right_shapes(name, seed, tokens, memory):
    """What is run, and in two calls, as in tests/engine/test_fast_property.py, which compares the figures."""
    model = architecture(name)
    drawn = Draw(model.geometry, seed).experiments(10)
    experiments = list(dict.fromkeys(Experiment(DATA, *pair) for pair in drawn))
    engine, cut = FastEngine(model, memory=memory, tokens=tokens), seed % len(experiments)
    for some in (experiments[:cut], experiments[cut:]):
        stream = prompts(30, seed % 5)
        references = references_over(stream, some)
        assert set(engine.run(DATA, stream, 1, 3 + seed % 9, some, references)) == set(some)

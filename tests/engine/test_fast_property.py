"""The fast engine gives the plain engine's figures on random models, prompts, worlds and readings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_models import ARCHITECTURES, DATA, Draw, architecture, prompts

from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain import PlainEngine
from circuitdsl.measures.experiments import Experiment, Metric
from circuitdsl.plan.drive import Failure


def assert_same(ours, theirs, experiment):
    if isinstance(theirs, Failure) or isinstance(ours, Failure):
        assert ours == theirs, experiment
        return
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    if isinstance(experiment.reading, Metric) and experiment.reading.name.startswith("accuracy"):
        # A rounding error can decide between two tokens that are as good as equal.
        assert (ours != theirs).mean() <= 0.1, experiment
        return
    scale = max(np.abs(theirs).max(), 1e-2)
    assert np.abs(ours - theirs).max() <= 1e-4 * scale, (experiment, ours, theirs)


@pytest.mark.parametrize("name", ARCHITECTURES)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(seed=st.integers(0, 10**6), tokens=st.sampled_from((20, 60, 4096)), memory=st.sampled_from((1, 60_000, 10**9)))
def test_fast_engine_equals_the_plain_engine(name, seed, tokens, memory):
    model = architecture(name)
    stream = prompts(30, seed % 5)
    drawn = Draw(model.geometry, seed).experiments(10)
    experiments = list(dict.fromkeys(Experiment(DATA, *pair) for pair in drawn))
    count = 2 + seed % 9
    ours = FastEngine(model, memory=memory, tokens=tokens).run(DATA, stream, 1, 1 + count, experiments)
    theirs = PlainEngine(model, tokens=tokens).run(DATA, stream, 1, 1 + count, experiments)
    assert set(ours) == set(theirs) == set(experiments)
    for experiment in experiments:
        assert_same(ours[experiment], theirs[experiment], experiment)

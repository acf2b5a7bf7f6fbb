"""The fast engine reads prompts with several right and several wrong answers as the plain one does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ioi_data import IOI

from arrays import arrays
from circuitdsl.components import Head, Node, Position
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.measures.experiments import Ablated, Clean, Experiment, Metric, Zero

MOVERS = frozenset(Node(Head(3, head), Position("END")) for head in (2, 3, 6))


@pytest.mark.parametrize(
    "metric", ["logit_diff", "probability", "probability_diff", "accuracy", "accuracy among options"]
)
def test_several_answers(mini, ioi_prompts, metric):
    def others(prompt, count):
        known = {prompt.answer, *prompt.wrong}
        return tuple(token for token in dict.fromkeys(prompt.tokens) if token not in known)[:count]

    prompts = []
    for number, prompt in enumerate(ioi_prompts):
        spare = others(prompt, 4)
        right, wrong = (prompt.answer, *spare[: number % 3]), (*prompt.wrong, *spare[2 : 2 + number % 2])
        prompts.append(replace(prompt, right=right, wrong=wrong, options=(*right, *wrong)))
    experiments = [Experiment(IOI, world, Metric(metric)) for world in (Clean(), Ablated(MOVERS, Zero()))]
    plain, fast = (
        arrays(engine.run(IOI, prompts, 0, len(prompts), experiments))
        for engine in (PlainEngine(mini), FastEngine(mini))
    )
    for experiment in experiments:
        np.testing.assert_allclose(fast[experiment], plain[experiment], rtol=1e-4, atol=1e-4)

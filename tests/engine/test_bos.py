"""BOS is a position of every prompt that begins with it: both engines read attention there, and ablate there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ioi_data import IOI

from arrays import arrays
from circuitdsl.components import END, Head, Node, Position
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.language.circuit import FromTo
from circuitdsl.measures.experiments import Ablated, Attention, Clean, Experiment, Metric, Zero
from circuitdsl.tasks import open_task
from circuitdsl.tasks.prompts import numbered

BOS = Position("BOS")
WITH_BOS = replace(IOI, bos=True)


@pytest.mark.parametrize("ref", ["ioi", "induction"])
def test_attention_to_bos_and_what_stands_there(mini, ref):
    data = replace(WITH_BOS, task=replace(IOI.task, name=ref))
    prompts = numbered(open_task(data.task).draw(mini.tokenizer, 12, data.seed, data.bos).prompts)
    looks = [Experiment(data, Clean(), Attention(Head(layer, 3), FromTo(END, BOS))) for layer in range(4)]
    written = Experiment(data, Ablated(frozenset({Node(Head(0, 3), BOS)}), Zero()), Metric("logit_diff"))
    after = Experiment(data, Clean(), Attention(Head(1, 2), FromTo(END, Position("BOS", 1))))
    plain, fast = (
        arrays(engine.run(data, prompts, 0, len(prompts), [*looks, written, after]))
        for engine in (PlainEngine(mini), FastEngine(mini))
    )
    assert len(plain) == len(looks) + 2
    for experiment, numbers in plain.items():
        np.testing.assert_allclose(fast[experiment], numbers, rtol=1e-4, atol=1e-5)

    (pattern,) = _patterns(mini, prompts[:1])
    assert plain[looks[1]][0] == pytest.approx(pattern[3, -1, 0].item(), abs=1e-5)


def _patterns(model, prompts):
    """The patterns [heads, queries, keys] of layer 1 on each prompt, by the model's own hooks."""
    import torch

    for prompt in prompts:
        _, cache = model.bridge.run_with_cache(torch.tensor([prompt.tokens]))
        yield cache["blocks.1.attn.hook_pattern"][0]

"""Shares of attention that change places: the same as patterns that are written by hand, one number at a time."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from random_models import DATA, architecture, prompts

from arrays import array
from circuitdsl.actions import SwapAttention
from circuitdsl.components import Head, Node, Position
from circuitdsl.engine.fast.coverage import declined
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.readings import logit_diff
from circuitdsl.engine.references import references_over
from circuitdsl.measures.experiments import Clean, Experiment, Intervened, Metric
from circuitdsl.tasks import Prompt

A, END, START = Position("A"), Position("END"), Position("B")
HEADS = (Head(0, 1), Head(1, 0))


def by_hand(model: Any, prompt: Prompt) -> float:
    """The metric of one prompt with two entries of each head's pattern exchanged, and the rest of the rows scaled."""
    (a,), (end,), (key,) = (prompt.positions[each.name] for each in (A, END, START))

    def swap(pattern: torch.Tensor, head: int) -> torch.Tensor:
        rows = {row: [float(share) for share in pattern[0, head, row]] for row in (a, end)}
        for row, other in ((a, end), (end, a)):
            given, own = rows[other][key], rows[row][key]
            for column, share in enumerate(rows[row]):
                new = given if column == key else share * (1 - given) / (1 - own)
                pattern[0, head, row, column] = new
        return pattern

    hooks = [(head.pattern, lambda pattern, hook, head=head: swap(pattern, head.index)) for head in HEADS]
    with torch.inference_mode():
        logits = model.bridge.run_with_hooks(torch.tensor([prompt.tokens]), fwd_hooks=hooks)[0, end]
    return float(logit_diff(prompt, logits))


def test_both_engines_do_what_is_done_by_hand():
    model = architecture("gpt2")
    drawn = tuple(prompt for prompt in prompts(20, 3) if prompt.positions["B"][0] < prompt.positions["A"][0])[:6]
    nodes = tuple(Node(head, at) for at in (END, A) for head in HEADS)
    world = Intervened((SwapAttention(nodes, (END, A), START, text="swap"),), (None,))
    experiments = [Experiment(DATA, each, Metric("logit_diff")) for each in (world, Clean())]
    wanted = [by_hand(model, prompt) for prompt in drawn]
    for engine in (PlainEngine(model), FastEngine(model)):
        found = engine.run(DATA, drawn, 0, len(drawn), experiments, references_over((), experiments))
        swapped, clean = (array(found[each]) for each in experiments)
        assert swapped == pytest.approx(wanted, abs=1e-4)
        assert (abs(swapped - clean) > 1e-3).sum() >= 4


def test_the_fast_engine_leaves_it_to_the_plain_one_and_says_so():
    node = Node(HEADS[0], END)
    assert declined(Intervened((SwapAttention((node,), (END, A), START),), (None,))) == "`swap_attention`"

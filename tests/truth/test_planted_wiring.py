"""The planted weights do what their parts say: attention goes where it was wired to go, and the tasks are solved."""

from __future__ import annotations

from statistics import mean, stdev

import pytest
import torch
from planted_algebra import Algebra, Edits, Rows, logit_diff
from planted_bench import drawn

from circuitdsl.components import Component, Head
from circuitdsl.models.planted.plans import PLANTED
from circuitdsl.models.planted.truth import TRUTHS, Truth

# What each kind of head attends to from where it works: (query position, key position).
LOOKS = {
    "ioi": {
        "previous_token": ("S1+1", "S1"),
        "duplicate_token": ("S2", "S1"),
        "induction": ("S2", "S1+1"),
        "inhibition": ("END", "S2"),
        "mover": ("END", "IO"),
        "negative_mover": ("END", "IO"),
    },
    "colored_objects": {
        "previous_token": ("O2", "C2"),
        "content_gatherer": ("END", "QUERY"),
        "mover": ("END", "ANSWER_COLOR"),
    },
    "induction": {"previous_token": ("NEXT", "FIRST"), "induction": ("END", "NEXT")},
}

NAMES = [f"{truth.model}-{truth.task}" for truth in TRUTHS]


def at(written: str, prompt) -> int:
    name, _, offset = written.partition("+")
    return prompt.positions[name][0] + int(offset or 0)


@pytest.mark.parametrize("truth", TRUTHS, ids=NAMES)
def test_heads_look_where_they_were_wired_to_look(truth: Truth):
    algebra, prompts = Algebra(PLANTED[truth.model]()), drawn(truth.model, truth.task, 30)
    runs = [algebra.run(prompt.tokens) for prompt in prompts]
    for role, (query, key) in LOOKS[truth.task].items():
        for head in truth.role(role).heads:
            shares = [float(r.patterns[head][at(query, p), at(key, p)]) for r, p in zip(runs, prompts, strict=True)]
            assert mean(shares) > 0.9, (role, head)


@pytest.mark.parametrize("truth", TRUTHS, ids=NAMES)
def test_the_task_is_solved_by_a_comfortable_margin_that_varies(truth: Truth):
    algebra, prompts = Algebra(PLANTED[truth.model]()), drawn(truth.model, truth.task, 60)
    logits = [algebra.run(prompt.tokens).logits for prompt in prompts]
    margins = [logit_diff(each, prompt) for each, prompt in zip(logits, prompts, strict=True)]
    assert all(each.argmax() == prompt.answer for each, prompt in zip(logits, prompts, strict=True))
    assert min(margins) > 3
    assert stdev(margins) > 0.1


@pytest.mark.parametrize("truth", TRUTHS, ids=NAMES)
def test_counterfactuals_take_the_answer_away(truth: Truth):
    algebra, prompts = Algebra(PLANTED[truth.model]()), drawn(truth.model, truth.task, 30)
    clean = mean(logit_diff(algebra.run(p.tokens).logits, p) for p in prompts)

    def against(name: str) -> float:
        runs = [algebra.run(prompt.counterfactuals[name]) for prompt in prompts]
        return mean(logit_diff(r.logits, p) for r, p in zip(runs, prompts, strict=True)) / clean

    expected = {
        "ioi": {"abc": (-0.1, 0.1), "s2_io": (-1.1, -0.9), "flip_order": (0.9, 1.1)},
        "colored_objects": {"other_query": (-1.1, -0.9)},
        "induction": {"other": (-0.1, 0.1)},
    }[truth.task]
    for name, (low, high) in expected.items():
        assert low < against(name) < high, name


@pytest.mark.parametrize("truth", TRUTHS, ids=NAMES)
def test_idle_heads_and_decoys_write_with_the_prompt_and_change_no_logit(truth: Truth):
    algebra, (prompt, *_) = Algebra(PLANTED[truth.model]()), drawn(truth.model, truth.task, 1)
    clean, other = algebra.run(prompt.tokens), algebra.run(next(iter(prompt.counterfactuals.values())))
    useless = (*truth.decoys, *truth.idle)
    for head in useless:
        assert not torch.allclose(clean.outputs[head][-1], other.outputs[head][-1]), head
    every = range(len(prompt.tokens))
    nothing: dict[Component, Rows] = {head: (every, torch.zeros_like(clean.outputs[head])) for head in useless}
    torch.testing.assert_close(algebra.run(prompt.tokens, Edits(nothing)).logits, clean.logits, atol=0.02, rtol=0)


def test_the_circuits_of_the_two_tasks_share_what_the_model_was_planted_to_share():
    ioi, colors = (
        next(t for t in TRUTHS if (t.model, t.task) == ("planted-reuse", task)) for task in ("ioi", "colored_objects")
    )
    for role in ("mover", "backup_mover", "previous_token"):
        assert ioi.role(role).heads == colors.role(role).heads
    assert set(ioi.role("inhibition").heads) & set(colors.role("inhibition").heads) == {Head(2, 1)}

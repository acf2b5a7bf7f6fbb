"""Outputs that change places: the same figures as when the model itself is given other positions."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from random_models import DATA, architecture, prompts

import circuitdsl as cd
from arrays import array
from cheap import with_reference
from circuitdsl import api
from circuitdsl.actions import Swap
from circuitdsl.check.declined import left_to_plain
from circuitdsl.check.workbench import Workbench
from circuitdsl.components import Embed, Node, Position
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import references_over
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.experiments import Clean, Corrupted, Experiment, Intervened, Metric
from circuitdsl.models import training
from circuitdsl.models.acronyms import tokenizer, train
from circuitdsl.tasks import Prompt, open_task

SPEC = """circuit a {
  model acronyms
  task  acronyms
  method { bos yes  members none  prompts 12 }
  expect logit_diff(against max) >= 0
}

intervention i on a {
  swap pos_embed at C1 with C3
  expect logit_diff(against max) >= 0
}
"""


def test_positional_embeddings_change_places_as_if_positions_did(tmp_path):
    path = tmp_path / "a.circuit"
    path.write_text(SPEC)
    report = cd.check(cd.load(path), unexplained=False)
    clean, swapped = (block.claims[0].estimate.value for block in (*report.circuits, *report.interventions))
    drawn = open_task(TaskRef("acronyms")).draw(tokenizer.build(), 12, seed=0, bos=True).prompts
    tokens = torch.tensor([prompt.tokens for prompt in drawn])
    positions = list(range(tokens.shape[1]))
    assert metric(drawn, tokens, positions) == pytest.approx(clean, abs=1e-3)
    positions[2], positions[6] = 6, 2
    assert metric(drawn, tokens, positions) == pytest.approx(swapped, abs=1e-3) != pytest.approx(clean, abs=1)


def test_token_embeddings_change_places_as_if_tokens_did():
    """On prompts of several lengths, whose positions are not at one place, next to one another in a batch."""
    model, drawn = architecture("gpt2"), prompts(12, 3)
    exchanged = tuple(replace(each, counterfactuals={"exchanged": tokens_exchanged(each)}) for each in drawn)
    assert len({(each.positions["A"], each.positions["END"]) for each in exchanged}) > 3
    nodes = tuple(Node(Embed(), at) for at in (Position("A"), Position("END")))
    swap = Swap(nodes, (Position("A"), Position("END")), text="swap")
    worlds = (Intervened((swap,), (None,)), Corrupted("exchanged"), Clean())
    experiments = [Experiment(DATA, world, Metric("logit_diff")) for world in worlds]
    for engine in (PlainEngine(model), FastEngine(model)):
        found = engine.run(DATA, exchanged, 0, len(exchanged), experiments, references_over((), experiments))
        swapped, changed, clean = (array(found[each]) for each in experiments)
        assert swapped == pytest.approx(changed, abs=1e-4)
        assert (abs(swapped - clean) > 1e-3).sum() > 8  # some have the same token at both


def tokens_exchanged(prompt: Prompt) -> tuple[int, ...]:
    tokens, (here,), (there,) = list(prompt.tokens), prompt.positions["A"], prompt.positions["END"]
    tokens[here], tokens[there] = tokens[there], tokens[here]
    return tuple(tokens)


def test_the_passes_of_a_swap_are_planned(tmp_path):
    path = tmp_path / "a.circuit"
    path.write_text(SPEC)
    plan = api.plan(with_reference(cd.load(path), 4), unexplained=False)
    report = Workbench(engine="fast").check(plan)
    cost, (swapped,) = report.cost, report.interventions
    assert "the plain engine runs paths under `swap`: the fast engine does not cover that" in swapped.notes
    (note,) = left_to_plain(plan.jobs(), "fast")
    assert note in swapped.notes
    # An engine's own name need not be the one under which it is registered.
    assert not [*left_to_plain(plan.jobs(), "fast, on two machines")]
    assert cost.experiments == plan.distinct
    assert cost.passes == pytest.approx(plan.fast.total, rel=0.05)


@torch.no_grad()
def metric(prompts, tokens: torch.Tensor, positions: list[int]) -> float:
    """The right letter's logit less the largest wrong one's, by transformers, with tokens at these positions."""
    model = training.load(train.PACKAGE)
    logits = model(input_ids=tokens, position_ids=torch.tensor([positions] * len(tokens))).logits[:, -1]
    found = [row[prompt.answer] - row[list(prompt.wrong)].max() for prompt, row in zip(prompts, logits, strict=True)]
    return float(torch.stack(found).mean())

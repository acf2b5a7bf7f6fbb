"""Outputs that change places: the same figures as when the model itself is given other positions."""

from __future__ import annotations

import pytest
import torch

import circuitdsl as cd
from circuitdsl.language.environment import TaskRef
from circuitdsl.models import training
from circuitdsl.models.acronyms import tokenizer, train
from circuitdsl.tasks import open_task

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
    prompts = open_task(TaskRef("acronyms")).draw(tokenizer.build(), 12, seed=0, bos=True).prompts
    tokens = torch.tensor([prompt.tokens for prompt in prompts])
    positions = list(range(tokens.shape[1]))
    assert metric(prompts, tokens, positions) == pytest.approx(clean, abs=1e-3)
    positions[2], positions[6] = 6, 2
    assert metric(prompts, tokens, positions) == pytest.approx(swapped, abs=1e-3) != pytest.approx(clean, abs=1)


@torch.no_grad()
def metric(prompts, tokens: torch.Tensor, positions: list[int]) -> float:
    """The right letter's logit less the largest wrong one's, by transformers, with tokens at these positions."""
    model = training.load(train.PACKAGE)
    logits = model(input_ids=tokens, position_ids=torch.tensor([positions] * len(tokens))).logits[:, -1]
    found = [row[prompt.answer] - row[list(prompt.wrong)].max() for prompt, row in zip(prompts, logits, strict=True)]
    return float(torch.stack(found).mean())

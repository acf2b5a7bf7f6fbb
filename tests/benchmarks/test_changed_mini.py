"""mini as people change models, and its checkpoints in order."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.birth import checkpoints
from benchmarks.changed import rounded, tuned
from circuitdsl.models.mini import train


def test_weights_are_rounded_row_by_row_to_the_nearest_level():
    model, before = train.new_model(0), train.new_model(0)
    rounded(model, 4)
    for (name, now), was in zip(model.named_parameters(), before.parameters(), strict=True):
        if now.dim() != 2:
            assert torch.equal(now, was), name
            continue
        step = was.abs().amax(dim=1, keepdim=True) / 7
        assert ((now - was).abs() <= 0.5001 * step + 1e-9).all(), name
        assert max(len(row.unique()) for row in now.detach()) <= 15, name


def test_training_on_changes_what_it_is_given():
    model = train.new_model(0)
    tuned(model, 1)
    assert not torch.equal(model.transformer.wte.weight, train.new_model(0).transformer.wte.weight)


def test_checkpoints_stand_in_the_order_of_their_steps(tmp_path: Path):
    for name in ("step1000", "step250", "step0", "step300", "step5000"):
        (tmp_path / name).mkdir()
    found = checkpoints(tmp_path, "mini", 250)
    assert [(Path(each.name).name, each.step) for each in found] == [
        *(("step0", 0), ("step250", 250), ("step1000", 1000), ("mini", 5000))
    ]

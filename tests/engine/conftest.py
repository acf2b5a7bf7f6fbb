"""Real models for the engine's tests."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch
from ioi_data import IOI

from circuitdsl.models import open_model
from circuitdsl.tasks import open_task
from circuitdsl.tasks.prompts import numbered

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def mini():
    """The trained model that ships, really loaded."""
    return open_model("mini")


@pytest.fixture(scope="session")
def ioi_prompts(mini):
    """Two IOI prompts of every fourth template: different lengths, in one batch."""
    drawn = open_task(IOI.task).draw(mini.tokenizer, 60, IOI.seed, IOI.bos).prompts
    templates = sorted({prompt.template for prompt in drawn})[::4]
    return numbered(prompt for prompt in drawn if prompt.template in templates)

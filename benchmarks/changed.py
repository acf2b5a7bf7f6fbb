"""``mini`` as people change models: its weights rounded to few bits, or trained on with other data.

    python -m benchmarks.changed rounded --bits 8 --out build/mini-8-bits
    python -m benchmarks.changed tuned --steps 300 --out build/mini-tuned     # on repeated sequences alone

Each writes a model folder; ``docs/drift.md`` shows what becomes of the claims about mini in them.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

import torch
from transformers import GPT2LMHeadModel

from circuitdsl.models import training
from circuitdsl.models.mini import tokenizer, train

RATE = 1e-3
"""Of the further training: two thirds of the rate at which mini was trained."""


def rounded(model: GPT2LMHeadModel, bits: int) -> None:
    """Round every matrix to the nearest of 2^bits - 1 levels, symmetric around zero, in steps of a row's own."""
    most = 2 ** (bits - 1) - 1
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() == 2:
                step = weights.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / most
                weights.copy_((weights / step).round() * step)


def tuned(model: GPT2LMHeadModel, steps: int) -> None:
    """Train on with repeated random sequences alone, none of the sentences that mini was trained on."""
    optimiser = training.optimiser(model, train.PEAK_RATE, train.DECAY)
    for group in optimiser.param_groups:
        group["lr"] = RATE
    for step in range(steps):
        train.train_step(model, optimiser, train.STAGES[0], random.Random(f"changed {step}"))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.changed", description="Change mini.")
    parser.add_argument("how", choices=("rounded", "tuned"))
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument("--bits", type=int, default=8, help="rounded: bits of a weight")
    parser.add_argument("--steps", type=int, default=300, help="tuned: steps of further training")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model = training.load(train.PACKAGE)
    if given.how == "rounded":
        rounded(model, given.bits)
    else:
        tuned(model, given.steps)
    training.write_folder(model, tokenizer.build(), given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

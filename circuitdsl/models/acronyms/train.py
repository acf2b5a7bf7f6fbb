"""Train ``acronyms`` from nothing, put it into the package, and say how well it spells.

    python -m circuitdsl.models.acronyms.train --out build/acronyms          # train; run again to go on
    python -m circuitdsl.models.acronyms.train export --out build/acronyms   # write the folder as it ships

The data of a step depend on the seed and the step only, so a resumed run is the same run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from random import Random

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from transformers import GPT2LMHeadModel

from circuitdsl.models import training
from circuitdsl.models.acronyms import data, tokenizer

PACKAGE = Path(__file__).parent
STEPS = 2_000
BATCH = 96
PEAK_RATE = 2e-3
DECAY = 0.1  # of the weights
LOG_EVERY = 250
EVALUATED = 1000  # texts of held-out letters while training


def new_model(seed: int) -> GPT2LMHeadModel:
    """3 layers of 4 heads, d_model 64."""
    return training.new_model(seed, tokenizer.VOCABULARY, tokenizer.CONTEXT, width=64, layers=3, heads=4)


def said(model: GPT2LMHeadModel, texts: list[list[int]]) -> tuple[Float[Tensor, "texts letters vocabulary"], Tensor]:
    """The logits that should name each letter, and the letters' tokens, [texts, letters]."""
    tokens, letters = data.padded(texts)
    read = tokens[:, :-1]
    logits = model(input_ids=read, attention_mask=torch.ones_like(read)).logits  # what is padded comes last
    rows = torch.arange(len(texts))[:, None]
    return logits[rows, letters - 1], tokens[rows, letters]


def learn(model: GPT2LMHeadModel, seed: int, step: int) -> float:
    """Run the loss of a step's batch back, the mean cross-entropy of the letters."""
    logits, letters = said(model, data.training_batch(BATCH, Random(f"{seed} {step}")))
    loss = functional.cross_entropy(logits.flatten(0, 1), letters.flatten())
    loss.backward()
    return loss.item()


@torch.no_grad()
def evaluate(model: GPT2LMHeadModel, count: int, seed: int) -> dict[str, float]:
    """Share of texts of held-out letters, words of one tail, of which each letter is the top token."""
    rng = Random(f"evaluation {seed}")
    texts = [data.written(data.letters_of(rng, held=True), 0, (1, 1, 1), rng) for _ in range(count)]
    logits, letters = said(model, texts)
    right = (logits.argmax(-1) == letters).float().mean(0).tolist()
    return dict(zip(("first", "second", "third"), right, strict=True))


def logged(model: GPT2LMHeadModel) -> dict[str, float]:
    """What the log says of a model that is being trained."""
    return evaluate(model, EVALUATED, seed=1)


COURSE = training.Course(new_model, learn, logged, PEAK_RATE, DECAY, LOG_EVERY)


def export(out: Path, to: Path) -> None:
    """Write the model folder as it ships, and the log of its training."""
    model, saved = COURSE.trained(out)
    training.write_folder(model, tokenizer.build(), to)
    training.write_log(to, saved)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m circuitdsl.models.acronyms.train", description="Train acronyms.")
    parser.add_argument("action", nargs="?", choices=("train", "export"), default="train")
    parser.add_argument("--out", type=Path, default=Path("build/acronyms"), help="checkpoint and log")
    parser.add_argument("--folder", type=Path, default=PACKAGE, help="the model folder (default: as shipped)")
    parser.add_argument("--steps", type=int, default=STEPS, help="how many (default: as shipped)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    if given.action == "train":
        COURSE.train(given.out, given.steps, given.seed)
    else:
        export(given.out, given.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

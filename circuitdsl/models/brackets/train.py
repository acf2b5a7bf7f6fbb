"""Train ``brackets`` from nothing, put it into the package, or measure it.

    python -m circuitdsl.models.brackets.train --out build/brackets          # train; run again to go on
    python -m circuitdsl.models.brackets.train export --out build/brackets   # write the model folder as it ships
    python -m circuitdsl.models.brackets.train evaluate                      # every prompt of the task `brackets`

The data of a step depend on the seed and the step only, and the rate on ``--steps``, so a run that is resumed with the
same ``--steps`` is the same run.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from torch.nn import functional
from transformers import GPT2LMHeadModel

from circuitdsl.models import training
from circuitdsl.models.brackets import data, tokenizer
from circuitdsl.tasks import brackets

PACKAGE = Path(__file__).parent
BATCH = 128
STEPS = 6_000
PEAK_RATE = 2e-3
DECAY = 0.1  # of the weights
LOG_EVERY = 250
EVALUATED = 1000  # texts while training, of which one in eight is held out


def new_model(seed: int) -> GPT2LMHeadModel:
    """2 layers of 4 heads, d_model 64."""
    return training.new_model(seed, tokenizer.VOCABULARY, tokenizer.CONTEXT, width=64, layers=2, heads=4)


def learn(model: GPT2LMHeadModel, seed: int, step: int) -> float:
    """Run the loss of a step's batch back, the mean cross-entropy of all tokens but the first."""
    tokens = data.training_batch(BATCH, torch.Generator().manual_seed(seed * 10**7 + step))
    logits = model(input_ids=tokens[:, :-1]).logits
    loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    return loss.item()


@torch.no_grad()
def evaluate(model: GPT2LMHeadModel, count: int, seed: int) -> dict[str, float]:
    """Share of the places where something is open at which the right closing bracket is the top token; also of texts
    whose beginning training never showed.
    """
    tokens = data.written(count, torch.Generator().manual_seed(seed))
    answers = data.innermost(tokens)
    right, asked = model(input_ids=tokens).logits.argmax(-1) == answers, answers > 0
    unseen = data.held_out(tokens)
    return {
        "closing": right[asked].float().mean().item(),
        "held_out": right[unseen][asked[unseen]].float().mean().item(),
    }


@torch.no_grad()
def ask_all(model: GPT2LMHeadModel) -> dict[str, int]:
    """Of all prompts of the task ``brackets``: how many there are, how many have the right answer as the top token, and
    how many of those that training never showed.
    """
    prompts = [prompt for template in brackets.TEMPLATES for prompt in brackets.listing(template, ())]
    tokens = torch.tensor([[tokenizer.VOCABULARY.index(each) for each in prompt.text] for prompt in prompts])
    answers = torch.tensor([tokenizer.VOCABULARY.index(str(prompt.answer)) for prompt in prompts])
    right, unseen = model(input_ids=tokens).logits[:, -1].argmax(-1) == answers, data.held_out(tokens)
    return {
        "prompts": len(prompts),
        "right": int(right.sum()),
        "held_out": int(unseen.sum()),
        "held_out_right": int((right & unseen).sum()),
    }


def logged(model: GPT2LMHeadModel) -> dict[str, float]:
    """What the log says of a model that is being trained."""
    return evaluate(model, EVALUATED, seed=1)


COURSE = training.Course(new_model, learn, logged, PEAK_RATE, DECAY, LOG_EVERY, digits=4)


def export(out: Path, to: Path) -> None:
    """Write the model folder as it ships, and the log of its training."""
    model, saved = COURSE.trained(out)
    training.write_folder(model, tokenizer.build(), to)
    training.write_log(to, saved, shipped=ask_all(training.load(to)))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m circuitdsl.models.brackets.train", description="Train brackets.")
    parser.add_argument("action", nargs="?", choices=("train", "export", "evaluate"), default="train")
    parser.add_argument("--out", type=Path, default=Path("build/brackets"), help="checkpoint and log")
    parser.add_argument("--folder", type=Path, default=PACKAGE, help="the model folder (default: as shipped)")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    if given.action == "train":
        COURSE.train(given.out, given.steps, given.seed)
    elif given.action == "export":
        export(given.out, given.folder)
    if given.action != "train":
        print(json.dumps(ask_all(training.load(given.folder)), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

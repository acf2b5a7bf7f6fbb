"""Train ``facts`` from nothing, or go on from a checkpoint; put it into the package; measure it.

    python -m circuitdsl.models.facts.train --out build/facts           # train; run again to go on
    python -m circuitdsl.models.facts.train export --out build/facts    # write the model folder as it ships
    python -m circuitdsl.models.facts.train evaluate                    # accuracies of the shipped folder

The data of a step depend on the seed and the step only, so a resumed run is the same run.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

import torch
from torch.nn import functional
from transformers import GPT2LMHeadModel

from circuitdsl.models import training
from circuitdsl.models.facts import data, tokenizer

PACKAGE = Path(__file__).parent / "facts"
BATCH = 128
STEPS = 2000
PEAK_RATE = 2e-3
DECAY = 0.1  # of the weights
WARMING = 100  # steps
LOG_EVERY = 200
EVALUATED = 1000  # sequences with demonstrations


def new_model(seed: int) -> GPT2LMHeadModel:
    """3 layers of 8 heads, d_model 128."""
    return training.new_model(seed, tokenizer.vocabulary(), tokenizer.CONTEXT, width=128, layers=3, heads=8)


def logits_of(model: GPT2LMHeadModel, tokens: torch.Tensor) -> torch.Tensor:
    """Logits [texts, tokens, vocabulary]. Texts are padded at their ends, where nothing before can see it."""
    return model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits


def loss_of(model: GPT2LMHeadModel, given: data.Sequences) -> torch.Tensor:
    """Mean cross-entropy of the tokens that are asked for."""
    return functional.cross_entropy(logits_of(model, given.tokens)[given.asked], given.answers[given.asked])


def learn(model: GPT2LMHeadModel, seed: int, step: int) -> float:
    """Run the loss of a step's batch back, that of sentences and that of demonstrations by their shares of it."""
    rng = torch.Generator().manual_seed(seed * 10**7 + step)
    demonstrated = int(BATCH * data.DEMONSTRATED)
    sentences = data.in_sentences()
    some = torch.randint(len(sentences.tokens), (BATCH - demonstrated,), generator=rng)
    shots = int(torch.randint(1, data.SHOTS + 1, (), generator=rng))
    total = 0.0
    for given, share in (
        (sentences[some], 1 - data.DEMONSTRATED),
        (data.after_demonstrations(demonstrated, shots, rng), data.DEMONSTRATED),
    ):
        loss = loss_of(model, given) * share
        loss.backward()
        total += loss.item()
    return total


@torch.no_grad()
def accuracy(model: GPT2LMHeadModel, given: data.Sequences) -> float:
    """Share of the tokens asked for that are the top token."""
    said = torch.cat([logits_of(model, rows).argmax(-1) for rows in given.tokens.split(1000)])
    return (said == given.answers)[given.asked].float().mean().item()


def evaluate(model: GPT2LMHeadModel, seed: int) -> dict[str, float]:
    """Accuracies: sentences as trained and in wordings held out, and facts held out after two demonstrations and none.

    Without demonstrations nothing says which relation is meant.
    """
    rng = torch.Generator().manual_seed(seed)
    return {
        "sentences": accuracy(model, data.in_sentences()),
        "held-out wordings": accuracy(model, data.in_sentences(held_out_wordings=True)),
        "two demonstrations": accuracy(model, data.after_demonstrations(EVALUATED, 2, rng, unseen=True)),
        "no demonstrations": accuracy(model, data.after_demonstrations(EVALUATED, 0, rng, unseen=True)),
    }


COURSE = training.Course(new_model, learn, partial(evaluate, seed=1), PEAK_RATE, DECAY, LOG_EVERY, WARMING)


def export(out: Path, to: Path) -> None:
    """Write the model folder as it ships, and the log of its training."""
    model, saved = COURSE.trained(out)
    training.write_folder(model, tokenizer.build(), to)
    training.write_log(to, saved, shipped=evaluate(training.load(to), seed=2))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m circuitdsl.models.facts.train", description="Train facts.")
    parser.add_argument("action", nargs="?", choices=("train", "export", "evaluate"), default="train")
    parser.add_argument(
        "--out", type=Path, default=Path("build/facts"), help="checkpoint and log (default build/facts)"
    )
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
        print(json.dumps(evaluate(training.load(given.folder), seed=2), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

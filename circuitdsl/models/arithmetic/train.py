"""Train ``addition`` from nothing, or ``arithmetic`` from ``addition``; put them into the package; measure them.

    python -m circuitdsl.models.arithmetic.train addition --out build/addition       # train; run again to go on
    python -m circuitdsl.models.arithmetic.train addition export --out build/addition  # write the folder as it ships

``arithmetic`` begins with the weights of the ``addition`` that ships, and with one layer more, which begins by
writing nothing: before its first step it is ``addition``. The data of a step depend on the seed and the step only,
so a resumed run is the same run.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional
from transformers import GPT2LMHeadModel

from circuitdsl.models import training
from circuitdsl.models.arithmetic import data, tokenizer
from circuitdsl.tasks.arithmetic import BEYOND

PACKAGE = Path(__file__).parent
BATCH = 96
PEAK_RATE = 1.5e-3
DECAY = 0.1  # of the weights
LOG_EVERY = 250
EVALUATED = 2000  # held-out questions of a kind while training


@dataclass(frozen=True)
class Recipe:
    """How one model is trained; ``begins`` names the model whose weights it begins with."""

    layers: int
    steps: int
    subtractions: float  # share of the training questions
    begins: str | None = None


RECIPES = {
    "addition": Recipe(layers=2, steps=5_000, subtractions=0.0),
    "arithmetic": Recipe(layers=3, steps=8_000, subtractions=2 / 3, begins="addition"),
}


def new_model(recipe: Recipe, seed: int) -> GPT2LMHeadModel:
    """Layers of 4 heads, d_model 128."""
    words, context = tokenizer.VOCABULARY, tokenizer.CONTEXT
    model = training.new_model(seed, words, context, width=128, layers=recipe.layers, heads=4)
    if recipe.begins is not None:
        insert(training.load(PACKAGE / recipe.begins), model)
    return model


@torch.no_grad()
def insert(small: GPT2LMHeadModel, large: GPT2LMHeadModel) -> None:
    """Give ``large`` the weights of ``small``; its further layers write nothing until they learn to."""
    large.load_state_dict(small.state_dict(), strict=False)
    known = small.state_dict()
    for name, weights in large.named_parameters():
        if name not in known and ".c_proj." in name:  # by which attention and MLP write
            weights.zero_()


def answer_logits(model: GPT2LMHeadModel, tokens: Int[Tensor, "questions tokens"]) -> Tensor:
    """The logits [questions, answer tokens, vocabulary] that should name each token of the answer."""
    return model(input_ids=tokens[:, :-1]).logits[:, data.QUESTION - 1 :]


def learn(recipe: Recipe, model: GPT2LMHeadModel, seed: int, step: int) -> float:
    """Run the loss of a step's batch back, the mean cross-entropy of the answers' tokens."""
    rng = torch.Generator().manual_seed(seed * 10**7 + step)
    tokens = data.training_batch(BATCH, recipe.subtractions, rng)
    logits = answer_logits(model, tokens)
    loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, data.QUESTION :].flatten())
    loss.backward()
    return loss.item()


@torch.no_grad()
def evaluate(model: GPT2LMHeadModel, count: int, seed: int) -> dict[str, float]:
    """Share of held-out sums and differences of which every token of the answer is the top token."""
    rng = torch.Generator().manual_seed(seed)
    first, second = torch.randint(BEYOND, (2, 10 * count), generator=rng)
    kept = data.held_out(first, second).nonzero()[:count, 0]
    found = {}
    for kind, minus in (("sums", False), ("differences", True)):
        tokens = data.written(first[kept], second[kept], torch.full((len(kept),), minus))
        right = (answer_logits(model, tokens).argmax(-1) == tokens[:, data.QUESTION :]).all(1)
        found[kind] = right.float().mean().item()
    return found


def logged(model: GPT2LMHeadModel) -> dict[str, float]:
    """What the log says of a model that is being trained."""
    return evaluate(model, EVALUATED, seed=1)


def course(recipe: Recipe) -> training.Course:
    """How a model learns by its recipe."""
    return training.Course(partial(new_model, recipe), partial(learn, recipe), logged, PEAK_RATE, DECAY, LOG_EVERY)


def export(name: str, out: Path, to: Path) -> None:
    """Write the model folder as it ships, and the log of its training."""
    model, saved = course(RECIPES[name]).trained(out)
    training.write_folder(model, tokenizer.build(), to)
    training.write_log(to, saved)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m circuitdsl.models.arithmetic.train", description="Train a model.")
    parser.add_argument("name", choices=tuple(RECIPES))
    parser.add_argument("action", nargs="?", choices=("train", "export"), default="train")
    parser.add_argument("--out", type=Path, help="checkpoint and log (default build/NAME)")
    parser.add_argument("--folder", type=Path, help="the model folder (default: as shipped)")
    parser.add_argument("--steps", type=int, help="how many (default: as shipped)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    out, recipe = given.out or Path("build") / given.name, RECIPES[given.name]
    if given.action == "train":
        course(recipe).train(out, given.steps or recipe.steps, given.seed)
    else:
        export(given.name, out, given.folder or PACKAGE / given.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())

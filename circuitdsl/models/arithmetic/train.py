"""Train ``addition`` from nothing, or ``arithmetic`` from ``addition``; put them into the package; measure them.

    python -m circuitdsl.models.arithmetic.train addition --out build/addition       # train; run again to go on
    python -m circuitdsl.models.arithmetic.train addition export --out build/addition  # write the folder as it ships

``arithmetic`` begins with the weights of the ``addition`` that ships, and with one layer more, which begins by
writing nothing: before its first step it is ``addition``. The data of a step depend on the seed and the step only,
so a resumed run is the same run.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel

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
    """Layers of 4 heads and a ReLU MLP, d_model 128, tied embeddings, no dropout."""
    torch.manual_seed(seed)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer.VOCABULARY),
            n_positions=tokenizer.CONTEXT,
            n_embd=128,
            n_layer=recipe.layers,
            n_head=4,
            activation_function="relu",
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            initializer_range=0.06,
            bos_token_id=tokenizer.VOCABULARY.index(tokenizer.BOS),
            eos_token_id=tokenizer.VOCABULARY.index(tokenizer.BOS),
            pad_token_id=tokenizer.VOCABULARY.index(tokenizer.PAD),
        )
    )
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


def train_step(
    model: GPT2LMHeadModel, optimiser: torch.optim.Optimizer, tokens: Int[Tensor, "questions tokens"]
) -> float:
    """One step of the optimiser on one batch; its loss, the mean cross-entropy of the answers' tokens."""
    logits = answer_logits(model, tokens)
    loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, data.QUESTION :].flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
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


def train(name: str, out: Path, steps: int, seed: int) -> None:
    """Train to ``steps``, going on from ``out/checkpoint.pt`` if it is there, whose seed then counts."""
    out.mkdir(parents=True, exist_ok=True)
    recipe = RECIPES[name]
    saved = training.saved(out)
    step, log, seed = (saved[key] for key in ("step", "log", "seed")) if saved else (0, [], seed)
    model = new_model(recipe, seed)
    optimiser = training.optimiser(model, PEAK_RATE, DECAY)
    if saved:
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
    while step < steps:
        for group in optimiser.param_groups:
            group["lr"] = PEAK_RATE * training.rate(step, steps)
        rng = torch.Generator().manual_seed(seed * 10**7 + step)
        loss = train_step(model, optimiser, data.training_batch(BATCH, recipe.subtractions, rng))
        step += 1
        if step % LOG_EVERY and step < steps:
            continue
        found = {kind: round(share, 4) for kind, share in evaluate(model, EVALUATED, seed=1).items()}
        log.append({"step": step, "loss": round(loss, 6)} | found)
        print(json.dumps(log[-1]), flush=True)
        training.save(out, model, optimiser, {"step": step, "log": log, "seed": seed})


def export(name: str, out: Path, to: Path) -> None:
    """Write the model folder as it ships, and the log of its training."""
    saved = training.finished(out)
    model = new_model(RECIPES[name], saved["seed"])
    model.load_state_dict(saved["model"])
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
    out = given.out or Path("build") / given.name
    if given.action == "train":
        train(given.name, out, given.steps or RECIPES[given.name].steps, given.seed)
    else:
        export(given.name, out, given.folder or PACKAGE / given.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())

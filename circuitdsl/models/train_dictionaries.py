"""Train dictionaries of every layer of a model that ships: of what its heads write together, and of its MLP.

    python -m circuitdsl.models.train_dictionaries mini --out build/dictionaries            # all; run again to go on
    python -m circuitdsl.models.train_dictionaries mini export --out build/dictionaries     # as they ship, measured
    python -m circuitdsl.models.train_dictionaries mini evaluate                            # those that ship, measured

``attn1`` is an autoencoder at ``attn_out 1``, ``mlp1`` a transcoder of the MLP of layer 1 (Ge et al. 2024,
arXiv:2405.13868). All of them learn side by side, from the same texts, read as the tasks are: from position 0, with no
BOS. The texts of a step depend on the seed and the step only, and the rate on ``--steps``, so a run that is resumed
with the same ``--steps`` is the same run.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional
from transformers import GPT2LMHeadModel

from circuitdsl.components import Dictionary, Point
from circuitdsl.library import specs_folder
from circuitdsl.models import training
from circuitdsl.models.brackets import data as brackets
from circuitdsl.models.dictionaries import DictionaryWeights, describe_dictionary, open_dictionary
from circuitdsl.models.folders import SHIPPED
from circuitdsl.models.mini import data as mini
from circuitdsl.models.sparse import Coder, Written

RATE = 1.5e-3
WARMING = 100  # steps
FALLING = 5  # the rate falls over this part of the steps, the last fifth
LOG_EVERY = 100
BEGINNING = 8  # batches of which means and scales are taken
EVALUATED = 12  # batches


@dataclass(frozen=True)
class Texts:
    """Some texts: their tokens, which of these are no padding, and which the model is asked for."""

    tokens: Int[Tensor, "texts tokens"]
    there: Bool[Tensor, "texts tokens"]
    asked: Bool[Tensor, "texts tokens"]


@dataclass(frozen=True)
class Recipe:
    """How the dictionaries of a model are trained: each has ``count`` features, ``active`` of them a token."""

    count: int
    active: float
    steps: int
    texts: Callable[[int], Texts]


_MIXTURE = {"repeats": 7, "ioi": 7, "three_names": 2, "one_scene": 4, "two_scenes": 4}
"""Texts of a step, by their kind."""


def _of_mini(seed: int) -> Texts:
    writer, rng = mini.Writer(), random.Random(f"dictionaries {seed}")
    examples = [getattr(writer, kind)(rng) for kind, count in _MIXTURE.items() for _ in range(count)]
    width = max(len(each.tokens) for each in examples)
    tokens = torch.zeros(len(examples), width, dtype=torch.long)
    there, asked = (torch.zeros(tokens.shape, dtype=torch.bool) for _ in range(2))
    for row, each in enumerate(examples):
        tokens[row, : len(each.tokens)] = torch.tensor(each.tokens)
        there[row, : len(each.tokens)] = True
        asked[row, list(each.asked)] = True
    return Texts(tokens, there, asked)


def _of_brackets(seed: int) -> Texts:
    tokens = brackets.training_batch(96, torch.Generator().manual_seed(seed))
    there = torch.ones(tokens.shape, dtype=torch.bool)
    return Texts(tokens, there, there & (torch.arange(tokens.shape[1]) > 0))


RECIPES = {
    "mini": Recipe(count=512, active=16, steps=2_000, texts=_of_mini),
    "brackets": Recipe(count=192, active=8, steps=2_000, texts=_of_brackets),
}


@dataclass(frozen=True)
class Place:
    """Where a dictionary reads and writes: ``attn`` or ``mlp`` of a layer."""

    kind: str
    layer: int

    @property
    def name(self) -> str:
        return f"{self.kind}{self.layer}"

    @property
    def point(self) -> Point:
        return "attn_out" if self.kind == "attn" else "mlp_out"

    def written(self, model: str) -> Written:
        stands_at = f"blocks.{self.layer}.hook_{self.point}"
        return Written(model, stands_at if self.kind == "attn" else f"blocks.{self.layer}.mlp.hook_in", stands_at)

    def writer(self, model: GPT2LMHeadModel) -> torch.nn.Module:
        """The module that writes what stands there."""
        block: Any = model.transformer.h[self.layer]
        return block.attn.c_proj if self.kind == "attn" else block.mlp


def places(model: GPT2LMHeadModel) -> tuple[Place, ...]:
    """All that a model has."""
    return tuple(Place(kind, layer) for layer in range(model.config.n_layer) for kind in ("attn", "mlp"))


Pair = tuple[Float[Tensor, "... width"], Float[Tensor, "... width"]]
"""What a dictionary reads, and what it is to give."""


@torch.no_grad()
def activations(model: GPT2LMHeadModel, texts: Texts) -> dict[Place, Pair]:
    """What each dictionary reads and is to give, at all tokens of some texts."""
    found: dict[Place, Pair] = {}

    def keep(place: Place) -> Callable[..., None]:
        def hook(module: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            read = output if place.kind == "attn" else inputs[0]
            found[place] = (read[texts.there], output[texts.there])

        return hook

    handles = [place.writer(model).register_forward_hook(keep(place)) for place in places(model)]
    try:
        model.transformer(input_ids=texts.tokens)
    finally:
        for handle in handles:
            handle.remove()
    return found


# --- training ----------------------------------------------------------------------------------------


def _seed(seed: int, step: int) -> int:
    return seed * 10**7 + step


def begun(model: GPT2LMHeadModel, recipe: Recipe, seed: int) -> dict[Place, Coder]:
    """Dictionaries that have learnt nothing yet."""
    many = [activations(model, recipe.texts(_seed(seed, 10**6 + each))) for each in range(BEGINNING)]
    found: dict[Place, Coder] = {}
    for place in places(model):
        x, y = (torch.cat(each) for each in zip(*(pairs[place] for pairs in many), strict=True))
        found[place] = Coder(x, y, recipe.count, recipe.active, seed)
    return found


def train(name: str, out: Path, steps: int, seed: int) -> None:
    """Train to ``steps``, going on from ``out/checkpoint.pt`` if it is there, whose seed then counts."""
    out.mkdir(parents=True, exist_ok=True)
    recipe, model = RECIPES[name], training.load(SHIPPED[name])
    saved = training.saved(out)
    step, log, seed = (saved[key] for key in ("step", "log", "seed")) if saved else (0, [], seed)
    coders = begun(model, recipe, seed)
    optimiser = torch.optim.Adam([each for coder in coders.values() for each in coder.parameters()], lr=RATE)
    if saved:
        for place, coder in coders.items():
            coder.load_state_dict(saved["model"][place.name])
        optimiser.load_state_dict(saved["optimiser"])
    while step < steps:
        for group in optimiser.param_groups:
            group["lr"] = RATE * training.rate(step, steps, WARMING, FALLING)
        losses = _train_step(coders, optimiser, activations(model, recipe.texts(_seed(seed, step))))
        step += 1
        if step % LOG_EVERY and step < steps:
            continue
        log.append({"step": step, "unexplained": losses, "unused": _unused(coders)})
        print(json.dumps(log[-1]), flush=True)
        states = {place.name: coder.state_dict() for place, coder in coders.items()}
        training.save(out, states, optimiser, {"step": step, "log": log, "seed": seed})


def _train_step(
    coders: Mapping[Place, Coder], optimiser: torch.optim.Optimizer, pairs: Mapping[Place, Pair]
) -> dict[str, float]:
    """One step of all dictionaries; the loss of each, ``unexplained`` in the log: that of a batch of the training, with
    what it has for features that are not used."""
    losses = {place: coder.loss(*pairs[place]) for place, coder in coders.items()}
    torch.stack(list(losses.values())).sum().backward()
    optimiser.step()
    optimiser.zero_grad()
    for coder in coders.values():
        coder.normalise()
    return {place.name: round(loss.item(), 4) for place, loss in losses.items()}


def _unused(coders: Mapping[Place, Coder]) -> dict[str, int]:
    return {place.name: int((coder.unused > LOG_EVERY).sum()) for place, coder in coders.items()}


def export(name: str, out: Path, to: Path) -> None:
    """Write a folder for each dictionary, and the log of the training with what they are like."""
    saved, recipe, model = training.finished(out), RECIPES[name], training.load(SHIPPED[name])
    coders = begun(model, recipe, saved["seed"])
    for place, coder in coders.items():
        coder.load_state_dict(saved["model"][place.name])
        coder.write(to / place.name, place.written(name))
    training.write_log(to, saved, model=name, active=recipe.active, shipped=evaluate(name, to))


# --- what they are like -------------------------------------------------------------------------------


def opened(folder: Path, model: GPT2LMHeadModel) -> dict[Place, DictionaryWeights]:
    """The dictionaries of a folder. Raises UnknownName and ModelError for what cannot be read."""
    found: dict[Place, DictionaryWeights] = {}
    for place in places(model):
        info = describe_dictionary(place.name, str(folder))
        given = (place.point, place.layer, info.n_features, info.fingerprint, info.transcoder, place.name, info.folder)
        found[place] = open_dictionary(Dictionary(*given))
    return found


@torch.no_grad()
def evaluate(name: str, folder: Path) -> dict[str, dict[str, float]]:
    """What the dictionaries of a folder are like on texts of another seed, by name, and ``all`` together.

    Training showed none of those of mini, and some of those of brackets, of which there are few beginnings.

    ``unexplained`` is the share of the variance that the features leave; ``active`` how many a token has; ``used`` how
    many are used at all. ``recovered`` is the share of the loss that is kept where features stand without the error,
    and none is where zeros do; that of ``all`` is with all dictionaries in place.
    """
    model, recipe = training.load(SHIPPED[name]), RECIPES[name]
    dictionaries = opened(folder, model)
    batches = [recipe.texts(_seed(1, 2 * 10**6 + each)) for each in range(EVALUATED)]
    pairs = [activations(model, texts) for texts in batches]
    clean = _loss(model, batches)
    found: dict[str, dict[str, float]] = {}
    for place, weights in dictionaries.items():
        x, y = (torch.cat(each) for each in zip(*(each[place] for each in pairs), strict=True))
        given = weights.features(x)
        left = y - weights.decoded(given)
        found[place.name] = {
            "unexplained": (left.square().sum() / (y - y.mean(0)).square().sum()).item(),
            "active": (given > 0).sum(1).float().mean().item(),
            "used": int((given > 0).any(0).sum()),
            "recovered": _recovered(model, batches, {place: weights}, clean),
        }
    found["all"] = {"loss": clean, "recovered": _recovered(model, batches, dictionaries, clean)}
    return {place: {key: round(value, 4) for key, value in each.items()} for place, each in found.items()}


def _recovered(
    model: GPT2LMHeadModel, batches: list[Texts], dictionaries: Mapping[Place, DictionaryWeights], clean: float
) -> float:
    with _written(model, {place: _given(weights) for place, weights in dictionaries.items()}):
        by_features = _loss(model, batches)
    with _written(model, dict.fromkeys(dictionaries, lambda read: torch.zeros_like(read))):
        by_nothing = _loss(model, batches)
    return (by_nothing - by_features) / (by_nothing - clean)


def _given(weights: DictionaryWeights) -> Callable[[Tensor], Tensor]:
    return lambda read: weights.decoded(weights.features(read))


@contextmanager
def _written(model: GPT2LMHeadModel, makes: Mapping[Place, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """The model with what stands at some places made of what dictionaries read there."""

    def instead(place: Place) -> Callable[..., Tensor]:
        return lambda module, inputs, output: makes[place](output if place.kind == "attn" else inputs[0])

    handles = [place.writer(model).register_forward_hook(instead(place)) for place in makes]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _loss(model: GPT2LMHeadModel, batches: list[Texts]) -> float:
    """The mean cross-entropy of the tokens that are asked for."""
    total, count = 0.0, 0
    for texts in batches:
        logits, asked = model(input_ids=texts.tokens).logits[:, :-1], texts.asked[:, 1:]
        total += functional.cross_entropy(logits[asked], texts.tokens[:, 1:][asked], reduction="sum").item()
        count += int(asked.sum())
    return total / count


def shipped(name: str) -> Path:
    """Where the dictionaries of a model lie: beside the specifications that name them."""
    return specs_folder() / "features" / name


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m circuitdsl.models.train_dictionaries", description="Train them.")
    parser.add_argument("name", choices=tuple(RECIPES), help="the model")
    parser.add_argument("action", nargs="?", choices=("train", "export", "evaluate"), default="train")
    parser.add_argument("--out", type=Path, help="checkpoint and log (default build/NAME-dictionaries)")
    parser.add_argument("--folder", type=Path, help="the dictionaries (default: as shipped)")
    parser.add_argument("--steps", type=int, help="how many (default: as shipped)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    out, folder = given.out or Path(f"build/{given.name}-dictionaries"), given.folder or shipped(given.name)
    if given.action == "train":
        train(given.name, out, given.steps or RECIPES[given.name].steps, given.seed)
    elif given.action == "export":
        export(given.name, out, folder)
    if given.action != "train":
        print(json.dumps(evaluate(given.name, folder), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

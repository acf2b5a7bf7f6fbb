"""Train ``mini`` from nothing, or go on from a checkpoint; put it into the package; measure it.

    python -m circuitdsl.models.mini.train --out build/mini             # train; run again to go on
    python -m circuitdsl.models.mini.train --out build/mini --keep-every 250  # and keep build/mini/step0, step250, ...
    python -m circuitdsl.models.mini.train export --out build/mini      # write the model folder as it ships
    python -m circuitdsl.models.mini.train evaluate                     # held-out accuracies of the shipped folder

The order in which things are learnt matters: mixed from the start, Colored Objects stays at chance. First come
repeated random sequences alone, until induction has formed, then IOI and single scenes, and when these are learnt
the scenes with a worked example before them. Every sequence starts at a random position of the context, half
of them after a BOS token. The data of a step depend on the seed and the step only, so a resumed run is the same run.

A kept checkpoint is a model folder written as the one that ships is: weights rounded to float16, so that with the
versions of the training log the folder of step 5000 has the weights that ship, to the last bit.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel

from circuitdsl.models import training
from circuitdsl.models.mini import data, tokenizer

PACKAGE = Path(__file__).parent
BATCH = 64
MOVED = 0.7  # share of the sequences that do not start at position 0
WITH_BOS = 0.5
PEAK_RATE = 1.5e-3
DECAY = 0.05  # of the weights
CONTEXT_WEIGHT = 0.1  # of the loss on tokens that are not asked for
EVALUATE_EVERY = 100
EVALUATED = 128  # prompts per task while training
FINAL = 1000  # prompts per task when the work is done


@dataclass(frozen=True)
class Stage:
    """A mixture of examples (sequences per step), and the accuracies that end it."""

    mixture: tuple[tuple[str, int], ...]
    until: tuple[tuple[str, float], ...]


STAGES = (
    Stage((("repeats", 64),), (("repeats", 0.93),)),
    Stage(
        (("repeats", 8), ("ioi", 22), ("three_names", 5), ("one_scene", 29)),
        (("ioi", 0.97), ("one_scene", 0.95)),
    ),
    Stage((("repeats", 5), ("ioi", 14), ("three_names", 4), ("one_scene", 15), ("two_scenes", 26)), ()),
)


def new_model(seed: int) -> GPT2LMHeadModel:
    """4 layers of 8 heads, d_model 128, tied embeddings, no dropout; wide initial weights learn these tasks sooner."""
    torch.manual_seed(seed)
    words = tokenizer.vocabulary()
    bos = words.index(tokenizer.BOS)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(words),
            n_positions=tokenizer.CONTEXT,
            n_embd=128,
            n_layer=4,
            n_head=8,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            initializer_range=0.08,
            bos_token_id=bos,
            eos_token_id=bos,
            pad_token_id=words.index(tokenizer.PAD),
        )
    )


def rate(step: int, steps: int) -> float:
    """Share of the peak learning rate: up over 100 steps, level, down to 2% over the last quarter."""
    falling = max(1, steps // 4)
    return min((step + 1) / 100, 1.0, max(0.02, (steps - step) / falling))


def batch_loss(model: GPT2LMHeadModel, examples: list[data.Example], rng: random.Random) -> torch.Tensor:
    """Summed over examples: mean cross-entropy of the asked tokens, plus a little of that of the others."""
    words = tokenizer.vocabulary()
    bos, pad = words.index(tokenizer.BOS), words.index(tokenizer.PAD)
    placed = [
        replace(e, tokens=(bos, *e.tokens), asked=tuple(i + 1 for i in e.asked)) if rng.random() < WITH_BOS else e
        for e in examples
    ]
    width = max(len(e.tokens) for e in placed)
    tokens = torch.full((len(placed), width), pad)
    weights = torch.zeros(len(placed), width)
    starts = torch.tensor([rng.randint(0, tokenizer.CONTEXT - width) if rng.random() < MOVED else 0 for _ in placed])
    for row, example in enumerate(placed):
        tokens[row, : len(example.tokens)] = torch.tensor(example.tokens)
        if example.sentence:  # its other words can be learnt too; random tokens cannot
            weights[row, 1 : len(example.tokens)] = CONTEXT_WEIGHT / len(example.tokens)
        weights[row, list(example.asked)] = 1 / len(example.asked)
    logits = model(input_ids=tokens, position_ids=starts[:, None] + torch.arange(width)[None]).logits
    losses = functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    return (losses * weights[:, 1:].flatten()).sum()


@torch.no_grad()
def prompt_accuracy(model: GPT2LMHeadModel, prompts: list[Any]) -> float:
    """Share of ``TextPrompt``s whose top token is the answer, each read from position 0 with no BOS."""
    writer = data.Writer()
    right = 0
    by_length: dict[int, list[tuple[int, ...]]] = {}
    for prompt in prompts:
        tokens = writer.encode(prompt.text + prompt.answer)
        by_length.setdefault(len(tokens), []).append(tokens)
    for rows in by_length.values():
        tokens = torch.tensor(rows)
        right += int((model(tokens[:, :-1]).logits[:, -1].argmax(-1) == tokens[:, -1]).sum())
    return right / len(prompts)


@torch.no_grad()
def repeat_accuracy(model: GPT2LMHeadModel, count: int, seed: int) -> float:
    """Share of second-time tokens of repeated random sequences that are the top token."""
    writer, rng = data.Writer(), random.Random(f"repeats {seed}")
    shares = []
    for _ in range(count):
        example = writer.repeats(rng)
        tokens = torch.tensor([example.tokens])
        asked = torch.tensor(example.asked)
        shares.append((model(tokens).logits[0, asked - 1].argmax(-1) == tokens[0, asked]).float().mean().item())
    return sum(shares) / len(shares)


def evaluate(model: GPT2LMHeadModel, count: int, seed: int) -> dict[str, float]:
    """Top-1 accuracies on held-out combinations: pairs of names, and colours of the thing asked for."""
    return {
        "repeats": repeat_accuracy(model, min(count, 64), seed),
        "ioi": prompt_accuracy(model, data.unseen_ioi(count, seed)),
        "one_scene": prompt_accuracy(model, data.unseen_colored_objects(count, 0, seed)),
        "two_scenes": prompt_accuracy(model, data.unseen_colored_objects(count, 1, seed)),
    }


def train_step(model: GPT2LMHeadModel, optimiser: torch.optim.Optimizer, stage: Stage, rng: random.Random) -> float:
    """One step of the optimiser on one batch of the stage's mixture; the batch's loss."""
    writer = data.Writer()
    total = 0.0
    for kind, count in stage.mixture:
        make: data.Maker = getattr(writer, kind)
        loss = batch_loss(model, [make(rng) for _ in range(count)], rng) / BATCH
        loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
    return total


def train(out: Path, steps: int, seed: int, keep_every: int = 0) -> None:
    """Train to ``steps``, going on from ``out/checkpoint.pt`` if it is there, whose seed then counts.

    Every 100 steps the accuracies are printed and the checkpoint, which holds the log, is written anew. Every
    ``keep_every`` steps, and before the first, the model is kept in a folder of its own, ``out/step250``; never for 0.
    """
    out.mkdir(parents=True, exist_ok=True)
    saved = training.saved(out)
    step, stage, log, seed = (saved[key] for key in ("step", "stage", "log", "seed")) if saved else (0, 0, [], seed)
    model = new_model(seed)
    optimiser = training.optimiser(model, PEAK_RATE, DECAY)
    if saved:
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
    elif keep_every:
        training.write_folder(model, tokenizer.build(), out / "step0")
    while step < steps:
        for group in optimiser.param_groups:
            group["lr"] = PEAK_RATE * rate(step, steps)
        loss = train_step(model, optimiser, STAGES[stage], random.Random(f"{seed} {step}"))
        step += 1
        if keep_every and step % keep_every == 0:
            training.write_folder(model, tokenizer.build(), out / f"step{step}")
        if step % EVALUATE_EVERY and step < steps:
            continue
        found = {kind: round(share, 4) for kind, share in evaluate(model, EVALUATED, seed=1).items()}
        log.append({"step": step, "stage": stage, "loss": round(loss, 4)} | found)
        print(json.dumps(log[-1]), flush=True)
        until = STAGES[stage].until
        stage += bool(until) and all(found[kind] >= bound for kind, bound in until)
        training.save(out, model.state_dict(), optimiser, {"step": step, "stage": stage, "log": log, "seed": seed})


def export(out: Path, to: Path) -> None:
    """Write the model folder as it ships, and the log with final accuracies."""
    saved = training.finished(out)
    model = new_model(saved["seed"])
    model.load_state_dict(saved["model"])
    training.write_folder(model, tokenizer.build(), to)
    shipped = evaluate(training.load(to), FINAL, seed=2)
    training.write_log(to, saved, stages=[dict(stage.mixture) for stage in STAGES], shipped=shipped)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m circuitdsl.models.mini.train", description="Train mini.")
    parser.add_argument("action", nargs="?", choices=("train", "export", "evaluate"), default="train")
    parser.add_argument("--out", type=Path, default=Path("build/mini"), help="checkpoint and log (default build/mini)")
    parser.add_argument("--folder", type=Path, default=PACKAGE, help="the model folder (default: as shipped)")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep-every", type=int, default=0, metavar="STEPS", help="keep the model every so many steps")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    if given.action == "train":
        train(given.out, given.steps, given.seed, given.keep_every)
    elif given.action == "export":
        export(given.out, given.folder)
    if given.action != "train":
        print(json.dumps(evaluate(training.load(given.folder), FINAL, seed=2), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

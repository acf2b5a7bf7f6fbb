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
from transformers import GPT2Config, GPT2LMHeadModel

from circuitdsl.models import training
from circuitdsl.models.brackets import data, tokenizer
from circuitdsl.tasks import brackets

PACKAGE = Path(__file__).parent
BATCH = 128
STEPS = 6_000
PEAK_RATE = 2e-3
DECAY = 0.1  # of the weights
WARMING = 200  # steps
LOG_EVERY = 250
EVALUATED = 1000  # texts while training, of which one in eight is held out


def new_model(seed: int) -> GPT2LMHeadModel:
    """2 layers of 4 heads and a ReLU MLP, d_model 64, tied embeddings, no dropout."""
    torch.manual_seed(seed)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer.VOCABULARY),
            n_positions=tokenizer.CONTEXT,
            n_embd=64,
            n_layer=2,
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


def rate(step: int, steps: int) -> float:
    """Share of the peak learning rate: up over ``WARMING`` steps, level, down to nothing over the last half."""
    return min((step + 1) / WARMING, 1.0, 2 * (steps - step) / steps)


def train_step(model: GPT2LMHeadModel, optimiser: torch.optim.Optimizer, tokens: data.Tokens) -> float:
    """One step of the optimiser on one batch; its loss, the mean cross-entropy of all tokens but the first."""
    logits = model(input_ids=tokens[:, :-1]).logits
    loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
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


def train(out: Path, steps: int, seed: int) -> None:
    """Train to ``steps``, going on from ``out/checkpoint.pt`` if it is there, whose seed then counts."""
    out.mkdir(parents=True, exist_ok=True)
    saved = training.saved(out)
    step, log, seed = (saved[key] for key in ("step", "log", "seed")) if saved else (0, [], seed)
    model = new_model(seed)
    optimiser = training.optimiser(model, PEAK_RATE, DECAY)
    if saved:
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
    while step < steps:
        for group in optimiser.param_groups:
            group["lr"] = PEAK_RATE * rate(step, steps)
        rng = torch.Generator().manual_seed(seed * 10**7 + step)
        loss = train_step(model, optimiser, data.training_batch(BATCH, rng))
        step += 1
        if step % LOG_EVERY and step < steps:
            continue
        found = {kind: round(share, 4) for kind, share in evaluate(model, EVALUATED, seed=1).items()}
        log.append({"step": step, "loss": round(loss, 4)} | found)
        print(json.dumps(log[-1]), flush=True)
        training.save(out, model, optimiser, {"step": step, "log": log, "seed": seed})


def export(out: Path, to: Path) -> None:
    """Write the model folder as it ships, and the log of its training."""
    saved = training.finished(out)
    model = new_model(saved["seed"])
    model.load_state_dict(saved["model"])
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
        train(given.out, given.steps, given.seed)
    elif given.action == "export":
        export(given.out, given.folder)
    if given.action != "train":
        print(json.dumps(ask_all(training.load(given.folder)), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Train ``acronyms`` from nothing, put it into the package, and say how well it spells.

    python -m circuitdsl.models.acronyms.train --out build/acronyms          # train; run again to go on
    python -m circuitdsl.models.acronyms.train export --out build/acronyms   # write the folder as it ships

The data of a step depend on the seed and the step only, so a resumed run is the same run.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from random import Random

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel

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
    """3 layers of 4 heads and a ReLU MLP, d_model 64, tied embeddings, no dropout."""
    torch.manual_seed(seed)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer.VOCABULARY),
            n_positions=tokenizer.CONTEXT,
            n_embd=64,
            n_layer=3,
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


def said(model: GPT2LMHeadModel, texts: list[list[int]]) -> tuple[Float[Tensor, "texts letters vocabulary"], Tensor]:
    """The logits that should name each letter, and the letters' tokens, [texts, letters]."""
    tokens, letters = data.padded(texts)
    read = tokens[:, :-1]
    logits = model(input_ids=read, attention_mask=torch.ones_like(read)).logits  # what is padded comes last
    rows = torch.arange(len(texts))[:, None]
    return logits[rows, letters - 1], tokens[rows, letters]


def train_step(model: GPT2LMHeadModel, optimiser: torch.optim.Optimizer, texts: list[list[int]]) -> float:
    """One step of the optimiser on one batch; its loss, the mean cross-entropy of the letters."""
    logits, letters = said(model, texts)
    loss = functional.cross_entropy(logits.flatten(0, 1), letters.flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
    return loss.item()


@torch.no_grad()
def evaluate(model: GPT2LMHeadModel, count: int, seed: int) -> dict[str, float]:
    """Share of texts of held-out letters, words of one tail, of which each letter is the top token."""
    rng = Random(f"evaluation {seed}")
    texts = [data.written(data.letters_of(rng, held=True), 0, (1, 1, 1), rng) for _ in range(count)]
    logits, letters = said(model, texts)
    right = (logits.argmax(-1) == letters).float().mean(0).tolist()
    return dict(zip(("first", "second", "third"), right, strict=True))


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
            group["lr"] = PEAK_RATE * training.rate(step, steps)
        loss = train_step(model, optimiser, data.training_batch(BATCH, Random(f"{seed} {step}")))
        step += 1
        if step % LOG_EVERY and step < steps:
            continue
        found = {letter: round(share, 4) for letter, share in evaluate(model, EVALUATED, seed=1).items()}
        log.append({"step": step, "loss": round(loss, 6)} | found)
        print(json.dumps(log[-1]), flush=True)
        training.save(out, model, optimiser, {"step": step, "log": log, "seed": seed})


def export(out: Path, to: Path) -> None:
    """Write the model folder as it ships, and the log of its training."""
    saved = training.finished(out)
    model = new_model(saved["seed"])
    model.load_state_dict(saved["model"])
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
        train(given.out, given.steps, given.seed)
    else:
        export(given.out, given.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

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
from pathlib import Path

import torch
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel

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
    """3 layers of 8 heads and a ReLU MLP, d_model 128, tied embeddings, no dropout."""
    torch.manual_seed(seed)
    words = tokenizer.vocabulary()
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(words),
            n_positions=tokenizer.CONTEXT,
            n_embd=128,
            n_layer=3,
            n_head=8,
            activation_function="relu",
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            initializer_range=0.06,
            bos_token_id=words.index(tokenizer.BOS),
            eos_token_id=words.index(tokenizer.BOS),
            pad_token_id=words.index(tokenizer.PAD),
        )
    )


def logits_of(model: GPT2LMHeadModel, tokens: torch.Tensor) -> torch.Tensor:
    """Logits [texts, tokens, vocabulary]. Texts are padded at their ends, where nothing before can see it."""
    return model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits


def loss_of(model: GPT2LMHeadModel, given: data.Sequences) -> torch.Tensor:
    """Mean cross-entropy of the tokens that are asked for."""
    return functional.cross_entropy(logits_of(model, given.tokens)[given.asked], given.answers[given.asked])


def train_step(model: GPT2LMHeadModel, optimiser: torch.optim.Optimizer, seed: int) -> float:
    """One step of the optimiser on one batch, which depends on the seed; the batch's loss."""
    rng = torch.Generator().manual_seed(seed)
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
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
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
            group["lr"] = PEAK_RATE * training.rate(step, steps, WARMING)
        loss = train_step(model, optimiser, seed * 10**7 + step)
        step += 1
        if step % LOG_EVERY and step < steps:
            continue
        found = {kind: round(share, 4) for kind, share in evaluate(model, seed=1).items()}
        log.append({"step": step, "loss": round(loss, 6)} | found)
        print(json.dumps(log[-1]), flush=True)
        training.save(out, model, optimiser, {"step": step, "log": log, "seed": seed})


def export(out: Path, to: Path) -> None:
    """Write the model folder as it ships, and the log of its training."""
    saved = training.finished(out)
    model = new_model(saved["seed"])
    model.load_state_dict(saved["model"])
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
        train(given.out, given.steps, given.seed)
    elif given.action == "export":
        export(given.out, given.folder)
    if given.action != "train":
        print(json.dumps(evaluate(training.load(given.folder), seed=2), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

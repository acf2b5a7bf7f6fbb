"""What the scripts share that train the models that ship: a small model, its course, checkpoints, a model's folder."""

from __future__ import annotations

import copy
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from circuitdsl.models.word_level import BOS, PAD

Checkpoint = dict[str, Any]
"""The states of the model and of its optimiser, and how far the training is: its step, seed and log at least."""

WARMING = 200
"""Steps over which the learning rate rises."""


def optimiser(model: GPT2LMHeadModel, rate: float, decay: float) -> torch.optim.Optimizer:
    """AdamW; decay on the matrices of the layers only."""
    decayed = [p for n, p in model.named_parameters() if p.dim() > 1 and ".h." in n]
    others = [p for n, p in model.named_parameters() if not (p.dim() > 1 and ".h." in n)]
    groups = [{"params": decayed, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))


def new_model(seed: int, words: Sequence[str], context: int, width: int, layers: int, heads: int) -> GPT2LMHeadModel:
    """A model that has learnt nothing, of these words: ReLU MLPs, tied embeddings, no dropout."""
    torch.manual_seed(seed)
    bos = words.index(BOS)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(words),
            n_positions=context,
            n_embd=width,
            n_layer=layers,
            n_head=heads,
            activation_function="relu",
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            initializer_range=0.06,
            bos_token_id=bos,
            eos_token_id=bos,
            pad_token_id=words.index(PAD),
        )
    )


def rate(step: int, steps: int, warming: int = WARMING, falling: int = 2) -> float:
    """Share of the peak learning rate: up over the first steps, level, down to nothing over the last of ``falling``
    equal parts."""
    return min((step + 1) / warming, 1.0, falling * (steps - step) / steps)


@dataclass(frozen=True)
class Course:
    """How a model learns from its beginning to its end.

    ``begin`` gives the model for a seed. ``learn`` runs the loss of a step's batch back and gives it; the batch depends
    on the seed and the step only, the second and third argument. ``evaluate`` is what the log says every ``log_every``
    steps beside the loss, which has so many ``digits``.
    """

    begin: Callable[[int], GPT2LMHeadModel]
    learn: Callable[[GPT2LMHeadModel, int, int], float]
    evaluate: Callable[[GPT2LMHeadModel], Mapping[str, float]]
    peak_rate: float
    decay: float  # of the weights
    log_every: int
    warming: int = WARMING
    digits: int = 6

    def train(self, out: Path, steps: int, seed: int) -> None:
        """Train to ``steps``, going on from ``out/checkpoint.pt`` if it is there, whose seed then counts."""
        out.mkdir(parents=True, exist_ok=True)
        found = saved(out)
        step, log, seed = (found[key] for key in ("step", "log", "seed")) if found else (0, [], seed)
        model = self.begin(seed)
        adam = optimiser(model, self.peak_rate, self.decay)
        if found:
            model.load_state_dict(found["model"])
            adam.load_state_dict(found["optimiser"])
        while step < steps:
            for group in adam.param_groups:
                group["lr"] = self.peak_rate * rate(step, steps, self.warming)
            loss = self.learn(model, seed, step)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
            adam.zero_grad()
            step += 1
            if step % self.log_every and step < steps:
                continue
            shares = {kind: round(share, 4) for kind, share in self.evaluate(model).items()}
            log.append({"step": step, "loss": round(loss, self.digits)} | shares)
            print(json.dumps(log[-1]), flush=True)
            save(out, model.state_dict(), adam, {"step": step, "log": log, "seed": seed})

    def trained(self, out: Path) -> tuple[GPT2LMHeadModel, Checkpoint]:
        """The model of a training that is done, and its checkpoint. Raises SystemExit where none was begun."""
        found = finished(out)
        model = self.begin(found["seed"])
        model.load_state_dict(found["model"])
        return model, found


def saved(out: Path) -> Checkpoint | None:
    """The checkpoint in a folder, if there is one."""
    checkpoint = out / "checkpoint.pt"
    return torch.load(checkpoint, weights_only=True) if checkpoint.exists() else None


def finished(out: Path) -> Checkpoint:
    """The same of a training that is done. Raises SystemExit where none was begun."""
    found = saved(out)
    if found is None:
        raise SystemExit(f"there is no checkpoint in {out}: train first")
    return found


def save(out: Path, states: Mapping[str, Any], optimiser: torch.optim.Optimizer, progress: Mapping[str, Any]) -> None:
    """Replace the checkpoint in one move, so that a run that is cut off never leaves half of one."""
    new = out / "checkpoint.new"
    torch.save({"model": states, "optimiser": optimiser.state_dict(), **progress}, new)
    new.replace(out / "checkpoint.pt")


def write_folder(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, to: Path) -> None:
    """Write a model folder that opens as a shipped one does: float16 weights, configuration, tokenizer."""
    copy.deepcopy(model).half().save_pretrained(to)
    (to / "model.safetensors").chmod(0o644)
    (to / "generation_config.json").unlink(missing_ok=True)
    tokenizer.save_pretrained(to)
    _change(to / "config.json", dtype="float32")  # stored as float16 for its size, to be computed with as float32
    _change(to / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")  # transformers 4 knows it too


def write_log(to: Path, trained: Checkpoint, **more: object) -> None:
    """Write how a model was trained beside it: seed, steps, versions, ``more``, and the log of its losses."""
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    told = {"seed": trained["seed"], "steps": trained["step"], "versions": versions} | more | {"log": trained["log"]}
    (to / "training_log.json").write_text(json.dumps(told, indent=1) + "\n")


def load(folder: Path) -> GPT2LMHeadModel:
    """The model of a folder, in float32 and ready to be evaluated."""
    return GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()


def _change(path: Path, **entries: str) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | entries, indent=2) + "\n")

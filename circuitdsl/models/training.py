"""What the scripts share that train the models that ship: the optimiser, checkpoints, and a model's folder."""

from __future__ import annotations

import copy
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

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


def rate(step: int, steps: int, warming: int = WARMING) -> float:
    """Share of the peak learning rate: up over the first steps, level, down to nothing over the last half."""
    return min((step + 1) / warming, 1.0, 2 * (steps - step) / steps)


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


def save(out: Path, model: GPT2LMHeadModel, optimiser: torch.optim.Optimizer, progress: Mapping[str, Any]) -> None:
    """Replace the checkpoint in one move, so that a run that is cut off never leaves half of one."""
    new = out / "checkpoint.new"
    torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), **progress}, new)
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

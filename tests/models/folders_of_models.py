"""Folders of models with one thing wrong, or one thing otherwise, made of mini's and of small random ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from circuitdsl.models.folders import MINI

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def copied(into: Path, source: Path = MINI, **config: Any) -> Path:
    """A copy of a model's folder with some settings of its configuration changed."""
    into.mkdir(parents=True)
    for name in FILES:
        if (source / name).is_file():
            shutil.copy(source / name, into)
    path = into / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | config), encoding="utf-8")
    return into


def weights_of(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


def with_weights(folder: Path, change: Callable[[dict[str, Tensor]], Mapping[str, Tensor]]) -> Path:
    """The folder with other weights in its file."""
    save_file(dict(change(weights_of(folder))), folder / "model.safetensors", metadata={"format": "pt"})
    return folder

"""Means that ablation puts in, kept by what they are taken over, so that they are made once for a model and a task.

In memory, and between calls in a folder: one safetensors file a mean, named by a hash of the model, the source and the
prompts of the reference. Files are data and nothing else. What cannot be read is made again; what cannot be written is
not kept.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from circuitdsl.engine.store import key_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from circuitdsl.engine.hook_names import Activations

Means = Mapping[str, "Activations"]
"""By the group of a reference, the mean activations by hook point: [length, ...], or [1, ...] over all tokens."""

MOST_BYTES_OF_FILE = 2 * 2**30
MOST_BYTES = 8 * 2**30
"""Larger means are not kept in the folder, and the folder keeps no more than this: what was used least lately goes."""

_SUFFIX = ".safetensors"


@dataclass
class MeanStore:
    """The means of one model by a key that stands for all else that they depend on.

    ``folder``: where they are kept between calls, None for nowhere; ``model``: a hash of the model there.
    """

    folder: Path | None = None
    model: str = ""
    known: dict[str, Means] = field(default_factory=dict[str, Means])

    def get(self, key: str, device: torch.device) -> Means | None:
        """The means of this key, if they are known; what is read from a file is put on the device."""
        if key not in self.known and (kept := self._read(key, device)) is not None:
            self.known[key] = kept
        return self.known.get(key)

    def put(self, key: str, means: Means) -> None:
        """Keep means; in the folder all of them or, where there is no room, nothing."""
        self.known[key] = means
        if self.folder is not None:
            _write(self._path(self.folder, key), means)

    def _read(self, key: str, device: torch.device) -> Means | None:
        return None if self.folder is None else _read(self._path(self.folder, key), device)

    def _path(self, folder: Path, key: str) -> Path:
        return folder / f"{key_of(self.model, key)}{_SUFFIX}"


def _read(path: Path, device: torch.device) -> Means | None:
    """What a file has; None where there is none that is whole, or one that is too large to be ours."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.stat().st_size > MOST_BYTES_OF_FILE:
            return None
        tensors = load_file(path, str(device))
        os.utime(path)  # it was used now
    except (OSError, SafetensorError):
        return None
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        hook_point, _, group = name.partition(" ")
        found.setdefault(group, {})[hook_point] = tensor
    return found


def _write(path: Path, means: Means) -> None:
    """Make a file that is whole or not there, whenever the process ends."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {f"{hook} {group}": each for group, by_hook in means.items() for hook, each in by_hook.items()}
    if sum(each.nbytes for each in tensors.values()) > MOST_BYTES_OF_FILE:
        return
    with suppress(OSError, SafetensorError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            part = Path(folder) / path.name
            save_file({name: each.cpu().contiguous() for name, each in tensors.items()}, part)
            part.replace(path)
        _make_room(path.parent)


def _make_room(folder: Path) -> None:
    """Remove the files that were used least lately, down to the most that a folder keeps."""
    files = sorted(((path.stat(), path) for path in folder.glob(f"*{_SUFFIX}")), key=lambda each: -each[0].st_mtime)
    taken = 0
    for stat, path in files:
        taken += stat.st_size
        if taken > MOST_BYTES:
            path.unlink(missing_ok=True)

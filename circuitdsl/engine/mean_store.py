"""Means that ablation puts in, kept by what they are taken over, so that they are made once for a model and a task.

In memory, and between calls in a folder: one safetensors file a mean, named by a hash of the model, the source and the
prompts of the reference, with a checksum of its name and all that it holds. Files are data and nothing else. What
cannot be read or lacks its checksum is made again; what cannot be written is not kept.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from circuitdsl.engine.store import key_of
from circuitdsl.home import made_whole

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from circuitdsl.engine.hook_names import Activations

Means = Mapping[str, "Activations"]
"""By the group of a reference, the mean activations by hook point: [length, ...], or [1, ...] over all tokens."""

MOST_BYTES_OF_FILE = 2 * 2**30
MOST_BYTES = 8 * 2**30
"""Larger means are not kept in the folder, and the folder keeps no more than this: what was used least lately goes."""

_FORMAT = "circuitdsl/means/3"
"""Goes into every name. Raise the number when a file comes to hold something else."""

_SUFFIX = ".safetensors"
_CHECKSUM = "checksum"  # its name among what a file says of itself


@dataclass
class MeanStore:
    """The means of one model by a key that stands for all else that they depend on.

    ``folder``: where they are kept between calls, None for nowhere; ``model``: a hash of the model there. ``damaged``
    counts the files that were there and not whole.
    """

    folder: Path | None = None
    model: str = ""
    known: dict[str, Means] = field(default_factory=dict[str, Means])
    damaged: int = 0

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
        """What a file has; None where there is none, or one that is damaged or too large to be ours."""
        if self.folder is None:
            return None
        path = self._path(self.folder, key)
        try:
            if path.stat().st_size > MOST_BYTES_OF_FILE:
                return None
            tensors = _whole(path)
            os.utime(path)  # it was used now
        except OSError:
            return None
        if tensors is None:
            self.damaged += 1
            return None
        found: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            hook_point, _, group = name.partition(" ")
            found.setdefault(group, {})[hook_point] = tensor.to(device)
        return found

    def _path(self, folder: Path, key: str) -> Path:
        return folder / f"{key_of(_FORMAT, self.model, key)}{_SUFFIX}"


def _whole(path: Path) -> Mapping[str, Tensor] | None:
    """The tensors of a file; None for one that lacks its checksum or is no safetensors file at all."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            said = (file.metadata() or {}).get(_CHECKSUM)
    except SafetensorError:
        return None
    return tensors if said == _checksum(path.name, tensors) else None


def _checksum(name: str, tensors: Mapping[str, Tensor]) -> str:
    """Of the name of a file and of its tensors: their names, types, shapes and bytes."""
    import torch

    summed = hashlib.blake2b(name.encode(), digest_size=16)
    for each, tensor in sorted(tensors.items()):
        summed.update(f"\n{each}\n{tensor.dtype}\n{list(tensor.shape)}\n".encode())
        summed.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return summed.hexdigest()


def _write(path: Path, means: Means) -> None:
    """Make a file that is whole or not there, whenever the process ends."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {
        f"{hook} {group}": each.cpu().contiguous() for group, by_hook in means.items() for hook, each in by_hook.items()
    }
    if sum(each.nbytes for each in tensors.values()) > MOST_BYTES_OF_FILE:
        return
    with suppress(OSError, SafetensorError):
        with made_whole(path) as part:
            save_file(tensors, part, {_CHECKSUM: _checksum(path.name, tensors)})
        _make_room(path.parent)


def _make_room(folder: Path) -> None:
    """Remove the files that were used least lately, down to the most that a folder keeps."""
    files = sorted(((path.stat(), path) for path in folder.glob(f"*{_SUFFIX}")), key=lambda each: -each[0].st_mtime)
    taken = 0
    for stat, path in files:
        taken += stat.st_size
        if taken > MOST_BYTES:
            path.unlink(missing_ok=True)

"""How many worlds fit side by side, and what to do when they did not."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from circuitdsl.engine.fast.architecture import Network

Item = TypeVar("Item")

SHARE = 0.25  # of the free memory, by default
SHELF_SHARE = 0.125  # of the free memory, for runs kept between calls
SHELF_MOST = 512 << 20  # bytes
ENOUGH = 256 << 20  # bytes; on a CPU larger stacks gain nothing
UNKNOWN = 1 << 30  # bytes taken to be free where the system does not tell


def default_memory(device: torch.device) -> int:
    """Bytes that stacked runs may take: a share of what is free, and on a CPU no more than helps."""
    share = int(_free(device) * SHARE)
    return share if device.type == "cuda" else min(share, ENOUGH)


def default_shelf(device: torch.device) -> int:
    """Bytes that runs kept for the next call may take."""
    return min(int(_free(device) * SHELF_SHARE), SHELF_MOST)


def _free(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else UNKNOWN


def bytes_a_world(network: Network, prompts: int, tokens: int, keys: int, patterns: int = 0) -> int:
    """What one world of a stack needs at its widest, for ``tokens`` of each prompt that see ``keys`` tokens, while the
    patterns of so many layers are kept."""
    d_model = network.embedding.shape[1]
    hidden = max((block.mlp.into.weight.shape[0] for block in network.blocks if block.mlp), default=0)
    floats = (
        4 * d_model + 2 * max(hidden, 4 * network.n_heads * network.d_head) + (3 + patterns) * network.n_heads * keys
    )
    return prompts * tokens * floats * network.embedding.element_size()


def in_chunks(items: Sequence[Item], size: int, run: Callable[[Sequence[Item]], None]) -> bool:
    """Run all items, ``size`` at a time, halved whenever memory runs out; whether it ever did.

    ``run`` must leave nothing behind when it fails. Raises the error itself where a single item does not fit.
    """
    done, size, halved = 0, max(1, size), False
    while done < len(items):
        chunk = items[done : done + size]
        try:
            run(chunk)
        except (MemoryError, RuntimeError) as error:
            if len(chunk) == 1 or not _out_of_memory(error):
                raise
            size, halved = len(chunk) // 2, True
        else:
            done += len(chunk)
    return halved


def _out_of_memory(error: Exception) -> bool:
    """torch's own error on a GPU; on a CPU it is a RuntimeError like any other, told by its words."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)

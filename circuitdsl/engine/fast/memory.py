"""How many worlds fit in memory side by side, and what is done when they did not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TypeVar

import torch

from circuitdsl.engine.fast.architecture import Network
from circuitdsl.engine.fast.peak import CPU_MOST, FEATURES, RUN_CACHE_MOST
from circuitdsl.engine.fast.products import COLUMNS
from circuitdsl.engine.fast.threads import in_order

Item = TypeVar("Item")
Result = TypeVar("Result")

STACK_SHARE = 0.25  # of the free memory, for worlds side by side, by default
RUN_CACHE_SHARE = 0.125  # of the free memory, for runs cached between calls
UNKNOWN = 1 << 30  # bytes taken to be free where the operating system does not say


def default_memory(device: torch.device) -> int:
    """Bytes that stacked runs may take: a share of what is free, and on a CPU no more than helps."""
    share = int(_free(device) * STACK_SHARE)
    return share if device.type == "cuda" else min(share, CPU_MOST)


def default_run_cache(device: torch.device) -> int:
    """Bytes that runs cached for the next call may take."""
    return min(int(_free(device) * RUN_CACHE_SHARE), RUN_CACHE_MOST)


def _free(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else UNKNOWN


def bytes_a_world(network: Network, prompts: int, tokens: int, keys: int, features: int = 0, patterns: int = 0) -> int:
    """Bytes that one world of a pass needs at most at a time, for ``tokens`` of each prompt that attend to ``keys``
    tokens, with so many ``features`` of a dictionary, while the patterns of so many layers are recorded."""
    d_model = network.embedding.shape[1]
    hidden = max((block.mlp.into.weight.shape[0] for block in network.blocks if block.mlp), default=0)
    heads = network.n_heads * network.d_head
    filled = -(-max(0, COLUMNS - tokens) // tokens)  # keys of few tokens are copied and filled up with so many of each
    floats = 4 * d_model + 2 * max(hidden, 4 * heads) + filled * heads + (3 + patterns) * network.n_heads * keys
    return prompts * tokens * (floats * network.embedding.element_size() + FEATURES * features * torch.float32.itemsize)


def in_chunks(
    chunks: Sequence[Sequence[Item]],
    run: Callable[[Sequence[Item]], Result],
    take: Callable[[Sequence[Item], Result], None],
    threads: int = 1,
) -> int:
    """Run all chunks; whenever memory runs out, those that are left are halved. How often they were.

    So many chunks run at once, and ``take`` is given what each makes, in order. ``run`` must leave nothing behind when
    it fails. Where a single item does not fit beside others, what is left runs one after the other; raises the error
    itself where it does not fit alone.
    """

    def attempt(chunk: Sequence[Item]) -> tuple[Result] | None:
        try:
            return (run(chunk),)
        except (MemoryError, RuntimeError) as error:
            if (len(chunk) == 1 and threads == 1) or not _out_of_memory(error):
                raise
            return None

    left, halved = [*chunks], 0
    while left:
        done = 0
        with closing(in_order(attempt, left, threads)) as results:
            for chunk, result in zip(left, results, strict=True):
                if result is None:
                    break
                take(chunk, *result)
                done += 1
        left = left[done:]
        if left and len(left[0]) == 1:
            threads = 1
        elif left:
            left, halved = [half for chunk in left for half in _halves(chunk)], halved + 1
    return halved


def _halves(chunk: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Two, of which the second may be smaller, or the one item."""
    middle = -(-len(chunk) // 2)
    yield chunk[:middle]
    if middle < len(chunk):
        yield chunk[middle:]


def _out_of_memory(error: Exception) -> bool:
    """torch's own error on a GPU; on a CPU it is a RuntimeError like any other, told by its words."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)

"""Stacks on several cores: each runs by itself on one thread, so that figures are the same on any number of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def one_thread_a_stack(device: torch.device) -> Iterator[int]:
    """Within it torch computes each operation on the thread that asks for it. Gives how many stacks may run at once: as
    many as torch had threads, and one on a GPU, which has one stream.

    torch's own threads are started and joined for every operation, and sum in another order for another number of them.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads if device.type == "cpu" else 1
    finally:
        torch.set_num_threads(threads)


def in_order(run: Callable[[Item], Result], items: Sequence[Item], threads: int) -> Generator[Result]:
    """What ``run`` makes of each item, in their order, on so many threads.

    Twice as many are begun or wait to be taken at a time; none is begun once the iterator is closed.
    """
    if threads == 1 or len(items) < 2:
        yield from map(run, items)
        return

    def run_here(item: Item) -> Result:
        with torch.inference_mode():  # which each thread has for itself
            return run(item)

    pool, ahead = ThreadPoolExecutor(threads), iter(items)
    try:
        begun = deque(pool.submit(run_here, item) for item in islice(ahead, 2 * threads))
        while begun:
            result = begun.popleft().result()
            begun.extend(pool.submit(run_here, item) for item in islice(ahead, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)

"""On how few of some prompts something may be settled."""

from __future__ import annotations

import math

FEWEST = 8
"""With fewer units only tests that are exact at any number may decide."""


def early_looks(prompts: int) -> tuple[int, ...]:
    """The numbers of prompts, of so many, at which something may be settled: not fewer than the tests need.

    >>> early_looks(200), early_looks(90), early_looks(20), early_looks(10)
    ((50, 100), (23, 45), (10,), ())
    """
    return tuple(count for parts in (4, 2) if (count := math.ceil(prompts / parts)) >= FEWEST)

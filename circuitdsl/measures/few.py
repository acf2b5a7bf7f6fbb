"""On how few of some prompts something may be settled."""

from __future__ import annotations

import math

FEWEST = 8
"""With fewer units only tests that are exact at any number may decide."""


LEADING = 15
"""On fewer prompts no leader is chosen: they would leave open how large the other figures are."""


def leading(prompts: int) -> int:
    """The number of prompts, of so many, on which the one of several figures is chosen that is measured on all; 0 where
    they are too few.

    >>> leading(200), leading(60), leading(20)
    (50, 15, 0)
    """
    quarter = math.ceil(prompts / 4)
    return quarter if quarter >= LEADING else 0


def early_looks(prompts: int) -> tuple[int, ...]:
    """The numbers of prompts, of so many, at which something may be settled: not fewer than the tests need.

    >>> early_looks(200), early_looks(90), early_looks(20), early_looks(10)
    ((50, 100), (23, 45), (10,), ())
    """
    return tuple(count for parts in (4, 2) if (count := math.ceil(prompts / parts)) >= FEWEST)

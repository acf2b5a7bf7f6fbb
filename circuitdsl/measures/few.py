"""On how few of some prompts all of many figures are measured, of which one or some are measured on all prompts."""

from __future__ import annotations

import math

FEWEST = 15
"""On fewer prompts it is left open how large the other figures are."""

ENOUGH = 50
"""On fewer prompts no figure stops by itself.

Where few prompts carry a figure, there may be none of them among the first, and Student's t then shows at any level
that there is nothing. Of a gap that a tenth of all prompts have, 15 show nothing with a probability of 21%, and 50 with
0.5%.
"""
INDEPENDENT = 40
"""So many of them have to be independent: prompts that are drawn at random share an item now and then."""

EARLY = 0.1
"""The share of the error that a look at few prompts has at which each figure may stop by itself.

With half of it those that go on would have intervals 14% wider than at a single look, with a tenth 2%; what is far
within stops either way.
"""


def few_of(prompts: int) -> int:
    """A tenth of so many prompts, and 15 or more; 0 where that is over a quarter, for then little would be saved.

    >>> few_of(1000), few_of(200), few_of(60), few_of(56)
    (100, 20, 15, 0)
    """
    count = max(FEWEST, math.ceil(prompts / 10))
    return count if count <= math.ceil(prompts / 4) else 0


def quarter_of(prompts: int) -> int:
    """A quarter of so many prompts, where each figure may stop there: what is to be said of it rests on them alone. 0
    where these are not ``ENOUGH``.

    >>> quarter_of(1000), quarter_of(200), quarter_of(197), quarter_of(196)
    (250, 50, 50, 0)
    """
    count = math.ceil(prompts / 4)
    return count if count >= ENOUGH else 0

"""On how few of some prompts all of many figures are measured, of which one is measured on all prompts."""

from __future__ import annotations

import math

FEWEST = 15
"""On fewer prompts it is left open how large the other figures are."""


def few_of(prompts: int) -> int:
    """A tenth of so many prompts, and 15 or more; 0 where that is over a quarter, for then little would be saved.

    >>> few_of(1000), few_of(200), few_of(60), few_of(56)
    (100, 20, 15, 0)
    """
    count = max(FEWEST, math.ceil(prompts / 10))
    return count if count <= math.ceil(prompts / 4) else 0

"""On how few of some prompts it is chosen which of several figures is measured on all of them."""

from __future__ import annotations

import math

FEWEST_TO_LEAD = 15
"""On fewer prompts no leader is chosen: they would leave open how large the other figures are."""


def leading(prompts: int) -> int:
    """The number of prompts, of so many, on which the one of several figures is chosen that is measured on all; 0 where
    they are too few.

    >>> leading(200), leading(60), leading(20)
    (50, 15, 0)
    """
    quarter = math.ceil(prompts / 4)
    return quarter if quarter >= FEWEST_TO_LEAD else 0

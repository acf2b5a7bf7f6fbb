"""Where a function passes zero.

SciPy's ``optimize.root_scalar`` does the same; its import takes longer than all roots of a check that is answered from
the results store.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

_ROUNDING = 4 * sys.float_info.epsilon


def root(function: Callable[[float], float], start: float, end: float, within: float) -> float:
    """A place between ``start`` and ``end``, at which the function has different signs, where it passes zero: by
    inverse quadratic interpolation where that is safe, else by halving (Chandrupatla 1997). It is off by ``within`` at
    most, and by rounding.

    >>> round(root(lambda x: x * x - 2, 0, 2, 1e-12), 9)
    1.414213562
    """
    at, other = start, end
    value, opposite = function(at), function(other)
    if value * opposite > 0:
        raise ValueError(f"the function has one sign at {start} and at {end}")
    share = 0.5
    while value and opposite:
        new = at + share * (other - at)
        found = function(new)
        if found * value > 0:
            before, was = at, value
        else:
            before, was, other, opposite = other, opposite, at, value
        at, value = new, found
        nearest = at if abs(value) < abs(opposite) else other
        least = (_ROUNDING * abs(nearest) + within) / 2 / abs(other - at)
        if least > 0.5:
            return nearest
        way, height = (at - other) / (before - other), (value - opposite) / (was - opposite)
        share = 0.5
        if height**2 < way and (1 - height) ** 2 < 1 - way:
            share = value / (opposite - value) * was / (opposite - was)
            share += (before - at) / (other - at) * value / (was - value) * opposite / (was - opposite)
        share = min(1 - least, max(least, share))
    return at if value == 0 else other

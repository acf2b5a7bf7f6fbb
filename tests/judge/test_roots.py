"""The roots that ends of intervals are, against SciPy's."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from scipy import optimize, special

from circuitdsl.judge.roots import root

WITHIN = 1e-9
FUNCTIONS: tuple[tuple[Callable[[float], float], float, float], ...] = (
    (lambda x: x**3 - x - 2, 1, 2),
    (lambda x: math.exp(-x) - x, 1, 0),
    (lambda t: float(special.stdtr(5, -t)) - 0.025, 0, 50),
    (lambda share: float(special.bdtrc(3, 20, share)) - 0.025, 0, 0.5),
    (lambda x: math.tanh(50 * (x - 0.77)), 0, 1),
    (lambda x: float(x > 0.3) - 0.5, 0, 1),  # a step has no place where it is zero
    (lambda x: (x - 1) ** 9, 0, 2.5),
    (lambda x: x - 1e-15, -1, 1),
)


@pytest.mark.parametrize("number", range(len(FUNCTIONS)))
def test_roots_are_those_of_scipy(number: int):
    function, start, end = FUNCTIONS[number]
    theirs = optimize.root_scalar(function, bracket=(start, end), method="brentq", xtol=WITHIN).root
    assert root(function, start, end, WITHIN) == pytest.approx(theirs, abs=2 * WITHIN)


def test_an_end_may_be_the_root_and_one_sign_is_refused():
    assert root(lambda x: x, 0, 1, WITHIN) == root(lambda x: x, -1, 0, WITHIN) == 0
    with pytest.raises(ValueError, match="one sign"):
        root(lambda x: x, 1, 2, WITHIN)

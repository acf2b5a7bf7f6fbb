"""The scores of MIB's circuit track (Mueller et al. 2025, arXiv:2504.13151), of faithfulness that was measured.

A method's edges are ranked, and circuits of ten budgets are made of the first of them. The faithfulness of a circuit C
is f = (F(C) - F(corrupt)) / (F(M) - F(corrupt)), with every edge outside of C taking the prompt's own counterfactual.
CPR is the area under f, the larger the better; CMD the area between f and 1, the smaller the better. Both are sums of
trapezoids over the share of edges, so that half of each is between the last two budgets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from circuitdsl.errors import InputError
from circuitdsl.exchange.checking import checked
from circuitdsl.exchange.graph import Graph
from circuitdsl.exchange.selecting import By, top_share

BUDGETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of a model's edges."""


@dataclass(frozen=True)
class Areas:
    """``cpr``: area under f; ``cmd``: area between f and 1. Over shares of edges from 0.001 to 1."""

    cpr: float
    cmd: float


@checked
def at_budgets(graph: Graph, by: By) -> dict[float, Graph]:
    """The graph with the highest scores of each budget in the circuit.

    Raises InputError where the graph has no scores, or too few for the least budget.
    """
    return {budget: top_share(graph, budget, by) for budget in BUDGETS}


@checked
def areas(faithfulness: Mapping[float, float]) -> Areas:
    """CPR and CMD of the faithfulness at every budget. Raises InputError where one is missing or not finite.

    >>> areas(dict.fromkeys(BUDGETS, 1.0))
    Areas(cpr=0.999, cmd=0.0)
    """
    for budget in BUDGETS:
        if not math.isfinite(faithfulness.get(budget, math.nan)):
            raise InputError(
                f"there is no faithfulness at {budget:.1%} of the edges", f"measure it at all of {BUDGETS}"
            )
    if len(faithfulness) != len(BUDGETS):
        raise InputError("there is faithfulness at shares of edges that are no budgets", f"leave all out but {BUDGETS}")
    cpr = _area(lambda budget: faithfulness[budget])
    return Areas(cpr, _area(lambda budget: abs(1 - faithfulness[budget])))


def _area(height: Callable[[float], float]) -> float:
    return math.fsum((right - left) * (height(left) + height(right)) / 2 for left, right in pairwise(BUDGETS))

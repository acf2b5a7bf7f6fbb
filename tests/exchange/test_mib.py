"""CPR and CMD of MIB's circuit track."""

from __future__ import annotations

from dataclasses import replace

import pytest
from graphs import SMALL, TOY
from pytest import approx

import circuitdsl as cd
from circuitdsl.errors import InputError
from circuitdsl.exchange.tools import eap


def test_areas_of_lines():
    """Of f = x the area is that of a triangle without its tip; of f = 2 - x what is above 1 counts in CMD as well."""
    line = {budget: budget for budget in cd.exchange.BUDGETS}
    found = cd.exchange.areas(line)
    assert found.cpr == approx((1 - 0.001**2) / 2) and found.cmd == approx((1 - 0.001) ** 2 / 2)
    over = cd.exchange.areas({budget: 2 - f for budget, f in line.items()})
    assert over.cmd == approx(found.cmd) and over.cpr == approx(2 * 0.999 - found.cpr)


def test_half_of_the_area_is_between_the_last_budgets():
    last = dict.fromkeys(cd.exchange.BUDGETS, 0.0) | {0.5: 1.0, 1.0: 1.0}
    assert cd.exchange.areas(last).cpr == approx(0.5 + 0.15)


@pytest.mark.parametrize("wrong", [{0.5: float("nan")}, {0.3: 0.5}])
def test_faithfulness_is_needed_at_every_budget_and_no_other(wrong: dict[float, float]):
    with pytest.raises(InputError):
        cd.exchange.areas(dict.fromkeys(cd.exchange.BUDGETS, 0.5) | wrong)
    with pytest.raises(InputError, match=r"at 0\.1% of the edges"):
        cd.exchange.areas({1.0: 1.0})


def test_circuits_of_all_budgets():
    gpt2 = cd.environment().geometry("gpt2")
    full = eap.complete(replace(SMALL, geometry=gpt2, edges=()))
    ranked = replace(full, edges=tuple(replace(edge, score=-float(n)) for n, edge in enumerate(full.edges)))
    found = cd.exchange.at_budgets(ranked, "absolute")
    assert [len(graph.included) for graph in found.values()] == [32, 64, 162, 324, 649, 1624, 3249, 6498, 16245, 32491]
    assert found[0.001].edges[-1].included and not found[0.001].edges[0].included
    with pytest.raises(InputError, match="at least one of them"):
        cd.exchange.at_budgets(eap.complete(replace(SMALL, geometry=TOY)), "absolute")

"""Overlap claims: holds, fails, and error where there is nothing to compare."""

from __future__ import annotations

import pytest

from circuitdsl.check.overlap import judge_overlap
from circuitdsl.compare.structure import compare
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Bound, Claim, Control, Elements, Term
from circuitdsl.measures.registry import measure_infos
from samples import circuit, geometry

SHAPE = geometry(layers=2, heads=8)
LEFT = circuit("left", {"a": "0.0 0.1 0.2 0.3", "b": "1.0 1.1"}, ["a -> b.q", "b -> logits"], SHAPE)
RIGHT = circuit("right", {"a": "0.0 0.1 0.2", "c": "1.7"}, ["a -> c.q", "c -> logits"], SHAPE)


def judge(kind, bound, pair=("", ""), left=LEFT, right=RIGHT):
    claim = Claim("c:3", 3, "expect overlap", "expect", Term("overlap", (("elements", Elements(kind, pair)),)), bound)
    return judge_overlap(claim, compare(left, right), left, right)


@pytest.mark.parametrize(
    ("kind", "pair", "share"),
    [
        ("heads", ("", ""), 3 / 4),
        ("nodes", ("", ""), 3 / 4),
        ("roles", ("", ""), 1 / 2),
        ("edges", ("", ""), 0.0),
        ("pair", ("a", "a"), 1.0),
        ("pair", ("b", "c"), 0.0),
    ],
)
def test_the_share_of_the_smaller(kind, pair, share):
    outcome = judge(kind, Bound(">=", low=share), pair)
    assert outcome.verdict is Verdict.HOLDS
    assert outcome.estimate.value == outcome.estimate.low == outcome.estimate.high == pytest.approx(share)
    assert judge(kind, Bound(">=", low=share + 0.01), pair).verdict is Verdict.FAILS


def test_chance_holds_only_if_the_overlap_is_rare_enough():
    # Layer 0, 3 of 8 against 4 of 8, shares all three in C(4,3) of the C(8,3) = 56 placements and two in
    # C(4,2) * 4; layer 1, one of 8 against two, shares its head in 1 of 4.
    heads = judge("heads", Control("chance"))
    assert heads.p_value == pytest.approx(4 / 56 + 24 / 56 * 1 / 4)
    assert heads.verdict is Verdict.FAILS
    assert heads.control is not None
    assert heads.control.value == pytest.approx((3 * 4 / 8 + 2 * 1 / 8) / 4)
    twin = judge("heads", Control("chance"), right=LEFT)
    assert twin.verdict is Verdict.HOLDS
    assert twin.p_value == pytest.approx(1 / (70 * 28))


def test_fewer_than_chance_is_the_other_tail():
    """No head in common: of C(8,3) * 8 placements of the right heads, C(4,3) * 6 avoid the left ones."""
    apart = circuit("right", {"a": "0.4 0.5 0.6", "c": "1.7"}, [], SHAPE)
    fewer = judge("heads", Control("chance", "<"), right=apart)
    assert fewer.p_value == pytest.approx(4 * 6 / (56 * 8))
    assert fewer.verdict is Verdict.FAILS
    assert judge("heads", Control("chance"), right=apart).p_value == pytest.approx(1)
    assert judge("heads", Control("chance", "<")).verdict is Verdict.FAILS


def test_chance_is_an_error_where_it_is_undefined():
    assert judge("edges", Control("chance")).verdict is Verdict.ERROR
    big = circuit("right", {"a": "0.0"}, shape=geometry(12, 12))
    assert judge("heads", Control("chance"), right=big).verdict is Verdict.ERROR


def test_an_empty_circuit_is_an_error_not_a_failure():
    outcome = judge("heads", Bound(">=", low=0.5), right=circuit("right", {}, shape=SHAPE))
    assert (outcome.verdict, outcome.estimate.value) == (Verdict.ERROR, None)
    assert "undefined" in outcome.note


def test_the_registry_entry_is_for_compare_blocks():
    assert measure_infos()["overlap"].places == ("compare",)
    assert measure_infos()["overlap"].controls == ("chance",)

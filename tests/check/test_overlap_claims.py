"""Overlap claims: holds, fails, and error where there is nothing to compare."""

from __future__ import annotations

import pytest

import circuitdsl as cd
from circuitdsl.check.open_models import OpenModels
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
    assert heads.to_dict()["bound"] == {"op": ">", "control": "chance", **heads.control.to_dict(), "prompts": None}
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


SAME_HEAD = """
circuit {name} {{
  model planted-reuse
  task  colored_objects(shots: 0)
  role previous_token {{ 0.1 at O1  0.1 at O2  0.1 at O3 }}
}}
"""


def refuse(self, *_):
    raise AssertionError("a structural claim opened a model")


def test_one_head_at_three_positions_is_one_draw_and_no_model_is_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(OpenModels, "bench_of", refuse)
    for name in ("na", "nb"):
        (tmp_path / f"{name}.circuit").write_text(SAME_HEAD.format(name=name))
    (tmp_path / "both.circuit").write_text(
        'use "na.circuit"\nuse "nb.circuit"\n'
        "compare na with nb { expect overlap(heads) > chance  expect overlap(nodes) > chance }\n"
    )
    report = cd.check(cd.load(tmp_path / "both.circuit"))
    assert [outcome.p_value for outcome in report.outcomes] == pytest.approx([1 / 6, 1 / 6])
    assert {outcome.verdict for outcome in report.outcomes} == {Verdict.FAILS}


def test_structural_claims_need_no_weights(tmp_path, monkeypatch):
    """GPT-2's weights are not here, and two circuits that a file only uses do not need them."""
    monkeypatch.setattr(OpenModels, "bench_of", refuse)
    (tmp_path / "a.circuit").write_text(
        "circuit a { model gpt2 task ioi role r at END { 9.9 9.6 } }\n"
        "circuit b { model gpt2 task ioi role r at END { 9.9 10.0 } }\n"
    )
    (tmp_path / "ovl.circuit").write_text('use "a.circuit"\ncompare a with b { expect overlap(heads) >= 50% }\n')
    document = cd.load(tmp_path / "ovl.circuit")
    assert cd.plan(document).measured == ()
    (outcome,) = cd.check(document).outcomes
    assert (outcome.verdict, outcome.estimate.value) == (Verdict.HOLDS, 0.5)


def test_a_claim_of_function_beside_one_of_structure_needs_both_models(tmp_path):
    for name in ("na", "nb"):
        (tmp_path / f"{name}.circuit").write_text(SAME_HEAD.format(name=name))
    (tmp_path / "both.circuit").write_text(
        'use "na.circuit"\nuse "nb.circuit"\n'
        "compare na with nb { expect overlap(heads) >= 50%  expect transfer(na -> nb) >= 0% }\n"
    )
    assert [circuit.name for circuit in cd.plan(cd.load(tmp_path / "both.circuit")).measured] == ["na", "nb"]

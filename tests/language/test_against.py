"""``against other``: the counterfactual that one edge or one effect is patched from, in place of the method's."""

from __future__ import annotations

import pytest

import circuitdsl as cd
from circuitdsl.editor.symbols import occurrences
from circuitdsl.language.circuit import Claim
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.parse import parse
from circuitdsl.language.source import Source

TEXT = """circuit a {{
  model mini
  task  ioi
  method {{ against abc  members none }}
  role lookup at S2 {{ 1.0  1.1 }}
{body}
}}
"""


def claims(body: str) -> tuple[Claim, ...]:
    return cd.load(text=TEXT.format(body=body)).circuits[0].claims


def test_an_edge_and_an_effect_may_name_their_counterfactual():
    found = claims(
        "  edge 0.3 at S2 -> lookup.q against s2_io : raises as searches\n"
        "  no edge 0.3 at S2 -> lookup.k against other_io : strict\n"
        "  expect effect(lookup -> logits, strict, against flip_order) <= -5%\n"
        "  edge 0.3 at S2 -> lookup.q : raises"
    )
    assert [claim.term.named_counterfactual for claim in found] == ["s2_io", "other_io", "flip_order", ""]
    assert [claim.id for claim in found] == [
        "a:searches",
        "a:no edge 0.3 at S2 -> lookup.k against other_io : strict",
        "a:expect effect(lookup -> logits, strict, against flip_order)",
        "a:edge 0.3 at S2 -> lookup.q",
    ]
    assert found[0].text == "edge 0.3 at S2 -> lookup.q against s2_io : raises"
    assert str(found[2].term) == "effect(lookup -> logits, strict, against flip_order)"
    assert found[2].term.to_dict()["against"] == "flip_order" and "against" not in found[3].term.to_dict()


def test_an_edge_of_two_groups_is_patched_from_one_counterfactual():
    found = claims("  edge { 0.3 0.6 } at S2 -> { 1.0 1.1 }.q against s2_io")
    assert len(found) == 4 and all(claim.text.endswith("against s2_io") for claim in found)


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("  edge lookup -> logits against s2", "C214", "no counterfactual `s2`"),
        ("  expect effect(lookup -> logits, against s2) <= -5%", "C214", "no counterfactual `s2`"),
        ("  expect effect(lookup -> logits, against abc, against s2_io) <= -5%", "C516", "one counterfactual"),
        ("  expect knockout(lookup, against abc) <= -5%", "C501", "knockout"),
        (
            "  edge lookup -> logits against s2_io : raises\n  no edge lookup -> logits against s2_io",
            "C215",
            "contradicts a claim",
        ),
        # Named or not, it is the method's: one measurement.
        ("  edge lookup -> logits against abc\n  edge lookup -> logits : raises", "C215", "repeats a claim"),
        (
            "  expect effect(lookup -> logits, against abc) <= -5%\n  expect effect(lookup -> logits) <= -5%",
            "C215",
            "repeats a claim",
        ),
    ],
)
def test_what_cannot_be_patched_from_is_told(body: str, code: str, said: str):
    with pytest.raises(SpecError) as error:
        claims(body)
    assert code in str(error.value) and said in str(error.value)


def test_a_counterfactual_that_is_named_can_be_found_and_renamed_and_max_is_none():
    body = (
        "  edge lookup -> logits against s2_io\n  expect effect(lookup -> logits, against other_io) <= -5%\n"
        "  expect logit_diff(against max) >= 0"
    )
    source = Source("a.circuit", TEXT.format(body=body))
    found = [each for each in occurrences(parse(source)) if each.symbol.kind == "counterfactual"]
    assert [each.symbol.name for each in found] == ["abc", "s2_io", "other_io"]
    spelled = [source.lines[each.span.line - 1][each.span.column - 1 : each.span.end_column - 1] for each in found]
    assert spelled == ["abc", "s2_io", "other_io"]

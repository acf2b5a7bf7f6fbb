"""Identifiers of claims: labels, and what they are made of without one; neither knows of lines or bounds."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from language_environment import ENVIRONMENT
from trees import respelt

from circuitdsl.language import tree as t
from circuitdsl.language.format import format_source, print_tree
from circuitdsl.language.parse import parse
from circuitdsl.language.resolve import resolve_text
from circuitdsl.language.source import Source

HEAD = "circuit c {\n  model gpt2\n  task ioi\n"
STATEMENTS = (
    "role s_inhibition at END { 7.3 7.9 }",
    "role mover at END { 9.6 9.9 expect attention(END -> IO) >= 40% as looks }",
    "edge s_inhibition -> mover.q : raises",
    "edge s_inhibition -> mover.q : strict",
    "edge { 5.5 at S2 6.9 at S2 } -> { 7.3 7.9 }.v as induction",
    "no edge 0.1 at S2 -> logits as nothing",
    "expect logit_diff >= 3.0",
    "expect logit_diff <= 4.5",
    "expect logit_diff in 2 .. 9 as as",
    "expect attention(mover, END -> IO) <= 99%",
    "control task colored_objects : in -5% .. 5%",
)
STATED = {
    "c:member 7.3 at END": "role s_inhibition at END: 7.3 matters",
    "c:member 7.9 at END": "role s_inhibition at END: 7.9 matters",
    "c:member 9.6 at END": "role mover at END: 9.6 matters",
    "c:member 9.9 at END": "role mover at END: 9.9 matters",
    "c:looks": "expect attention(mover, END -> IO) >= 40%",
    "c:edge s_inhibition -> mover.q": "edge s_inhibition -> mover.q : raises",
    "c:edge s_inhibition -> mover.q : strict": "edge s_inhibition -> mover.q : strict",
    "c:induction:edge { 5.5 at S2 } -> 7.3.v": "edge { 5.5 at S2 } -> 7.3.v",
    "c:induction:edge { 5.5 at S2 } -> 7.9.v": "edge { 5.5 at S2 } -> 7.9.v",
    "c:induction:edge { 6.9 at S2 } -> 7.3.v": "edge { 6.9 at S2 } -> 7.3.v",
    "c:induction:edge { 6.9 at S2 } -> 7.9.v": "edge { 6.9 at S2 } -> 7.9.v",
    "c:nothing": "no edge 0.1 at S2 -> logits",
    "c:expect logit_diff": "expect logit_diff <= 4.5",
    "c:expect logit_diff:2": "expect logit_diff >= 3.0",
    "c:as": "expect logit_diff in 2 .. 9",
    "c:expect attention(mover, END -> IO)": "expect attention(mover, END -> IO) <= 99%",
    "c:control task colored_objects": "control task colored_objects : in -5% .. 5%",
}


def stated(text: str) -> dict[str, str]:
    """The claims of a text: what is claimed, by identifier."""
    (circuit,) = resolve_text(text, "c.circuit", ENVIRONMENT).circuits
    claims = {claim.id: claim.text for claim in circuit.claims}
    assert len(claims) == len(circuit.claims)
    return claims


def written(statements: Sequence[str]) -> str:
    return HEAD + "".join(f"  {statement}\n" for statement in statements) + "}\n"


def test_a_claim_is_called_by_its_label_or_by_what_it_is_about():
    assert stated(written(STATEMENTS)) == STATED


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_identifiers_stay_when_statements_move_and_comments_lines_and_formatters_come(data: st.DataObject):
    moved = data.draw(st.permutations(STATEMENTS))
    text = data.draw(respelt(written(moved)))
    assert stated(text) == STATED
    assert stated(format_source(text)) == STATED


def test_identifiers_stay_when_bounds_change():
    text = written(STATEMENTS)
    changed = text.replace(">= 3.0", ">= 2.5").replace(": raises", ": lowers").replace("in -5% .. 5%", "in -9% .. 9%")
    assert list(stated(changed)) == list(stated(text))


def test_a_label_in_a_for_has_its_number():
    body = (
        "role a_1 at END { 9.6 }\n role a_2 at END { 9.9 }\n for n in 1 .. 2 { expect knockout(a_[n]) <= 0 as no_[n] }"
    )
    assert {"c:no_1", "c:no_2"} < set(stated(written([body])))


def test_as_may_still_be_a_name():
    body = "role as at END { 9.6 }\n edge 7.3 at END -> as.q at END as as\n expect knockout(as) <= 0 as other"
    text = written([body])
    assert list(stated(text)) == ["c:member 9.6 at END", "c:as", "c:other"]
    tree = parse(Source("c.circuit", text))
    assert parse(Source("c.circuit", print_tree(tree))) == tree


def test_a_report_quotes_the_claim_and_the_file_keeps_the_label():
    (circuit,) = parse(Source("c.circuit", written(["expect logit_diff > 3 as big"]))).blocks
    assert isinstance(circuit, t.Circuit)
    assert "  expect logit_diff > 3 as big\n" in print_tree(t.File((circuit,)))

"""Changes in the text of a specification: what they mean, and that all else stays as it was written."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import circuitdsl as cd
from circuitdsl.components import ALL, END, Head, Mlp, Node, Position
from circuitdsl.draft.refine.editing import MARK, Specification, resolved, why_not
from circuitdsl.language.resolve import resolve_text
from circuitdsl.language.source import Source

S2 = Position("S2")

WRITTEN = """\
# What comes first.
circuit a {
  about "two } roles"  # and a brace
  model mini
  task  ioi
  role early { 0.3  0.5 }   # everywhere
  role wide at S2 {
    1.*  # all of them
    cite "somebody"
    mlp 1
  }
  role late at END { 2.3  2.5 at S2 }
  edge wide -> late.v : raises  # it is
  no edge early -> late.k
  edge { early wide } -> late.q
  expect accuracy >= 50%  # at least
}
"""
ONE_LINE = "circuit a{model mini task ioi role late at END{2.3 2.5}edge late->logits expect accuracy>=50%}"


def spec(text: str = WRITTEN) -> Specification:
    (circuit,) = resolve_text(text, "a.circuit", cd.environment()).circuits
    return Specification(Source("a.circuit", text), "a", circuit.geometry)


def nodes(changed: Specification, role: str) -> set[str]:
    return {str(node) for node in resolved(changed, cd.environment()).role(role).nodes}


def changes(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that went, and those that came."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return [line[2:] for line in lines if line[0] == "-"], [line[2:] for line in lines if line[0] == "+"]


# --- members -----------------------------------------------------------------------------------------


def test_a_node_goes_and_its_line_alone_is_another():
    after = spec().without("early", [Node(Head(0, 5), ALL)])
    assert changes(WRITTEN, after.text) == (
        ["  role early { 0.3  0.5 }   # everywhere"],
        ["  role early { 0.3 }   # everywhere"],
    )


def test_one_of_several_that_are_written_together_goes():
    after = spec().without("wide", [Node(Head(1, 0), S2), Node(Head(1, 4), S2)])
    assert nodes(after, "wide") == {*(f"1.{index} at S2" for index in (1, 2, 3, 5, 6, 7)), "mlp 1 at S2"}
    assert "# all of them" in after.text and 'cite "somebody"' in after.text


def test_a_node_that_stands_alone_on_a_line_takes_the_line_with_it():
    after = spec().without("wide", [Node(Mlp(1), S2)])
    assert changes(WRITTEN, after.text) == (["    mlp 1"], [])


def test_a_node_moves_and_says_its_position_only_where_the_role_has_another():
    moved = spec().moved("late", Node(Head(2, 3), END), [S2])
    assert nodes(moved, "late") == {"2.3 at S2", "2.5 at S2"}
    back = moved.moved("late", Node(Head(2, 3), S2), [END])
    assert back.text == WRITTEN
    assert nodes(spec().moved("late", Node(Head(2, 3), END), [S2, ALL]), "late") >= {"2.3 at S2", "2.3 at all"}


def test_a_role_moves_with_all_of_its_nodes():
    after = spec().role_moved("wide", END)
    assert changes(WRITTEN, after.text) == (["  role wide at S2 {"], ["  role wide at END {"])
    assert nodes(spec().role_moved("early", S2), "early") == {"0.3 at S2", "0.5 at S2"}
    assert nodes(spec().role_moved("late", S2), "late") == {"2.3 at S2", "2.5 at S2"}


def test_a_node_and_a_role_come():
    after = spec().with_node("late", Node(Head(3, 0), END)).with_node("late", Node(Head(3, 1), S2))
    assert nodes(after, "late") == {"2.3 at END", "2.5 at S2", "3.0 at END", "3.1 at S2"}
    more = after.with_role("other", [Node(Head(3, 6), END), Node(Head(3, 7), END)], "why\nso")
    assert f"\n\n  # {MARK}: why so\n  role other at END {{ 3.6  3.7 }}\n" in more.text
    assert nodes(more, "other") == {"3.6 at END", "3.7 at END"}


def test_a_remark_stands_after_a_role_or_at_the_end_where_other_lines_would_change_for_it():
    at_end = changes(WRITTEN, spec().remarked("early", "said").text)
    assert at_end == ([], ["", f"  # {MARK}, role early: said"])
    longer = ONE_LINE.replace("edge late", "# so\nrole wide at END {3.0 3.1 3.2 3.3} edge late")
    aligned = cd.format(longer.replace("2.5}", "2.5} "))
    assert changes(aligned, spec(aligned).remarked("wide", "said").formatted().text)[0] == []
    after = spec().remarked("late", "said\x1b[2K")
    assert changes(WRITTEN, after.text)[1] == [f"  role late at END {{ 2.3  2.5 at S2 }}  # {MARK}: said\\x1b[2K"]


def test_what_names_a_role_is_seen_in_claims_and_not_in_comments_and_strings():
    quiet = WRITTEN.replace("edge wide -> late.v : raises  # it is", "# wide").replace("{ early wide }", "early")
    assert spec().names("wide") and spec().names("early")
    assert not spec(quiet.replace("somebody", "wide")).names("wide")
    assert spec(quiet.replace("    mlp 1\n", "    mlp 1\n    expect knockout <= 0%\n")).names("wide")


# --- edges -------------------------------------------------------------------------------------------


def test_an_edge_goes_with_its_comment():
    assert spec().edge_said(0) == "edge wide -> late.v : raises  # it is"
    after = spec().less_edge(0)
    assert changes(WRITTEN, after.text) == (["  edge wide -> late.v : raises  # it is"], [])


def test_lines_come_at_the_end_apart_from_the_authors():
    after = spec().with_lines("edge early -> logits").with_lines(f"# {MARK}").with_lines("edge wide -> logits")
    assert after.text == WRITTEN.removesuffix("}\n") + (
        f"\n  edge early -> logits\n\n  # {MARK}\n  edge wide -> logits\n}}\n"
    )


def test_what_stands_on_one_line_is_changed_where_it_stands():
    one = spec(ONE_LINE)
    assert nodes(one.without("late", [Node(Head(2, 5), END)]), "late") == {"2.3 at END"}
    with_role = one.with_role("more", [Node(Head(3, 0), END)], "why")
    assert nodes(with_role, "more") == {"3.0 at END"} and nodes(with_role, "late") == nodes(one, "late")
    assert "edge" not in one.less_edge(0).text
    assert len(resolved(one.with_lines("expect logit_diff >= 1"), cd.environment()).claims) == 5
    assert "} edge" in one.remarked("late", "it would hide what follows").text.replace("}edge", "} edge")


# --- what cannot be ----------------------------------------------------------------------------------


def test_what_would_be_wrong_or_suspicious_is_told():
    environment = cd.environment()
    ambiguous = WRITTEN.replace("no edge early -> late.k", "edge 2.3 -> logits")
    more = spec(ambiguous).with_role("more", [Node(Head(2, 3), S2)], "why")
    assert "2.3" in why_not(spec(ambiguous), more, environment)
    assert "lists no nodes" in why_not(
        spec(), spec().without("early", [Node(Head(0, 3), ALL), Node(Head(0, 5), ALL)]), environment
    )
    assert why_not(spec(), spec().less_edge(0), environment) == ""


# --- any order of any changes ------------------------------------------------------------------------

HEADS = [Node(Head(1, index), S2) for index in range(8)]


@settings(max_examples=20)
@given(st.lists(st.sampled_from(HEADS), unique=True, max_size=6), st.booleans())
def test_nodes_that_go_and_come_again_leave_the_role_as_it_was(gone: list[Node], normal: bool):
    before = spec(cd.format(WRITTEN) if normal else WRITTEN)
    after = before.without("wide", gone)
    assert nodes(after, "wide") == nodes(before, "wide") - {str(node) for node in gone}
    for node in gone:
        after = after.with_node("wide", node)
    assert nodes(after, "wide") == nodes(before, "wide")
    # Every line of the author's that is not the role's is there still, comments among them.
    assert not [line for line in changes(before.text, after.text)[0] if "1.*" not in line and "mlp 1" not in line]


@pytest.mark.parametrize("text", [WRITTEN, cd.format(WRITTEN), ONE_LINE])
def test_what_is_formatted_afterwards_means_the_same(text: str):
    changed = spec(text).with_node("late", Node(Head(3, 0), END)).with_lines("expect logit_diff >= 1")
    formatted = changed.formatted()
    assert cd.format(formatted.text) == formatted.text
    ours, theirs = (resolved(each, cd.environment()) for each in (changed, formatted))
    assert ours.nodes == theirs.nodes and [c.term for c in ours.claims] == [c.term for c in theirs.claims]

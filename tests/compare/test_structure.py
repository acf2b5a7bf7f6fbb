"""Comparisons of hand-made circuits, every figure worked out by hand."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitdsl.compare.structure import compare, compare_roles
from samples import circuit, geometry

SMALL = geometry(layers=4, heads=8)

IOI = circuit(
    "ioi",
    {
        "duplicate": "0.1 0.3 at S2",
        "inhibition": "1.2 1.5 at END",
        "mover": "2.0 2.4 at END",
        "negative": "3.7 at END",
    },
    edges=["duplicate -> inhibition.v", "inhibition -> mover.q", "mover -> logits", "negative -> logits"],
    shape=SMALL,
)
COLORED = circuit(
    "colored",
    {
        "gatherer": "0.6 at S2",
        "s_inhibition": "1.2 1.5 at END",
        "mover": "2.0 3.7 at END",
    },
    edges=["gatherer -> s_inhibition.k", "s_inhibition -> mover.q", "mover -> logits"],
    shape=SMALL,
)


def test_heads_nodes_and_chance():
    found = compare(IOI, COLORED)
    assert found.heads.shared == ("1.2", "1.5", "2.0", "3.7")
    assert found.heads.left_only == ("0.1", "0.3", "2.4")
    assert found.heads.right_only == ("0.6",)
    assert found.heads.jaccard == pytest.approx(4 / 8)
    assert found.heads.of_smaller == pytest.approx(4 / 5)
    assert found.heads.of_left == pytest.approx(4 / 7)
    assert found.heads.of_right == pytest.approx(4 / 5)
    assert found.nodes.shared == ("1.2 at END", "1.5 at END", "2.0 at END", "3.7 at END")
    # Heads by layer: 2 and 1, 2 and 2, 2 and 1, 1 and 1, of 8 each: (2 + 4 + 2 + 1) / 8 = 1.125 expected.
    assert found.heads_chance is not None
    assert found.heads_chance.expected == pytest.approx(1.125)
    # At least 4 of the at most 5: all 5, or all but one layer's share.
    p0, p1, p2, p3 = 2 / 8, 1 / comb(8, 2), 2 / 8, 1 / 8
    p1_one = 2 * 6 / comb(8, 2)
    all_five = p0 * p1 * p2 * p3
    four = (1 - p0) * p1 * p2 * p3 + p0 * p1_one * p2 * p3 + p0 * p1 * (1 - p2) * p3 + p0 * p1 * p2 * (1 - p3)
    assert found.heads_chance.p_value == pytest.approx(all_five + four)
    assert found.to_dict()["heads"]["chance"] == pytest.approx(1.125 / 5)  # type: ignore[index]
    assert found.notes == ()


def test_roles_by_name_then_by_shared_heads():
    found = {(pair.left, pair.right): pair for pair in compare(IOI, COLORED).roles}
    assert found["mover", "mover"].rule == "name"
    assert found["mover", "mover"].heads.shared == ("2.0",)
    assert found["mover", "mover"].heads.of_smaller == pytest.approx(1 / 2)
    assert found["inhibition", "s_inhibition"].rule == "heads"
    assert found["inhibition", "s_inhibition"].heads.of_smaller == pytest.approx(1.0)
    assert found["duplicate", None].rule is None
    assert found["negative", None].heads.right == 0
    assert found[None, "gatherer"].heads.right_only == ("0.6",)
    assert len(found) == 5


def test_align_comes_first():
    found = {pair.left: pair for pair in compare(IOI, COLORED, align=[("negative", "mover")]).roles}
    assert (found["negative"].right, found["negative"].rule) == ("mover", "align")
    assert found["negative"].heads.shared == ("3.7",)
    assert found["mover"].right is None  # its namesake is taken, and shares no role that is left


def test_the_matching_shares_as_many_heads_as_can_be():
    # Greedy by shared heads would take a ~ x (2) and leave b without a counterpart; a ~ y, b ~ x shares 3.
    left = circuit("left", {"a": "0.0 0.1 0.2", "b": "1.0 1.1"})
    right = circuit("right", {"x": "0.0 0.1 1.0 1.1", "y": "0.2"})
    assert {(pair.left, pair.right) for pair in compare(left, right).roles} == {("a", "y"), ("b", "x")}


def test_equal_counts_are_settled_by_jaccard():
    left = circuit("left", {"a": "0.0 0.1"})
    right = circuit("right", {"large": "0.0 0.1 0.2 0.3", "small": "0.0 0.1"})
    pairs = compare(left, right).roles
    assert [(pair.left, pair.right) for pair in pairs] == [("a", "small"), (None, "large")]


def test_edges_in_the_terms_of_both():
    found = compare(IOI, COLORED)
    assert found.edges.shared == ("inhibition -> mover.q", "mover -> logits")
    assert found.edges.left_only == ("duplicate -> inhibition.v", "negative -> logits")
    assert found.edges.right_only == ("gatherer -> s_inhibition.k",)
    # By heads: inhibition -> mover.q is 4 pairs and 4 pairs, of which 1.2 and 1.5 -> 2.0.q are in both;
    # 2.0 -> logits is in both, and 3.7 -> logits is too, though its roles differ.
    assert found.head_edges.shared == ("1.2 -> 2.0.q", "1.5 -> 2.0.q", "2.0 -> logits", "3.7 -> logits")
    assert found.head_edges.left == 4 + 4 + 2 + 1
    assert found.head_edges.right == 2 + 4 + 2


def test_an_edge_with_two_inputs_is_two_edges():
    left = circuit("left", {"a": "0.0", "b": "1.0"}, edges=["a -> b.kv"])
    right = circuit("right", {"a": "0.0", "b": "1.0"}, edges=["a -> b.v", "a -> b.v"])
    found = compare(left, right).edges
    assert (found.shared, found.left_only, found.right_only) == (("a -> b.v",), ("a -> b.k",), ())


def test_a_group_of_roles_is_each_of_them():
    roles = {"a": "0.0", "b": "0.1", "c": "1.0"}
    left = circuit("left", roles, edges=["a + b -> c.q"])
    right = circuit("right", roles, edges=["b -> c.q", "0.5 -> logits"])
    found = compare(left, right).edges
    assert (found.shared, found.left_only) == (("b -> c.q",), ("a -> c.q",))
    assert found.right_only == ("0.5 -> logits",)


def test_a_pair_against_the_order_of_computation_is_no_edge():
    roles = {"early": "0.0 2.0", "late": "1.0 3.0 mlp2"}
    found = compare(circuit("a", roles, edges=["early -> late.q"]), circuit("b", roles)).head_edges
    assert found.left_only == ("0.0 -> 1.0.q", "0.0 -> 3.0.q", "0.0 -> mlp 2", "2.0 -> 3.0.q", "2.0 -> mlp 2")


def test_an_unmatched_role_is_not_taken_for_its_namesake():
    left = circuit("left", {"a": "0.0", "b": "1.0"}, edges=["a -> logits"])
    right = circuit("right", {"a": "2.0", "x": "0.0"}, edges=["a -> logits"])
    found = compare(left, right, align=[("a", "x")])
    assert found.edges.shared == ()
    assert (found.edges.left_only, found.edges.right_only) == (("a -> logits",), ("a -> logits",))


def test_moved_heads():
    moved = {head.head: (head.left, head.right) for head in compare(IOI, COLORED).moved}
    assert moved == {"3.7": (("negative",), ("mover",))}


def test_empty_circuits_have_no_shares():
    empty = circuit("empty", {})
    found = compare(empty, IOI)
    assert found.heads.of_smaller is None
    assert found.heads.of_left is None
    assert found.heads.of_right == 0
    assert compare(empty, empty).heads.jaccard is None
    assert "empty names no heads" in found.notes[0]


def test_other_geometries_have_no_chance():
    other = circuit("other", {"mover": "2.0"}, shape=geometry(layers=12, heads=12, model="big"))
    found = compare(IOI, other)
    assert found.heads_chance is None
    assert found.to_dict()["heads"]["p_value"] is None  # type: ignore[index]
    assert "chance is undefined" in found.notes[0]


def test_two_models_of_one_shape_are_pointed_out():
    other = circuit("other", {"mover": "2.0"}, shape=geometry(layers=4, heads=8, model="twin"))
    found = compare(IOI, other)
    assert found.heads_chance is not None
    assert "different models" in found.notes[0]


def test_nodes_that_are_not_heads_have_no_chance():
    with_mlp = circuit("with_mlp", {"mover": "2.0 mlp1"}, shape=SMALL)
    found = compare(IOI, with_mlp)
    assert found.nodes_chance is None
    assert found.heads_chance is not None


def test_two_roles_by_name():
    pair = compare_roles(IOI, COLORED, ("negative", "mover"))
    assert pair.heads.of_smaller == 1.0
    assert pair.chance is not None
    assert pair.chance.p_value == pytest.approx(1 / 8)  # one head of layer 3 each, of 8
    with pytest.raises(KeyError):
        compare_roles(IOI, COLORED, ("mover", "nobody"))


heads = st.sets(st.tuples(st.integers(0, 3), st.integers(0, 7)), max_size=10)


@st.composite
def circuits(draw, name: str):
    names = draw(st.lists(st.sampled_from("abcdef"), unique=True, min_size=1, max_size=4))
    roles = {key: " ".join(f"{layer}.{index}" for layer, index in sorted(draw(heads))) for key in names}
    pairs = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=4))
    edges = [f"{sender} -> {receiver}.{draw(st.sampled_from('qkv'))}" for sender, receiver in pairs]
    return circuit(name, roles, edges, SMALL)


@settings(max_examples=150, deadline=None)
@given(left=circuits("left"), right=circuits("right"))
def test_the_other_way_round_is_the_same(left, right):
    there, back = compare(left, right), compare(right, left)
    for ours, theirs in ((there.heads, back.heads), (there.nodes, back.nodes), (there.head_edges, back.head_edges)):
        assert set(ours.shared) == set(theirs.shared)
        assert set(ours.left_only) == set(theirs.right_only)
        assert (ours.jaccard, ours.of_smaller) == (theirs.jaccard, theirs.of_smaller)
        assert (ours.of_left, ours.of_right) == (theirs.of_right, theirs.of_left)
    assert there.heads_chance is not None
    assert back.heads_chance is not None
    assert there.heads_chance.expected == pytest.approx(back.heads_chance.expected)
    assert there.heads_chance.p_value == pytest.approx(back.heads_chance.p_value)
    assert sum(len(pair.heads.shared) for pair in there.roles) == sum(len(pair.heads.shared) for pair in back.roles)


@settings(max_examples=150, deadline=None)
@given(circuits("one"))
def test_a_circuit_is_all_of_itself(one):
    found = compare(one, one)
    for overlap in (found.heads, found.nodes, found.edges, found.head_edges):
        assert overlap.left_only == overlap.right_only == ()
        assert overlap.of_smaller == (1.0 if overlap.shared else None)
    assert found.moved == ()
    assert all(pair.rule == "name" for pair in found.roles)

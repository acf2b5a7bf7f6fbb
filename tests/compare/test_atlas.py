"""Many circuits side by side: every pair is what ``compare`` says of it, corrected; like ones come together."""

from __future__ import annotations

from itertools import combinations

import pytest

import circuitdsl as cd
from circuitdsl.compare.atlas import alike_together, pairs_of
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.resolve import resolve_text

SPECS = ("acronyms", "greater_than", "induction", "ioi")


def circuits(**heads: str) -> tuple[Circuit, ...]:
    """Circuits of mini with these heads at END."""
    text = "".join(
        f"circuit {name} {{ model mini task ioi\n role r at END {{ {some} }} }}\n" for name, some in heads.items()
    )
    return resolve_text(text, "c.circuit", cd.environment()).circuits


def test_every_pair_is_what_two_circuits_share():
    published = [cd.load(f"specs/gpt2/{name}.circuit").circuits[0] for name in SPECS]
    found = cd.atlas(*published)
    assert [(pair.left, pair.right) for pair in found.pairs] == list(combinations(range(len(SPECS)), 2))
    for pair in found.pairs:
        both = cd.compare(published[pair.left], published[pair.right])
        assert (pair.heads, pair.nodes, pair.edges) == (both.heads, both.nodes, both.head_edges)
        assert pair.chance == both.heads_chance
        assert found.pair(pair.right, pair.left) is pair
        sizes = sorted((pair.heads.left, pair.heads.right))
        assert pair.ceiling == sizes[0] / sizes[1] >= (pair.heads.jaccard or 0)


def test_p_values_are_holms_for_all_pairs():
    found = pairs_of(circuits(a="3.0 3.1", b="3.0 3.1", c="3.0 3.2", d="1.0"))
    raw = sorted((pair.chance.p_value, pair.p_holm) for pair in found if pair.chance and pair.p_holm is not None)
    assert len(raw) == 6
    # Two of eight heads of one layer, the same two: one placement of 28. Of six tests it is the first.
    assert raw[0] == (pytest.approx(1 / 28), pytest.approx(6 / 28))
    for tests_left, (p, corrected) in zip(range(6, 0, -1), raw, strict=True):
        assert corrected >= min(1.0, p * tests_left) - 1e-12


def test_circuits_that_are_alike_stand_side_by_side():
    found = circuits(a="3.0 3.1 3.2", b="1.0 1.1 1.2", c="3.0 3.1 3.3", d="1.0 1.1 1.3", e="2.0")
    order = [found[place].name for place in alike_together(pairs_of(found))]
    assert sorted(order) == ["a", "b", "c", "d", "e"]
    assert abs(order.index("a") - order.index("c")) == abs(order.index("b") - order.index("d")) == 1


def test_circuits_of_two_shapes_have_no_chance_and_it_says_so():
    small = circuits(a="3.0", b="3.1")
    other = cd.load("specs/gpt2/ioi.circuit").circuits[0]
    found = cd.atlas(*small, other)
    assert [pair.chance is None for pair in found.pairs] == [False, True, True]
    assert [pair.p_holm is None for pair in found.pairs] == [False, True, True]
    assert any("chance is undefined" in note for note in found.notes)
    assert "-" in cd.show(found)


def test_circuits_of_one_name_are_told_apart_by_their_files_and_one_given_twice_is_refused():
    one, two = circuits(a="3.0", b="3.1")
    again = resolve_text("circuit a { model mini task ioi\n role r at END { 2.0 } }", "d.circuit", cd.environment())
    assert cd.atlas(one, two, *again.circuits).names == ("a (c.circuit)", "b", "a (d.circuit)")
    with pytest.raises(cd.InputError, match="twice"):
        cd.atlas(one, two, one)
    with pytest.raises(cd.InputError, match="three circuits or more, and here are 2"):
        cd.atlas(one, two)

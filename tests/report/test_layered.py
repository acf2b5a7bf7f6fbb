"""Where boxes and arrows stand: no two boxes overlap, arrows lead up and between the boxes."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from circuitdsl.report.pictures.layered import Layout, layout

GAP = 60.0


@st.composite
def graphs(draw):
    names = [f"box{i}" for i in range(draw(st.integers(1, 8)))]
    sizes = {name: (draw(st.floats(20, 300)), draw(st.floats(20, 120))) for name in names}
    arrows = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=12))
    return sizes, arrows


def box(found: Layout, sizes, name: str) -> tuple[float, float, float, float]:
    (x, y), (width, height) = found.centres[name], sizes[name]
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def up(sizes, arrows) -> list[bool]:
    order = list(sizes)
    return [order.index(sender) < order.index(receiver) for sender, receiver in arrows]


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_boxes_lie_apart_and_within_the_picture(graph):
    sizes, arrows = graph
    found = layout(sizes, arrows, GAP)
    boxes = [box(found, sizes, name) for name in sizes]
    for left, top, right, bottom in boxes:
        assert -1e-6 <= left < right <= found.width + 1e-6
        assert -1e-6 <= top < bottom <= found.height + 1e-6
    for a, b in combinations(boxes, 2):
        assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_arrows_lead_from_top_to_bottom_and_through_no_box(graph):
    sizes, arrows = graph
    found = layout(sizes, arrows, GAP)
    assert len(found.routes) == len(arrows)
    for (sender, receiver), route, leads_up in zip(arrows, found.routes, up(sizes, arrows), strict=True):
        start, end = box(found, sizes, sender), box(found, sizes, receiver)
        assert start[0] < route[0][0] < start[2]
        assert abs(route[0][1] - start[1]) < 1e-6
        assert end[0] < route[-1][0] < end[2]
        assert abs(route[-1][1] - end[3]) < 1e-6
        if leads_up:
            assert all(below[1] >= above[1] - 1e-6 for below, above in pairwise(route))
            for x, y in route[1:-1]:
                others = [box(found, sizes, name) for name in sizes if name not in (sender, receiver)]
                assert not any(a < x < c and b - 1e-6 <= y <= d + 1e-6 for a, b, c, d in others)


def test_a_chain_stands_upright():
    found = layout(dict.fromkeys("abc", (100.0, 40.0)), [("a", "b"), ("b", "c")], GAP)
    assert [found.centres[name] for name in "abc"] == [(50, 220), (50, 120), (50, 20)]
    assert (found.width, found.height) == (100, 240)
    assert found.routes[0] == ((50, 200), (50, 140))


def test_what_nothing_feeds_stands_below_what_it_feeds():
    found = layout(dict.fromkeys("abcd", (100.0, 40.0)), [("a", "b"), ("b", "d"), ("c", "d")], GAP)
    assert found.centres["b"][1] == found.centres["c"][1] < found.centres["a"][1]


def test_neighbours_are_sorted_so_that_arrows_need_not_cross():
    """a and b feed the boxes on the other side of each other unless their order is turned."""
    found = layout(dict.fromkeys(("a", "b", "c", "d"), (80.0, 40.0)), [("a", "d"), ("b", "c")], GAP)
    x = {name: centre[0] for name, centre in found.centres.items()}
    assert (x["a"] < x["b"]) == (x["d"] < x["c"])


def test_nothing_is_an_empty_picture():
    assert layout({}, [], GAP) == Layout({}, (), 0.0, 0)

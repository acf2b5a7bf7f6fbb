"""Two circuits as one graph, worked out by hand, and what always holds of it."""

from __future__ import annotations

from hypothesis import given, settings
from test_structure import COLORED, IOI, circuits

import circuitdsl as cd
from circuitdsl.compare.graph import Elsewhere
from circuitdsl.compare.structure import compare
from circuitdsl.language.resolve import resolve_text
from samples import circuit

SPEC = """
circuit states {
  model planted-ioi
  task ioi
  role inhibition at END { 2.1 }
  role mover at END { 3.0 }
  edge inhibition -> mover.q
  edge inhibition -> mover.v
}
circuit denies {
  model planted-ioi
  task ioi
  role inhibition at END { 2.1 }
  role caller at END { 3.0 }
  no edge inhibition -> caller.q
}
"""


def test_an_edge_into_any_input_counts_as_three():
    text = SPEC.replace("inhibition -> mover.v", "inhibition -> 4.2 at END")
    left, right = resolve_text(text, "x.circuit", cd.environment()).circuits
    found = compare(left, right)
    assert found.edges.left_only[1:] == ("inhibition -> 4.2.q", "inhibition -> 4.2.k", "inhibition -> 4.2.v")
    assert found.head_edges.left_only[1:] == ("2.1 -> 4.2.q", "2.1 -> 4.2.k", "2.1 -> 4.2.v")


def test_counterparts_are_one_vertex():
    graph = compare(IOI, COLORED).graph
    found = {vertex.name: vertex for vertex in graph.vertices}
    assert {name: vertex.whose for name, vertex in found.items()} == {
        "duplicate": "left",
        "gatherer": "right",
        "inhibition ~ s_inhibition": "both",
        "mover": "both",
        "negative": "left",
        "logits": "both",
    }
    assert (found["inhibition ~ s_inhibition"].left, found["inhibition ~ s_inhibition"].right) == (
        "inhibition",
        "s_inhibition",
    )
    mover = found["mover"].components
    assert (mover.shared, mover.left_only, mover.right_only) == (("2.0",), ("2.4",), ("3.7",))
    assert [vertex.name for vertex in graph.vertices][-1] == "logits"
    assert found["duplicate"].left_positions == ("S2",)
    assert found["duplicate"].right_positions == ()


def test_every_edge_says_whose_it_is():
    graph = compare(IOI, COLORED).graph
    assert [(*link.to_dict().values(),) for link in graph.links] == [
        ("duplicate", "inhibition ~ s_inhibition", "v", "left", False, ""),
        ("inhibition ~ s_inhibition", "mover", "q", "both", False, ""),
        ("mover", "logits", "", "both", False, ""),
        ("negative", "logits", "", "left", False, ""),
        ("gatherer", "inhibition ~ s_inhibition", "k", "right", False, ""),
    ]


def test_a_head_in_other_roles_is_seen_in_both_of_its_vertices():
    found = {vertex.name: vertex for vertex in compare(IOI, COLORED).graph.vertices}
    assert found["negative"].moved == (Elsewhere("3.7", ("mover",)),)
    assert found["mover"].moved == (Elsewhere("3.7", ("negative",)),)
    assert found["duplicate"].moved == ()


def test_single_heads_are_vertices_of_their_own():
    left = circuit("left", {"b": "1.0"}, edges=["0.5 -> b.q", "0.6 -> b.q"])
    right = circuit("right", {"b": "1.0"}, edges=["0.6 -> b.q"])
    graph = compare(left, right).graph
    assert [(v.name, v.kind, v.whose) for v in graph.vertices] == [
        ("0.5", "component", "left"),
        ("0.6", "component", "both"),
        ("b", "role", "both"),
    ]


def test_an_edge_that_the_other_circuit_denies():
    document = resolve_text(SPEC, "x.circuit", cd.environment())
    states, denies = document.circuit("states"), document.circuit("denies")
    for left, right, whose in ((states, denies, "left"), (denies, states, "right")):
        links = compare(left, right).graph.links
        assert [(link.input, link.whose, link.denied) for link in links] == [("q", whose, True), ("v", whose, False)]
    assert not any(link.denied for link in compare(states, states).graph.links)


OPPOSITES = """
circuit one {
  model planted-ioi
  task ioi
  role inhibition at END { 2.1 }
  role mover at END { 3.0 3.1 }
  edge inhibition -> mover.q : raises
  edge inhibition -> mover.v : <= -10%
  edge inhibition -> mover.k
  edge mover -> logits : in -80% .. -5%
  edge 1.0 at END -> logits : raises
}
circuit two {
  model planted-ioi
  task ioi
  role inhibition at END { 2.1 }
  role caller at END { 3.0 }
  edge inhibition -> caller.q : lowers
  edge inhibition -> caller.v : >= 5%
  edge inhibition -> caller.k : lowers
  edge caller -> logits : <= 0%
  edge 1.0 at END -> logits : lowers
}
"""


def test_edges_that_say_the_opposite_are_not_shared():
    document = resolve_text(OPPOSITES, "x.circuit", cd.environment())
    found = compare(document.circuit("one"), document.circuit("two"))
    assert [(link.receiver, link.input, link.whose, link.opposed) for link in found.graph.links] == [
        ("mover ~ caller", "q", "left", "raises"),
        ("mover ~ caller", "q", "right", "lowers"),
        ("mover ~ caller", "v", "left", "raises"),
        ("mover ~ caller", "v", "right", "lowers"),
        ("mover ~ caller", "k", "both", ""),
        ("logits", "", "both", ""),
        ("logits", "", "left", "raises"),
        ("logits", "", "right", "lowers"),
    ]
    assert found.edges.shared == ("inhibition -> mover.k", "mover -> logits")
    assert found.edges.left == found.edges.right == 5
    assert found.edges.right_only == ("inhibition -> caller.q", "inhibition -> caller.v", "1.0 -> logits")
    assert found.head_edges.shared == ("2.1 -> 3.0.k", "3.0 -> logits")
    assert {"2.1 -> 3.0.q", "2.1 -> 3.0.v", "1.0 -> logits"} <= set(found.head_edges.left_only)
    assert {"2.1 -> 3.0.q", "2.1 -> 3.0.v", "1.0 -> logits"} == set(found.head_edges.right_only)
    assert {vertex.name: vertex.whose for vertex in found.graph.vertices}["1.0"] == "both"
    (_, _, mover_q, *_) = compare(document.circuit("two"), document.circuit("one")).graph.links
    assert (mover_q.input, mover_q.opposed) == ("v", "lowers")
    assert not any(link.opposed for link in compare(document.circuit("one"), document.circuit("one")).graph.links)


@settings(max_examples=100, deadline=None)
@given(left=circuits("left"), right=circuits("right"))
def test_nothing_is_lost_and_no_name_is_used_twice(left, right):
    found = compare(left, right)
    names = [vertex.name for vertex in found.graph.vertices]
    assert len(names) == len(set(names))
    assert {end for link in found.graph.links for end in (link.sender, link.receiver)} <= set(names)
    parts = found.graph.edges
    assert len(found.graph.links) == len(parts.shared) + len(parts.left_only) + len(parts.right_only)
    for own, side in ((left, "left"), (right, "right")):
        called = [getattr(vertex, side) for vertex in found.graph.vertices if vertex.kind == "role"]
        assert sorted(name for name in called if name is not None) == sorted(role.name for role in own.roles)
    back = compare(right, left).graph
    if [pair.rule for pair in found.roles].count("heads") == 0:  # ties between matchings are broken either way
        turned = {"both": "both", "left": "right", "right": "left"}
        assert sorted(link.whose for link in back.links) == sorted(turned[link.whose] for link in found.graph.links)
    assert {e.component for v in found.graph.vertices for e in v.moved} >= {m.head for m in found.moved}


def test_an_edge_is_denied_by_the_counterfactual_that_it_is_patched_from():
    """Where the other task has none of that name, the counterfactuals of the methods are each other's."""

    def denied(edge: str, no_edge: str, task: str = "ioi", against: str = "", first: str = "ioi") -> bool:
        text = SPEC.replace("edge inhibition -> mover.q", edge).replace("no edge inhibition -> caller.q", no_edge)
        before, after = text.split("circuit denies")
        before = before.replace("task ioi", f"task {first}")
        after = after.replace("task ioi", f"task {task}\n  method {{ {against} }}")
        left, right = resolve_text(before + "circuit denies" + after, "x.circuit", cd.environment()).circuits
        (link,) = [each for each in compare(left, right).graph.links if each.input == "q"]
        return link.denied

    stated, not_there = "edge inhibition -> mover.q", "no edge inhibition -> caller.q"
    assert denied(stated, not_there)
    assert not denied(f"{stated} against s2_io", not_there)
    assert not denied(stated, f"{not_there} against s2_io")
    assert denied(f"{stated} against s2_io", f"{not_there} against s2_io")
    assert denied(f"{stated} against s2_io", not_there, against="against s2_io")
    assert denied(stated, not_there, task="colored_objects")
    assert not denied(f"{stated} against s2_io", not_there, task="colored_objects")
    assert not denied(stated, not_there, against="against s2_io")
    same = {"first": "colored_objects(shots: 0)", "task": "colored_objects"}
    assert denied(stated, not_there, **same) and not denied(
        stated, not_there, against="against exchanged_colors", **same
    )

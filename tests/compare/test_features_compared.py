"""Features of two circuits are the same where their dictionaries are, whatever these are called."""

from __future__ import annotations

from circuitdsl.compare.dictionaries import named_alike
from circuitdsl.compare.structure import compare
from circuitdsl.compare.versions import Difference, changes
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.environment import DictionaryInfo, Environment, PositionInfo, TaskInfo
from circuitdsl.language.resolve import resolve_text
from samples import geometry

FOLDERS = {"one": "1f" * 32, "two": "2f" * 32}
ENVIRONMENT = Environment(
    geometry=lambda name: geometry(layers=4, heads=4),
    task=lambda task: TaskInfo("t", "", (PositionInfo("S", ""), PositionInfo("END", "")), (("x", ""),), "x", 1),
    measures={},
    dictionary=lambda path, folder: DictionaryInfo(64, geometry().d_model, FOLDERS[path], False, path),
)


def circuit(name: str, body: str) -> Circuit:
    text = f"circuit {name} {{ model m task t {body} }}"
    return resolve_text(text, "spec.circuit", ENVIRONMENT).circuits[0]


LEFT = circuit(
    "a",
    'dictionary d1 at attn_out 1 from "one"  dictionary d2 at attn_out 2 from "two"'
    " role r at S { d1.5 d2.6 0.1 }  edge d1.5 -> d2.7 at S  edge 0.1 -> d1.5",
)


def test_equal_dictionaries_have_one_name_in_a_comparison():
    right = circuit(
        "b",
        'dictionary first at attn_out 1 from "one"  dictionary second at attn_out 2 from "two"'
        " role r at S { first.5 second.8 }  edge first.5 -> second.7 at S",
    )
    found = compare(LEFT, right)
    assert found.nodes.shared == ("d1.5 at S",)
    assert (found.nodes.left_only, found.nodes.right_only) == (("d2.6 at S", "0.1 at S"), ("d2.8 at S",))
    assert found.head_edges.shared == ("d1.5 -> d2.7",) and found.head_edges.left_only == ("0.1 -> d1.5",)
    assert changes(LEFT, LEFT) == () and changes(LEFT, named_alike(right, LEFT)) == ()


def test_other_dictionaries_of_the_same_name_have_other_features():
    """At another point, or of other weights."""
    for other in ('dictionary d1 at attn_out 1 from "two"', 'dictionary d1 at attn_out 2 from "one"'):
        right = circuit("b", f"{other}  role r at S {{ d1.5 }}  edge d1.5 -> 3.0.q at S")
        found = compare(LEFT, right)
        assert found.nodes.shared == () and found.nodes.right_only == ("b:d1.5 at S",)
        assert "b:d1.5 -> 3.0.q" in found.head_edges.right_only


def test_a_vertex_stands_where_its_feature_does():
    vertices = {vertex.name: vertex.depth for vertex in compare(LEFT, LEFT).graph.vertices}
    assert vertices["d2.7"] == 2.0


def test_two_versions_say_which_dictionary_changed():
    after = circuit("a", 'dictionary d1 at attn_out 1 from "two"  role r at S { d1.5 }  edge d1.5 -> logits')
    found = changes(circuit("a", 'dictionary d1 at attn_out 1 from "one"  role r at S { d1.5 }'), after)
    assert Difference("dictionary", "d1", "at attn_out 1, 64 features, 1f1f1f1f1f1f", "") in found
    assert Difference("dictionary", "a:d1", "", "at attn_out 1, 64 features, 2f2f2f2f2f2f") in found
    assert Difference("role", "r", "d1.5 at S", "a:d1.5 at S") in found

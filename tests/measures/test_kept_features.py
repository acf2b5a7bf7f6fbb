"""What is replaced outside a circuit that lists features."""

from __future__ import annotations

import pytest

from circuitdsl.components import Component, Dictionary, ErrorTerm, Feature, Geometry, Head, Mlp, Neuron, Node, Position
from circuitdsl.measures.experiments import Ablated, ByFeatures, FromCounterfactual
from circuitdsl.measures.kept import by_features
from circuitdsl.measures.parts import MOST_SINGLE, guarded_alone, measured_alone

GEOMETRY = Geometry("toy", 3, 4, 4, 64, 16, 256, 100, 32)
ATTENTION = Dictionary("attn_out", 1, 256, "1f" * 32, name="a")
MLP = Dictionary("mlp_out", 2, 256, "2f" * 32, name="m")
STREAM = Dictionary("resid_pre", 2, 256, "3f" * 32, name="r")
Z = tuple(Head(layer, 0).output for layer in range(3))


@pytest.mark.parametrize(
    ("listed", "dictionaries", "whole"),
    [
        # Without heads in it no head is a part of the circuit; without MLPs none of these is asked about.
        ((Feature(ATTENTION, 3),), {ATTENTION}, set(Z)),
        ((Feature(STREAM, 3),), {STREAM}, set(Z)),
        ((ErrorTerm(ATTENTION),), {ATTENTION}, set(Z)),
        ((Feature(MLP, 3), Feature(ATTENTION, 1)), {MLP, ATTENTION}, {*Z, Mlp(2).output}),
        # With heads all others are replaced, but for those of a layer that features make up.
        ((Feature(ATTENTION, 3), Head(0, 1)), {ATTENTION}, {Z[1]}),
        ((Feature(STREAM, 3), Head(0, 1)), {STREAM}, set()),
        # Heads of that very layer: both are taken apart, the heads first.
        ((Feature(ATTENTION, 3), Head(1, 2)), {ATTENTION}, set()),
        ((Feature(MLP, 3), Mlp(0)), {MLP}, {*Z, Mlp(2).output}),
        ((Feature(MLP, 3), Mlp(2)), {MLP}, set(Z)),
        ((Feature(MLP, 3), Neuron(2, 7)), {MLP}, set(Z)),
    ],
)
@pytest.mark.parametrize("errors", [True, False])
def test_what_a_circuit_lists_says_what_is_taken_apart(
    listed: tuple[Component, ...], dictionaries: set[Dictionary], whole: set[str], errors: bool
):
    found = by_features(listed, GEOMETRY, errors)
    assert found == ByFeatures(frozenset(dictionaries), errors, frozenset(whole))


def test_a_circuit_without_features_is_kept_as_ever():
    assert by_features((Head(0, 1), Mlp(1), Neuron(2, 3)), GEOMETRY, True) is None


def test_of_many_features_none_is_measured_alone_and_one_may_be_silent():
    def nodes(*components: Component) -> tuple[Node, ...]:
        return tuple(Node(component, Position("S")) for component in components)

    few = nodes(Head(0, 1), *(Feature(ATTENTION, index) for index in range(MOST_SINGLE)))
    assert measured_alone(few) == few and measured_alone(nodes(Head(0, 1))) == ()
    more = (*few, *nodes(Feature(ATTENTION, 99)))
    assert measured_alone(more) == () and measured_alone((*more, *nodes(Mlp(0)))) == nodes(Head(0, 1), Mlp(0))
    assert [guarded_alone(node) for node in nodes(Head(0, 1), Neuron(1, 2), Feature(MLP, 1), ErrorTerm(MLP))] == [
        True,
        False,
        False,
        True,
    ]
    assert Ablated(frozenset(few), FromCounterfactual("x")).guarded

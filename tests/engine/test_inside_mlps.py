"""Neurons and the residual stream: all neurons of an MLP do what it does, and a whole stream is a whole run.

The right values are those of MLPs, of embeddings and of whole counterfactual runs, which are tested by hand elsewhere.
"""

from __future__ import annotations

import numpy as np
import pytest
from random_models import DATA, architecture, prompts

from circuitdsl.components import ALL, Component, Embed, Head, Mlp, Neuron, Node, PosEmbed, Position, Residual
from circuitdsl.engine.fast.coverage import covers_world
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.cost import passes
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import references_over
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Corrupted,
    Experiment,
    FromCounterfactual,
    Isolated,
    Mean,
    Metric,
    Patched,
    World,
)

B, S, END = (Position(name) for name in ("B", "S", "END"))
STREAM = prompts(12, 3)
ENGINES = {"plain": PlainEngine, "fast": FastEngine}
MODELS = ("gpt2", "llama, grouped queries", "neox, parallel, partial rotary", "norms without weights, gated")
BY_TEMPLATE, ON_X = Mean("x", 3, by_template=True), FromCounterfactual("x")


@pytest.fixture(params=ENGINES)
def run(request):
    """Logit differences [prompts] of a model's worlds."""

    def differences(model: str, *worlds: World):
        asked = [Experiment(DATA, world, Metric("logit_diff")) for world in worlds]
        engine = ENGINES[request.param](architecture(model))
        found = engine.run(DATA, STREAM, 0, len(STREAM), asked, references_over(STREAM, asked))
        assert all(isinstance(found[each], np.ndarray) for each in asked), found
        return [found[each] for each in asked]

    return differences


def at(place: Position, *components: Component) -> frozenset[Node]:
    return frozenset(Node(component, place) for component in components)


def neurons(model: str, layer: int) -> tuple[Neuron, ...]:
    return Neuron.members((layer, None), architecture(model).geometry)


def same(ours, theirs):
    assert np.abs(ours - theirs).max() <= 1e-4 * max(np.abs(theirs).max(), 1e-2)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("source", [BY_TEMPLATE, ON_X])
def test_all_neurons_ablated_are_their_mlp_ablated(run, name, source):
    whole, single, clean = run(name, Ablated(at(S, Mlp(1)), source), Ablated(at(S, *neurons(name, 1)), source), Clean())
    same(single, whole)
    assert np.abs(whole - clean).max() > 1e-3


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("receivers", [frozenset(), frozenset({(Node(Head(2, 1), END), "q")})])
def test_all_neurons_send_what_their_mlp_sends(run, name, strict, receivers):
    def path(*senders: Component) -> Patched:
        return Patched(at(END, *senders), receivers, "x", strict)

    whole, single, clean = run(name, path(Mlp(1)), path(*neurons(name, 1)), Clean())
    same(single, whole)
    assert np.abs(whole - clean).max() > 1e-3


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("strict", [False, True])
def test_all_neurons_receive_what_their_mlp_receives(run, name, strict):
    def path(*readers: Component) -> Patched:
        return Patched(
            at(END, Head(0, 1), Head(1, 2)), frozenset((Node(each, END), "") for each in readers), "x", strict
        )

    whole, single, clean = run(name, path(Mlp(2)), path(*neurons(name, 2)), Clean())
    same(single, whole)
    assert np.abs(whole - clean).max() > 1e-4


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("strict", [False, True])
def test_a_neuron_that_sends_keeps_nothing_from_one_of_its_layer(run, name, strict):
    """Neurons of a layer do not feed each other, so that one of them as a further sender changes nothing. In strict
    mode its MLP is frozen inside, where the other neuron receives."""
    head, receiver = Node(Head(0, 1), B), frozenset({(Node(Neuron(1, 9), B), "")})
    alone, beside = run(
        name,
        Patched(frozenset({head}), receiver, "x", strict),
        Patched(frozenset({head, Node(Neuron(1, 3), B)}), receiver, "x", strict),
    )
    assert np.abs(alone - run(name, Clean())[0]).max() > 1e-6
    same(beside, alone)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("strict", [False, True])
def test_a_neuron_does_not_receive_what_it_sends(run, name, strict):
    """It stands behind its own input: that it sends too changes only what later receivers get."""
    neuron, later = Node(Neuron(1, 3), END), (Node(Head(2, 1), END), "q")

    def path(*receivers: tuple[Node, str], itself: bool) -> Patched:
        senders = at(END, Head(0, 1), Head(1, 2)) | (frozenset({neuron}) if itself else frozenset())
        return Patched(senders, frozenset(receivers), "x", strict, guarded=False)

    alone, too, both, without = run(
        name,
        path((neuron, ""), itself=False),
        path((neuron, ""), itself=True),
        path((neuron, ""), later, itself=True),
        path((neuron, ""), later, itself=False),
    )
    same(too, alone)
    assert np.abs(both - without).max() > 1e-4  # what the head receives has the neuron's change in it


@pytest.mark.parametrize("name", MODELS)
def test_what_neurons_send_directly_adds_up(run, name):
    """With MLPs and the scales of norms frozen the logits are linear in what is sent."""

    def path(*senders: Component) -> Patched:
        return Patched(at(END, *senders), frozenset(), "x", strict=True)

    every = neurons(name, 1)
    whole, first, rest, one, clean = run(
        name, path(Mlp(1)), path(*every[:5]), path(*every[5:]), path(every[0]), Clean()
    )
    same(first + rest - clean, whole)
    assert np.abs(one - clean).max() > 1e-5


@pytest.mark.parametrize("name", MODELS)
def test_a_circuit_keeps_an_mlp_by_its_neurons(run, name):
    heads = (Head(0, 1), Head(1, 2), Head(2, 3))
    few = neurons(name, 1)[:3]
    kept = [(*heads, Mlp(1)), (*heads, *neurons(name, 1)), (*heads, *few), heads]
    whole, single, some, none = run(name, *(Isolated(at(ALL, *each), BY_TEMPLATE, mlps=True) for each in kept))
    same(single, whole)
    assert np.abs(some - none).max() > 1e-4 and np.abs(some - whole).max() > 1e-4


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("layer", [0, 2])
def test_the_whole_stream_of_a_counterfactual_is_its_run(run, name, layer):
    patched, corrupted = run(name, Ablated(at(ALL, Residual(layer)), ON_X), Corrupted("x"))
    same(patched, corrupted)


def test_the_first_stream_is_the_embeddings(run):
    def path(*senders: Component) -> Patched:
        return Patched(at(S, *senders), frozenset({(Node(Head(1, 0), S), "k")}), "x", False)

    stream, embeddings, clean = run("gpt2", path(Residual(0)), path(Embed(), PosEmbed()), Clean())
    same(stream, embeddings)
    assert np.abs(stream - clean).max() > 1e-4


@pytest.mark.parametrize("name", MODELS)
def test_all_that_a_head_does_enters_the_next_stream(run, name):
    into = Patched(at(S, Head(0, 1)), frozenset({(Node(Residual(1), S), "")}), "x", strict=False)
    stream, ablated, clean = run(name, into, Ablated(at(S, Head(0, 1)), ON_X), Clean())
    same(stream, ablated)
    assert np.abs(stream - clean).max() > 1e-4


def test_the_fast_engine_covers_them():
    neuron, stream = at(S, Neuron(1, 2)), at(S, Residual(1))
    assert all(map(covers_world, (Ablated(neuron, ON_X), Isolated(neuron, ON_X, mlps=True), Ablated(stream, ON_X))))


def test_the_cost_of_a_path_into_a_frozen_neuron_is_that_of_its_passes():
    """Where neurons of an MLP send and receive, what receives there and what receives elsewhere travel apart."""
    model, made = architecture("gpt2"), list[int]()
    receivers = frozenset({(Node(Neuron(1, 9), B), ""), (Node(Head(2, 1), B), "q")})
    world = Patched(at(B, Head(0, 1), Neuron(1, 3)), receivers, "x", True)
    experiment = Experiment(DATA, world, Metric("logit_diff"))
    PlainEngine(model, made.append).run(DATA, STREAM, 0, len(STREAM), [experiment])
    assert passes(world, model.geometry) == 3
    assert sum(made) == len(STREAM) * (3 + 2)  # the clean and the counterfactual prompts

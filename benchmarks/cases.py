"""The sets of experiments that are timed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.floor import layer_of
from benchmarks.models import COUNTERFACTUAL, DATA, dictionary_of
from circuitdsl.components import Component, Feature, Geometry, Head, Mlp, Neuron, Node, Position
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Experiment,
    FromCounterfactual,
    Isolated,
    Mean,
    Metric,
    Patched,
    World,
)

END = Position("END")
LOGIT_DIFF = Metric("logit_diff")

# --- cases -----------------------------------------------------------------------------------------


def direct_sweep(geometry: Geometry) -> list[World]:
    """(a) Every head -> the logits, at END, by path patching."""
    return _to_logits(_heads(geometry))


def total_sweep(geometry: Geometry) -> list[World]:
    """(a, everything recomputing) Every head's output at END replaced by the counterfactual's."""
    return [Ablated(frozenset({Node(head, END)}), FromCounterfactual(COUNTERFACTUAL)) for head in _heads(geometry)]


def inside_mlps(geometry: Geometry) -> list[World]:
    """(f) Every MLP, and of each as many neurons as make one sender a head, -> the logits, at END, by path patching."""
    neurons = [
        Neuron(layer, index * geometry.d_mlp // geometry.n_heads)
        for layer in range(geometry.n_layers)
        for index in range(1, geometry.n_heads)
    ]
    return _to_logits([*(Mlp(layer) for layer in range(geometry.n_layers)), *neurons])


def features(geometry: Geometry) -> list[World]:
    """(g) As many features of two dictionaries -> the logits, at END, by path patching."""
    dictionaries = [dictionary_of(geometry, layer) for layer in (geometry.n_layers // 4, geometry.n_layers * 3 // 4)]
    each = geometry.n_layers * geometry.n_heads // len(dictionaries)
    return _to_logits([Feature(dictionary, index) for dictionary in dictionaries for index in range(each)])


def _to_logits(components: Iterable[Component]) -> list[World]:
    return [Patched(frozenset({Node(each, END)}), frozenset(), COUNTERFACTUAL, False) for each in components]


def query_sweep(geometry: Geometry) -> list[World]:
    """(b) Every head -> the queries of three heads three quarters up, at END."""
    layer = geometry.n_layers * 3 // 4
    receivers = frozenset((Node(Head(layer, index), END), "q") for index in range(min(3, geometry.n_heads)))
    return [Patched(frozenset({Node(head, END)}), receivers, COUNTERFACTUAL, False) for head in _heads(geometry)]


def whole_check(geometry: Geometry) -> list[World]:
    """(c) What a check of a 26-head circuit of 7 roles runs: knockouts, faithfulness against 20 random circuits,
    minimality, completeness, and an edge into each role but the first."""
    roles = _roles(geometry)
    nodes = frozenset(node for role in roles for node in role)
    source = Mean(COUNTERFACTUAL, 1_000_000, by_template=True)
    removed = [frozenset(role) for role in roles] + [frozenset({node}) for node in nodes]
    worlds: list[World] = [Ablated(some, source) for some in removed]
    worlds += [Isolated(nodes, source, False), Isolated(frozenset(), source, False)]
    worlds += [Isolated(_exchanged(nodes, geometry, seed), source, False) for seed in range(20)]
    for node in nodes:
        for without in [frozenset[Node](), *map(frozenset, roles)]:
            worlds += [
                Isolated(nodes - without - {node}, source, False),
                Isolated(nodes - (without - {node}), source, False),
            ]
    worlds += [Isolated(nodes - frozenset(role), source, False) for role in roles]
    for earlier, later in pairwise(roles):
        receivers = frozenset((node, "q") for node in later)
        worlds.append(Patched(frozenset(earlier), receivers, COUNTERFACTUAL, False))
    return list(dict.fromkeys([Clean(), *worlds]))


def all_edges(geometry: Geometry) -> list[World]:
    """(d) Every edge between heads of that circuit: one head -> the queries of a later one, at its position."""
    nodes = sorted((node for role in _roles(geometry) for node in role), key=str)
    edges = {
        (sender.component, receiver) for sender in nodes for receiver in nodes if layer_of(sender) < layer_of(receiver)
    }
    return [
        Patched(frozenset({Node(sender, receiver.position)}), frozenset({(receiver, "q")}), COUNTERFACTUAL, False)
        for sender, receiver in sorted(edges, key=str)
    ]


@dataclass(frozen=True)
class Case:
    """Experiments to time, on ``times`` as many prompts as the others."""

    about: str
    worlds: Callable[[Geometry], list[World]]
    times: int = 1


CASES = {
    "a": Case("all heads -> logits at END, path patching", direct_sweep),
    "a-total": Case("all heads patched at END, all recomputed", total_sweep),
    "b": Case("all heads -> the queries of one role", query_sweep),
    "c": Case("a whole check of 26 heads", whole_check),
    "d": Case("all edges between heads of a circuit", all_edges),
    "e": Case("as a, on ten times the prompts", direct_sweep, times=10),
    "f": Case("all MLPs and some neurons -> logits at END", inside_mlps),
    "g": Case("features of dictionaries -> logits at END", features),
}


def experiments(worlds: Iterable[World]) -> list[Experiment]:
    return [Experiment(DATA, world, LOGIT_DIFF) for world in worlds]


def _heads(geometry: Geometry) -> list[Head]:
    return [Head(layer, index) for layer in range(geometry.n_layers) for index in range(geometry.n_heads)]


def _roles(geometry: Geometry) -> list[list[Node]]:
    """26 heads in 7 roles, as in IOI: early ones at S1+1 and S2, late ones at END."""
    rng = random.Random(0)
    deep = geometry.n_layers
    plan = [
        (2, 0.2, Position("S1", 1)),
        (3, 0.15, Position("S2")),
        (4, 0.5, Position("S2")),
        (4, 0.65, END),
        (3, 0.8, END),
        (8, 0.85, END),
        (2, 0.9, END),
    ]
    roles, used = [], set[Head]()
    for count, depth, position in plan:
        nodes: list[Node] = []
        while len(nodes) < min(count, geometry.n_heads):
            head = Head(min(deep - 1, int(depth * deep) + rng.randrange(2)), rng.randrange(geometry.n_heads))
            if head not in used or len(used) > deep * geometry.n_heads // 2:
                used.add(head)
                nodes.append(Node(head, position))
        roles.append(nodes)
    return roles


def _exchanged(nodes: frozenset[Node], geometry: Geometry, seed: int) -> frozenset[Node]:
    rng = random.Random(seed)
    return frozenset(Node(Head(layer_of(node), rng.randrange(geometry.n_heads)), node.position) for node in nodes)

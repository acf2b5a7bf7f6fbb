"""The sets of experiments that are timed, and the arithmetic that each needs at least."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.models import COUNTERFACTUAL, DATA
from circuitdsl.language.circuit import ALL, Head, Node, Position
from circuitdsl.language.environment import Geometry
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
from circuitdsl.tasks.prompts import Prompt

END = Position("END")
LOGIT_DIFF = Metric("logit_diff")

# --- cases -----------------------------------------------------------------------------------------


def direct_sweep(geometry: Geometry) -> list[World]:
    """(a) Every head -> the logits, at END, by path patching."""
    return [Patched(frozenset({Node(head, END)}), frozenset(), COUNTERFACTUAL, False) for head in _heads(geometry)]


def total_sweep(geometry: Geometry) -> list[World]:
    """(a, everything recomputing) Every head's output at END replaced by the counterfactual's."""
    return [Ablated(frozenset({Node(head, END)}), FromCounterfactual(COUNTERFACTUAL)) for head in _heads(geometry)]


def query_sweep(geometry: Geometry) -> list[World]:
    """(b) Every head -> the queries of three heads three quarters up, at END."""
    layer = geometry.n_layers * 3 // 4
    receivers = frozenset((Node(Head(layer, index), END), "q") for index in range(3))
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
    return [
        Patched(
            frozenset({Node(sender.component, receiver.position)}), frozenset({(receiver, "q")}), COUNTERFACTUAL, False
        )
        for sender in nodes
        for receiver in nodes
        if _layer(sender) < _layer(receiver)
    ]


CASES: dict[str, Callable[[Geometry], list[World]]] = {
    "a": direct_sweep,
    "a-total": total_sweep,
    "b": query_sweep,
    "c": whole_check,
    "d": all_edges,
}


def experiments(worlds: Iterable[World]) -> list[Experiment]:
    return [Experiment(DATA, world, LOGIT_DIFF) for world in worlds]


def _heads(geometry: Geometry) -> list[Head]:
    return [Head(layer, index) for layer in range(geometry.n_layers) for index in range(geometry.n_heads)]


def _layer(node: Node) -> int:
    assert isinstance(node.component, Head)
    return node.component.layer


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
    return frozenset(Node(Head(_layer(node), rng.randrange(geometry.n_heads)), node.position) for node in nodes)


# --- the floor -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Floor:
    """Floating-point operations that the experiments need on one prompt, matrix products with weights only.

    Each experiment alone, over shared caches: only tokens from the first patched one on, only layers from the first
    patched one on, the last layer at END only. Runs that share a part with one another could need less.
    """

    geometry: Geometry
    prompt: Prompt

    def of(self, worlds: Iterable[World]) -> float:
        """Of these worlds together, with one clean and one counterfactual run."""
        return 2 * self._onward(len(self.prompt.tokens), 0) + sum(map(self._world, worlds))

    def _world(self, world: World) -> float:
        match world:
            case Ablated(nodes=nodes):
                first, start = min(map(self._token, nodes)), min(map(_layer, nodes))
                tokens = len(self.prompt.tokens) - first
                # The patched layer's own attention is known.
                return self._onward(tokens, start) - 6 * self.geometry.d_model**2 * tokens
            case Isolated(kept=kept):
                if not kept:
                    return self._onward(len(self.prompt.tokens), 0)
                return self._onward(len({*map(self._token, kept), len(self.prompt.tokens) - 1}), min(map(_layer, kept)))
            case Patched(senders=senders, receivers=receivers):
                return self._patched(min(map(_layer, senders)), receivers)
            case _:
                return 0

    def _patched(self, start: int, receivers: frozenset[tuple[Node, str]]) -> float:
        if not receivers:
            return self._mlp * (self.geometry.n_layers - start)
        ends = [_layer(node) for node, _ in receivers]
        tokens = len({self._token(node) for node, _ in receivers})
        if start >= max(ends):
            return 0
        onward = len(self.prompt.tokens) - min(self._token(node) for node, _ in receivers)
        return self._mlp * tokens * (max(ends) - start) + self._onward(onward, min(ends))

    def _onward(self, tokens: int, start: int) -> float:
        """Layers from ``start`` on for some tokens, the last of them at END only."""
        square = self.geometry.d_model**2
        layers = self.geometry.n_layers - start
        return (layers - 1) * tokens * (8 * square + self._mlp) + 4 * square * tokens + 4 * square + self._mlp

    @property
    def _mlp(self) -> float:
        return 4 * self.geometry.d_model * self.geometry.d_mlp

    def _token(self, node: Node) -> int:
        if node.position == ALL:
            return 0
        return self.prompt.positions[node.position.name][0] + node.position.offset

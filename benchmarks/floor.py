"""The arithmetic that a set of experiments needs at least."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from circuitdsl.components import ALL, Geometry, Head, Mlp, Node, can_carry
from circuitdsl.measures.experiments import Ablated, Isolated, Patched, World
from circuitdsl.tasks.prompts import Prompt


@dataclass(frozen=True)
class Floor:
    """Floating-point operations that experiments need on one prompt: matrix products with weights, and of those only
    what no implementation that computes each experiment by itself, over shared caches, could leave out.

    The layer where outputs are replaced recomputes its MLP at the replaced tokens; layers above it recompute tokens
    from the first replaced one on; the last layer runs at END only. A head's own projections, in the layer where it is
    patched or kept, products between queries, keys and values, and what a dictionary takes to find its features are
    left out. Experiments that share a part with one another could need less.
    """

    geometry: Geometry
    prompt: Prompt

    def of(self, worlds: Iterable[World]) -> float:
        """Of these worlds together, with one clean and one counterfactual run."""
        return 2 * self._onward(len(self.prompt.tokens), 0) + sum(map(self._world, worlds))

    def _world(self, world: World) -> float:
        match world:
            case Ablated(nodes=nodes):
                return self._after(nodes)
            case Isolated(kept=kept):
                return self._isolated(kept)
            case Patched(senders=senders, receivers=receivers):
                return self._patched(min(map(self._carried_from, senders)), [node for node, _ in receivers])
            case _:
                return 0

    def _carried_from(self, sender: Node) -> int:
        """The first layer whose MLP reads what a node writes; the number of layers where none does."""
        layers, parallel = self.geometry.n_layers, self.geometry.parallel_attn_mlp
        return next((each for each in range(layers) if can_carry(sender.component, Mlp(each), parallel)), layers)

    def _after(self, nodes: Collection[Node]) -> float:
        """What follows from other outputs of these heads at these tokens."""
        start = min(map(layer_of, nodes))
        tokens = {self._token(node) for node in nodes if layer_of(node) == start}
        if start == self.geometry.n_layers - 1:
            return self._mlp
        return len(tokens) * self._mlp + self._onward(len(self.prompt.tokens) - min(tokens), start + 1)

    def _isolated(self, kept: Collection[Node]) -> float:
        """The MLPs above the first kept head, at the tokens where heads are kept and at END.

        Other tokens carry what they carry when no head is kept, which all these worlds share.
        """
        if not kept:
            return self._onward(len(self.prompt.tokens), 0)
        tokens = len({*map(self._token, kept), len(self.prompt.tokens) - 1})
        return (self.geometry.n_layers - 1 - min(map(layer_of, kept))) * tokens * self._mlp + self._mlp

    def _patched(self, start: int, receivers: Collection[Node]) -> float:
        """The MLPs on the way at the receivers' tokens, then what follows from the receivers."""
        if not receivers:
            return self._mlp * (self.geometry.n_layers - start)
        end = max(map(layer_of, receivers))
        if start >= end:
            return 0
        return self._mlp * len(set(map(self._token, receivers))) * (end - start) + self._after(receivers)

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


def layer_of(node: Node) -> int:
    """The layer of a head's node."""
    assert isinstance(node.component, Head)
    return node.component.layer

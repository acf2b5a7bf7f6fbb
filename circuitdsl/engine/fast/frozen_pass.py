"""Path patching's first run: what senders change at a token, while every other head keeps the output that it had.

With the heads frozen nothing moves between tokens, so that only the receivers' own tokens are run, without attention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jaxtyping import Float, Int
from torch import Tensor

from circuitdsl.engine import hook_names
from circuitdsl.engine.fast.architecture import Block, Mlp, Network, Norm
from circuitdsl.engine.fast.cached import Cached
from circuitdsl.engine.fast.edits import Edit, Rows
from circuitdsl.engine.fast.hook_points import (
    before_outputs,
    layer_of,
    mlp_input,
    mlp_output,
    neurons,
    q_k_v,
    residual,
)
from circuitdsl.engine.fast.progress import Passed, pass_silently
from circuitdsl.engine.fast.region import Region, columns, picked, take


@dataclass(frozen=True)
class FrozenPass:
    """Worlds of senders over the tokens of a region, with heads frozen; in ``strict`` mode MLPs and norms too.

    ``base`` holds, of the run that is patched, the residual stream that layer ``first`` reads and the heads' outputs
    from there on. ``receivers`` are the hook points at which the result is read; without any, it is the final norm's
    output. ``edits`` are that run's own, of MLPs and embeddings, which are made in every world before the world's.
    """

    network: Network
    tokens: Int[Tensor, "prompts tokens"]
    region: Region
    base: Mapping[str, Cached]
    first: int
    worlds: Sequence[Sequence[Edit]]
    receivers: frozenset[str]
    strict: bool
    edits: Sequence[Edit] = ()
    passed: Passed = pass_silently  # told of every layer that was run

    def inputs(self) -> dict[str, Float[Tensor, "prompts worlds n *rest"]]:
        """What passes each receiver's hook point on the region's tokens."""
        layers = _Layers(self)
        layers.run(max(map(layer_of, self.receivers)))
        return layers.arrived

    def final(self) -> Float[Tensor, "prompts worlds n d_model"]:
        """The final norm's output on the region's tokens."""
        layers = _Layers(self)
        return layers.by_world(layers.normed(self.network.final, layers.run(len(self.network.blocks) - 1)))


@dataclass
class _Layers:
    """One pass through the layers. In strict mode the first row is the run that is patched, for its norms' scales."""

    asked: FrozenPass
    arrived: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.network, self.at = self.asked.network, self.asked.region.at
        own = tuple(self.asked.edits)
        self.patched = [own] if self.asked.strict else []  # a world without further edits shares that run's row
        self.rows = Rows([*self.patched, *((*own, *edits) for edits in self.asked.worlds)])

    def run(self, last: int) -> Float[Tensor, "prompts rows n d_model"]:
        """The residual stream after a layer."""
        first = self.asked.first
        x = self.asked.base[residual(first)].take(self.at)[:, None] if first else self._embedded()
        for layer in range(first, last + 1):
            x = self._layer(layer, self.network.blocks[layer], x)
            self.asked.passed(layer)
        return x

    def normed(self, norm: Norm, x: Float[Tensor, "prompts rows n d_model"]) -> Float[Tensor, "prompts rows n d_model"]:
        return norm.with_scale_of(x[:, :1], x) if self.asked.strict else norm(x)

    def by_world(self, x: Float[Tensor, "prompts rows n *rest"]) -> Float[Tensor, "prompts worlds n *rest"]:
        """From rows to worlds."""
        return picked(x, self.rows.member[len(self.patched) :])

    def _embedded(self) -> Float[Tensor, "prompts rows n d_model"]:
        tokens, places = self.network.embedded(take(self.asked.tokens, self.at), self.at)
        tokens, places = self.rows.split(-1, tokens, places)
        embedded = self.rows.edit("hook_embed", tokens, self.at) + self.rows.edit("hook_pos_embed", places, self.at)
        return self.normed(self.network.embedded_norm, embedded)

    def _layer(
        self, layer: int, block: Block, x: Float[Tensor, "prompts before n d_model"]
    ) -> Float[Tensor, "prompts rows n d_model"]:
        for name, project in zip(q_k_v(layer), (block.q, block.k, block.v), strict=True):
            if name in self.asked.receivers:
                self.arrived[name] = self.by_world(self.network.heads(project(self.normed(block.ln1, x))))
        (x,) = self.rows.split(before_outputs(layer), x)
        after = x + self._attended(layer, block, x)
        if block.mlp is None:
            return after
        before = x if self.network.parallel else after
        if mlp_input(layer) in self.asked.receivers:
            self.arrived[mlp_input(layer)] = self.by_world(self.normed(block.ln2, before))
        if neurons(layer) in self.asked.receivers:
            self.arrived[neurons(layer)] = self.by_world(block.mlp.neurons(self.normed(block.ln2, before)))
        written = self._written(layer, block.mlp, block.ln2(before[:, :1] if self.asked.strict else before))
        written = written.expand(-1, before.shape[1], -1, -1).clone() if written.shape[1] < before.shape[1] else written
        return after + self.rows.edit(mlp_output(layer), written, self.at)

    def _written(
        self, layer: int, mlp: Mlp, normed: Float[Tensor, "prompts read n d_model"]
    ) -> Float[Tensor, "prompts written n d_model"]:
        """What the MLP writes, in one row if it is the same in all: in strict mode every MLP puts out what it does in
        the run that is patched, the first row, but for the neurons that send."""
        hidden, name = mlp.neurons(normed), neurons(layer)
        if not self.rows.edited(name):
            return mlp.out(hidden)
        every = hidden.repeat(1, len(self.rows), 1, 1) if self.asked.strict else hidden
        return mlp.out(self.rows.edit(name, every, self.at))

    def _attended(
        self, layer: int, block: Block, x: Float[Tensor, "prompts rows n d_model"]
    ) -> Float[Tensor, "prompts rows n d_model"]:
        """What the heads write: their frozen outputs in every row but those whose senders stand here."""
        z = self.asked.base[hook_names.z(layer)].take(self.at)[:, None]
        senders = self.rows.edited(hook_names.z(layer))
        written = block.o(z.flatten(-2)).expand(-1, x.shape[1], -1, -1)
        if not senders:
            return written
        sending = columns(x, senders)
        sent = self.rows.edit(hook_names.z(layer), z.repeat(1, x.shape[1], 1, 1, 1), self.at)[:, sending]
        written = written.clone()
        written[:, sending] = block.o(sent.flatten(-2))
        return written

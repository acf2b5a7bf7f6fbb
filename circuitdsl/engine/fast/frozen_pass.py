"""Path patching's first run: what senders change at a token, while every other head keeps the output that it had.

With the heads frozen nothing moves between tokens, so that only the receivers' own tokens are run, without attention.
What dictionaries read off the sum of a layer's heads is brought there by these: to such receivers the layer's heads
compute again, and the tokens of senders are run too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jaxtyping import Float, Int
from torch import Tensor

from circuitdsl.engine import hook_names
from circuitdsl.engine.fast.architecture import Block, Mlp, Network, Norm
from circuitdsl.engine.fast.attending import attended
from circuitdsl.engine.fast.cached import Cached
from circuitdsl.engine.fast.dictionaries import Decomposition, added, require_open
from circuitdsl.engine.fast.edits import Edit, Rows
from circuitdsl.engine.fast.hook_points import (
    attention_output,
    before_attention,
    before_features,
    before_mlp,
    before_outputs,
    before_stream,
    layer_of,
    mlp_input,
    mlp_output,
    neurons,
    q_k_v,
    residual,
)
from circuitdsl.engine.fast.masks import Mask, named
from circuitdsl.engine.fast.progress import Passed, pass_silently
from circuitdsl.engine.fast.region import Region, columns, picked, take


@dataclass(frozen=True)
class FrozenPass:
    """Worlds of senders over the tokens of a region, with heads frozen; in ``strict`` mode MLPs and norms too.

    ``base`` holds, of the run that is patched, the residual stream that layer ``first`` reads and the heads' outputs
    from there on. ``receivers`` are the hook points at which the result is read, with the columns of receivers there;
    without any, it is the final norm's output. ``edits`` are that run's own, of MLPs, embeddings and features, which
    are made in every world before the world's. ``heads``: the last layer, whose heads compute again, for receivers that
    are read off their sum; of it ``base`` holds keys and values, and ``edits`` has those of its heads too.
    """

    network: Network
    tokens: Int[Tensor, "prompts tokens"]
    region: Region
    base: Mapping[str, Cached]
    first: int
    worlds: Sequence[Sequence[Edit]]
    receivers: Mapping[str, Mask]
    strict: bool
    edits: Sequence[Edit] = ()
    heads: int | None = None
    passed: Passed = pass_silently  # told of every layer that was run

    def inputs(self) -> dict[str, Float[Tensor, "prompts worlds n *rest"]]:
        """What passes each receiver's hook point on the region's tokens; of features, in the columns of receivers."""
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
    arrived: dict[str, Tensor] = field(default_factory=dict[str, Tensor])

    def __post_init__(self) -> None:
        self.network, self.at = self.asked.network, self.asked.region.at
        own = tuple(self.asked.edits)
        self.patched = [own] if self.asked.strict else []  # a world without further edits shares that run's row
        self.rows = Rows([*self.patched, *((*own, *edits) for edits in self.asked.worlds)])
        require_open(self.network, self.rows.names.union(self.asked.receivers))

    def run(self, last: int) -> Float[Tensor, "prompts rows n d_model"]:
        """The residual stream after a layer; of the one whose heads compute again, before it."""
        first = self.asked.first
        x = self.asked.base[residual(first)].take(self.at)[:, None] if first else self._embedded()
        for layer in range(first, last + 1):
            block, x = self.network.blocks[layer], self._stream(layer, x)
            if layer == self.asked.heads:
                self._to_features_of_heads(layer, block, x)
            else:
                x = self._layer(layer, block, x)
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

    def _stream(
        self, layer: int, x: Float[Tensor, "prompts before n d_model"]
    ) -> Float[Tensor, "prompts rows n d_model"]:
        """The residual stream that a layer reads."""
        name = residual(layer)
        (x,) = self.rows.split(before_stream(layer), x)
        if name in self.rows.names:
            x = self.rows.edit(name, x.clone(), self.at)
        stands = x
        (x,) = self.rows.split(before_features(name), x)
        self._to_features(name, stands, None)
        x = added(x, self._changes(name, stands, None))
        if name in self.asked.receivers:
            self.arrived[name] = self.by_world(x)
        return x

    def _layer(
        self, layer: int, block: Block, x: Float[Tensor, "prompts before n d_model"]
    ) -> Float[Tensor, "prompts rows n d_model"]:
        for name, project in zip(q_k_v(layer), (block.q, block.k, block.v), strict=True):
            if name in self.asked.receivers:
                self.arrived[name] = self.by_world(self.network.heads(project(self.normed(block.ln1, x))))
        (x,) = self.rows.split(before_outputs(layer), x)
        point, stands = attention_output(layer), self._attended(layer, block)
        x, written = self._split_features(point, x, stands)
        after = added(x + written, self._changes(point, stands, None))
        return after if block.mlp is None else self._after_mlp(layer, block, x, after)

    def _split_features(
        self,
        point: str,
        x: Float[Tensor, "prompts before n d_model"],
        written: Float[Tensor, "prompts _ n d_model"],
    ) -> tuple[Float[Tensor, "prompts rows n d_model"], Float[Tensor, "prompts _ n d_model"]]:
        """With a row for all in which features and errors at a point differ; ``written`` stays one if all share it."""
        if written.shape[1] > 1:
            x, written = self.rows.split(before_features(point), x, written)
        else:
            (x,) = self.rows.split(before_features(point), x)
        return x, written

    def _after_mlp(
        self,
        layer: int,
        block: Block,
        x: Float[Tensor, "prompts before n d_model"],
        after: Float[Tensor, "prompts before n d_model"],
    ) -> Float[Tensor, "prompts rows n d_model"]:
        """The residual stream after a layer's MLP; ``x`` before the layer, ``after`` its heads."""
        assert block.mlp is not None, "a layer without an MLP ends with its heads"
        point, receivers = mlp_output(layer), self.asked.receivers
        x, after = self.rows.split(before_mlp(layer), x, after)
        before = x if self.network.parallel else after
        if mlp_input(layer) in receivers:
            self.arrived[mlp_input(layer)] = self.by_world(self.normed(block.ln2, before))
        if neurons(layer) in receivers:
            self.arrived[neurons(layer)] = self.by_world(block.mlp.neurons(self.normed(block.ln2, before)))
        read = block.ln2(before[:, :1] if self.asked.strict else before)
        stands = written = self._written(layer, block.mlp, read)
        arriving, arrives = read, stands
        if self.asked.strict and self._receives_at(point):  # an MLP computes again for what receives of it
            arriving = self.normed(block.ln2, before)
            arrives = self._written(layer, block.mlp, arriving)
        after, written = self._split_features(point, after, written)
        self._to_features(point, arrives, arriving)
        return added(after + written, self._changes(point, stands, read))

    def _written(
        self, layer: int, mlp: Mlp, normed: Float[Tensor, "prompts read n d_model"]
    ) -> Float[Tensor, "prompts written n d_model"]:
        """What the MLP writes, in one row if it is the same in all: in strict mode every MLP puts out what it does in
        the run that is patched, the first row, but for the neurons that send."""
        hidden, inside, name = mlp.neurons(normed), neurons(layer), mlp_output(layer)
        if self.rows.edited(inside):
            hidden = self.rows.edit(inside, self._by_row(hidden), self.at)
        written = mlp.out(hidden)
        return self.rows.edit(name, self._by_row(written), self.at) if self.rows.edited(name) else written

    def _by_row(self, x: Float[Tensor, "prompts _ n *rest"]) -> Float[Tensor, "prompts rows n *rest"]:
        """With a row for each, also where all of them share one."""
        return x if x.shape[1] == len(self.rows) else x.repeat_interleave(len(self.rows), 1)

    def _attended(self, layer: int, block: Block) -> Float[Tensor, "prompts written n d_model"]:
        """What the heads write, in one row if it is the same in all: their frozen outputs in every row but those whose
        senders stand here."""
        z = self.asked.base[hook_names.z(layer)].take(self.at)[:, None]
        senders = self.rows.edited(hook_names.z(layer))
        written = block.o(z.flatten(-2))
        if not senders:
            return written
        sending = columns(z, senders)
        sent = self.rows.edit(hook_names.z(layer), self._by_row(z), self.at)[:, sending]
        written = self._by_row(written)
        written[:, sending] = block.o(sent.flatten(-2))
        return written

    # --- dictionaries ----------------------------------------------------------------------------

    def _changes(
        self,
        point: str,
        stands: Float[Tensor, "prompts _ n d_model"],
        read: Float[Tensor, "prompts _ n d_model"] | None,
    ) -> list[tuple[Sequence[int], Float[Tensor, "prompts _ n d_model"]]]:
        """By how much what ``stands`` at a point changes, and in which rows: ``read`` is what the MLP reads, both in
        the rows before the split for features and errors, or in one."""
        found: list[tuple[Sequence[int], Tensor]] = []
        for sparse in self.network.dictionaries.get(point, ()):
            names = sparse.dictionary.features, sparse.dictionary.error
            some = sorted({row for name in names for row in self.rows.edited(name)})
            change = Decomposition.of(sparse, self.rows, self.at, some, stands, read).change({}) if some else None
            if change is not None:
                found.append((some, change))
        return found

    def _to_features(
        self,
        point: str,
        stands: Float[Tensor, "prompts _ n d_model"],
        read: Float[Tensor, "prompts _ n d_model"] | None,
    ) -> None:
        """Features and errors that receive, of what arrives at a point; as for :meth:`_changes`."""
        for sparse in self.network.dictionaries.get(point, ()):
            names = sparse.dictionary.features, sparse.dictionary.error
            if receivers := {name: self.asked.receivers[name] for name in names if name in self.asked.receivers}:
                decomposition = Decomposition.of(sparse, self.rows, self.at, range(len(self.rows)), stands, read)
                for name, mask in receivers.items():
                    self.arrived[name] = self.by_world(decomposition.values(name, named([mask])))

    def _receives_at(self, point: str) -> bool:
        """Whether features or errors at a point receive."""
        dictionaries = (each.dictionary for each in self.network.dictionaries.get(point, ()))
        return any(name in self.asked.receivers for each in dictionaries for name in each.hook_points)

    def _to_features_of_heads(self, layer: int, block: Block, x: Float[Tensor, "prompts rows n d_model"]) -> None:
        """Features and errors that receive of what the heads of a layer write, which compute again."""
        name, point, heads = hook_names.z(layer), attention_output(layer), self.network.heads
        q, k, v = (heads(project(self.normed(block.ln1, x))) for project in (block.q, block.k, block.v))
        q, k, v = self.rows.split(before_attention(layer), q, self.network.rotate(k, self.at), v)
        z, _ = attended(self.network, layer, self.rows, self.asked.region, self.asked.base, (q, k, v))
        (z,) = self.rows.split(before_outputs(layer), z)
        written = block.o(self.rows.edit(name, z, self.at).flatten(-2))
        self.rows.split(before_features(point))
        self._to_features(point, written, None)

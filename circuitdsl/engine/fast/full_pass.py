"""Runs in which everything after an edit is computed again: ablation, isolation, intervention, and the clean run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuitdsl.engine import hook_names
from circuitdsl.engine.fast.architecture import Network
from circuitdsl.engine.fast.attending import attended
from circuitdsl.engine.fast.cached import Cached
from circuitdsl.engine.fast.dictionaries import Decomposition, Received, added, require_open
from circuitdsl.engine.fast.edits import Edit, Rows
from circuitdsl.engine.fast.hook_points import (
    attention_output,
    before_attention,
    before_features,
    before_mlp,
    before_outputs,
    before_stream,
    keys_at,
    mlp_input,
    mlp_output,
    neurons,
    q_k_v,
    residual,
    step_of,
    values_at,
)
from circuitdsl.engine.fast.progress import Passed, pass_silently
from circuitdsl.engine.fast.region import Region, columns, narrow, take


@dataclass(frozen=True)
class Arrivals:
    """What a hook point is given on the region's tokens: ``values`` where ``mask`` is true.

    After the tokens, ``mask`` has the axes heads and 1, neurons alone, or 1 alone for an MLP. With grouped queries
    ``values`` of keys and values are by group, and what passes afterwards is every head's own copy.
    """

    mask: Bool[Tensor, "prompts 1 n *places"]
    values: Float[Tensor, "prompts worlds n *rest"]

    def __call__(self, x: Float[Tensor, "prompts worlds n *rest"]) -> Float[Tensor, "prompts worlds n *read"]:
        return torch.where(self.mask, self._copied(self.values), self._copied(x))

    def _copied(self, x: Float[Tensor, "prompts worlds n *rest"]) -> Float[Tensor, "prompts worlds n *read"]:
        """As each head reads it: ``x``, or a copy of its group's key or value for every head."""
        if x.dim() < 5 or x.shape[3] == self.mask.shape[3]:
            return x
        return x.repeat_interleave(self.mask.shape[3] // x.shape[3], 3)

    def at(self, index: Int[Tensor, "prompts asked"]) -> Arrivals:
        """The same for some of the region's tokens."""
        return Arrivals(narrow(self.mask, index), narrow(self.values, index))


Watcher = Callable[[str, Tensor, Sequence[int]], None]
"""Given a hook point, what passes it [prompts, rows, ...], and in which of the rows each world is."""


@dataclass(frozen=True)
class Recorded:
    """What passed a hook point, and in which of the rows each world was then.

    Of a pattern, the keys are all tokens of the run below, where the region's attend outside it, and then the region's.
    """

    values: Float[Tensor, "prompts rows *rest"]
    rows: tuple[int, ...]

    def of(self, world: int) -> Float[Tensor, " prompts *rest"]:
        """One world's."""
        return self.values[:, self.rows[world]]


@dataclass(frozen=True)
class FullPass:
    """Different worlds of the same prompts, over the same region, on top of a run that is known already.

    ``begins``: the layer of each world's first edit. Up to there it is that run, whose activations ``base`` holds: the
    residual streams that these layers read, and from the first of them on the keys and values outside the region. With
    ``arrivals``, or ``received`` by dictionaries, by hook point, every world has a row of its own from the first
    receiver on.
    """

    network: Network
    tokens: Int[Tensor, "prompts tokens"]
    region: Region
    base: Mapping[str, Cached]
    begins: Sequence[int]
    worlds: Sequence[Sequence[Edit]]
    arrivals: Mapping[str, Arrivals] = field(default_factory=dict[str, Arrivals])
    received: Mapping[str, Received] = field(default_factory=dict[str, Received])  # of features and errors
    passed: Passed = pass_silently  # told of every layer that was run

    def run(
        self, names: frozenset[str] = frozenset()
    ) -> tuple[Float[Tensor, "prompts worlds asked d_model"], dict[str, Recorded]]:
        """The last residual stream where the region asks for it, and what passed the named hook points."""
        recorded: dict[str, Recorded] = {}

        def record(name: str, values: Tensor, rows: Sequence[int]) -> None:
            recorded[name] = Recorded(values, tuple(rows))

        return self.watched(dict.fromkeys(names, record)), recorded

    def watched(self, watchers: Mapping[str, Watcher]) -> Float[Tensor, "prompts worlds asked d_model"]:
        """The last residual stream where the region asks for it; ``watchers`` by hook point are called on the way."""
        return _Layers(self, watchers).run()


class _Layers:
    """One pass through the layers."""

    def __init__(self, asked: FullPass, watchers: Mapping[str, Watcher]):
        self.asked, self.watchers = asked, watchers
        self.network, self.region = asked.network, asked.region
        self.rows = Rows(asked.worlds)
        self.received = min(map(step_of, (*asked.arrivals, *asked.received)), default=None)
        self.used = self.rows.names.union(watchers, asked.received)  # hook points of features and errors among others
        require_open(self.network, self.used)

    def run(self) -> Float[Tensor, "prompts worlds asked d_model"]:
        first = min(self.asked.begins)
        x = self._below(first) if first else self._embedded()
        for layer in range(first, len(self.network.blocks)):
            if layer > first and layer in self.asked.begins:
                # What was computed beside the other worlds has other last digits: sums were made in another order.
                waiting = self.rows.of(world for world, begin in enumerate(self.asked.begins) if begin >= layer)
                x[:, columns(x, waiting)] = self._below(layer)
            x = self._layer(layer, x)
            self.asked.passed(layer)
        return self.rows.split_all(x)[0]

    def _below(self, layer: int) -> Float[Tensor, "prompts 1 n d_model"]:
        """The residual stream that a layer reads in the run that this one is on top of."""
        return self.asked.base[residual(layer)].take(self.region.at)[:, None]

    def _embedded(self) -> Float[Tensor, "prompts rows n d_model"]:
        at = self.region.at
        tokens, places = self.network.embedded(take(self.asked.tokens, at), at)
        tokens, places = self.rows.split(-1, tokens, places)
        embedded = self._edited("hook_embed", tokens, at) + self._edited("hook_pos_embed", places, at)
        return self.network.embedded_norm(embedded)

    def _layer(
        self, layer: int, x: Float[Tensor, "prompts before n d_model"]
    ) -> Float[Tensor, "prompts rows m d_model"]:
        """The residual stream after a layer, at the region's n tokens; after the last layer, at those asked for."""
        network, block, at = self.network, self.network.blocks[layer], self.region.at
        x = self._stream(layer, x)
        normed = block.ln1(x)
        k, v = network.heads(block.k(normed)), network.heads(block.v(normed))
        asked = None
        if layer == len(network.blocks) - 1:  # the last layer is asked for some tokens only
            asked = self.region.asked
            x, normed, at = narrow(x, asked), narrow(normed, asked), at.gather(1, asked)
        q = network.heads(block.q(normed))
        x, q, k, v = self._split(before_attention(layer), x, q, k, v)
        names = q_k_v(layer)
        q = self._edited(names[0], q, at, asked)
        k, v = self._edited(names[1], k, self.region.at), self._edited(names[2], v, self.region.at)
        k = network.rotate(k, self.region.at)
        self._tell(keys_at(layer), k)
        self._tell(values_at(layer), v)
        z, patterns = attended(network, layer, self.rows, self.region, self.asked.base, (q, k, v), asked)
        if hook_names.pattern(layer) in self.watchers:
            self._tell(hook_names.pattern(layer), torch.cat(patterns, -1))
        x, z = self._split(before_outputs(layer), x, z)
        z = self._edited(hook_names.z(layer), z, at)
        written, x = self._with_features(attention_output(layer), block.o(z.flatten(-2)), None, at, asked, x)
        after = x + written
        if block.mlp is not None:
            after = self._after_mlp(layer, block.ln2(x if network.parallel else after), after, at, asked)
        if layer == 0:
            self._tell(hook_names.FIRST_BLOCK, after)
        return after

    def _stream(
        self, layer: int, x: Float[Tensor, "prompts before n d_model"]
    ) -> Float[Tensor, "prompts rows n d_model"]:
        """The residual stream that a layer reads; what is told of it is not edited."""
        name, at = residual(layer), self.region.at
        self._tell(name, x)
        (x,) = self._split(before_stream(layer), x)
        if name in self.rows.names:
            x = self.rows.edit(name, x.clone(), at)
        if name in self.asked.arrivals:
            x = self.asked.arrivals[name](x)
        return self._with_features(name, x, None, at, None)[0]

    def _after_mlp(
        self,
        layer: int,
        normed: Float[Tensor, "prompts before m d_model"],
        after: Float[Tensor, "prompts before m d_model"],
        at: Int[Tensor, "prompts m"],
        asked: Int[Tensor, "prompts m"] | None,
    ) -> Float[Tensor, "prompts rows m d_model"]:
        """The residual stream after a layer's MLP, which reads ``normed``; ``after`` its heads."""
        mlp = self.network.blocks[layer].mlp
        assert mlp is not None, "a layer without an MLP ends with its heads"
        normed, after = self._split(before_mlp(layer), normed, after)
        normed = self._edited(mlp_input(layer), normed, at, asked)
        hidden = self._edited(neurons(layer), mlp.neurons(normed), at, asked)
        written = self._edited(mlp_output(layer), mlp.out(hidden), at)
        written, after = self._with_features(mlp_output(layer), written, normed, at, asked, after)
        return after + written

    def _with_features(
        self,
        point: str,
        stands: Float[Tensor, "prompts before m d_model"],
        read: Float[Tensor, "prompts before m d_model"] | None,
        at: Int[Tensor, "prompts m"],
        asked: Int[Tensor, "prompts m"] | None,
        *along: Float[Tensor, "prompts before m d_model"],
    ) -> tuple[Float[Tensor, "prompts rows m d_model"], ...]:
        """What stands at a point after what is done to features and errors of dictionaries there, and the tensors that
        go ``along`` in the same rows; ``read`` is what the MLP reads."""
        there = self.network.dictionaries.get(point, ())
        used = [each for each in there if not self.used.isdisjoint(each.dictionary.hook_points)]
        if not used:
            return (stands, *along)
        before = stands
        stands, *along_split = self._split(before_features(point), stands, *along)
        changes: list[tuple[Sequence[int], Tensor]] = []
        for sparse in used:
            names = sparse.dictionary.features, sparse.dictionary.error
            some = [*range(len(self.rows))]
            if not any(name in self.watchers or name in self.asked.received for name in names):
                some = sorted({row for name in names for row in self.rows.edited(name)})
            if not some:
                continue
            decomposition = Decomposition.of(sparse, self.rows, at, some, before, read)
            for name in names:
                if name in self.watchers:
                    self._tell(name, decomposition.values(name))
            given = {name: self.asked.received[name] for name in names if name in self.asked.received}
            given = given if asked is None else {name: each.at(asked) for name, each in given.items()}
            change = decomposition.change(given)
            if change is not None:
                changes.append((some, change))
        return (added(stands, changes), *along_split)

    def _split(self, step: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        return self.rows.split_all(*tensors) if step == self.received else self.rows.split(step, *tensors)

    def _edited(
        self,
        name: str,
        x: Float[Tensor, "prompts rows m *rest"],
        at: Int[Tensor, "prompts m"],
        asked: Int[Tensor, "prompts m"] | None = None,
    ) -> Float[Tensor, "prompts rows m *read"]:
        """What passes a hook point after the edits and arrivals there, on the tokens ``at``; keys and values that
        arrive at one head of a group are every head's own from there on."""
        x = self.rows.edit(name, x, at)
        if name in self.asked.arrivals:
            arrivals = self.asked.arrivals[name]
            x = arrivals(x) if asked is None else arrivals.at(asked)(x)
        self._tell(name, x)
        return x

    def _tell(self, name: str, x: Tensor) -> None:
        if name in self.watchers:
            self.watchers[name](name, x, self.rows.member)

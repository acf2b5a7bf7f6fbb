"""Runs in which everything after an edit recomputes: ablation, isolation, intervention, and the clean run itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from circuitdsl.engine import hooks
from circuitdsl.engine.fast.architecture import Block, Keys, Network, attention, mixed
from circuitdsl.engine.fast.edits import Edit, Rows
from circuitdsl.engine.fast.held import Held
from circuitdsl.engine.fast.points import (
    before_attention,
    before_outputs,
    keys_at,
    mlp_input,
    mlp_output,
    parts_at,
    q_k_v,
    residual,
    values_at,
)
from circuitdsl.engine.fast.region import Region, narrow, take


@dataclass(frozen=True)
class Arrivals:
    """What receivers are given, in the same tokens for every world.

    ``mask`` [prompts, 1, n, heads, 1] (or [prompts, 1, n, 1] for an MLP) over the region's tokens; ``values``
    [prompts, worlds, n, ...].
    """

    mask: Tensor
    values: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return torch.where(self.mask, self.values, x)

    def at(self, index: Tensor) -> Arrivals:
        """The same for some of the region's tokens, ``index`` [prompts, a]."""
        return Arrivals(narrow(self.mask, index), narrow(self.values, index))


Watcher = Callable[[str, Tensor, Sequence[int]], None]
"""Told of a point what passes it, [prompts, rows, ...], and which of the rows each world is in."""


@dataclass(frozen=True)
class Seen:
    """What passed a point: ``values`` [prompts, rows, ...], and in which of the rows each world was then.

    Of a pattern, the keys are the region's tokens and then, where it looks back, all tokens of the run below.
    """

    values: Tensor
    rows: tuple[int, ...]

    def of(self, world: int) -> Tensor:
        """One world's, [prompts, ...]."""
        return self.values[:, self.rows[world]]


@dataclass(frozen=True)
class Stack:
    """Different worlds of the same prompts, over the same region, on top of a run that is known already.

    ``base`` holds that run's activations [prompts, tokens, ...]: the residual stream that layer ``first`` reads, and
    from there on the keys and values outside the region. With ``arrivals`` every world is on its own from the first
    receiver on.
    """

    network: Network
    tokens: Tensor
    region: Region
    base: Mapping[str, Held]
    first: int
    worlds: Sequence[Sequence[Edit]]
    arrivals: Mapping[str, Arrivals] = field(default_factory=dict)

    def run(self, names: frozenset[str] = frozenset()) -> tuple[Tensor, dict[str, Seen]]:
        """The last residual stream where the region asks for it [prompts, worlds, asked, d_model], and what passed
        the named points."""
        seen: dict[str, Seen] = {}

        def see(name: str, values: Tensor, rows: Sequence[int]) -> None:
            seen[name] = Seen(values, tuple(rows))

        return self.watched(dict.fromkeys(names, see)), seen

    def watched(self, watchers: Mapping[str, Watcher]) -> Tensor:
        """The last residual stream; a point's watcher is told what passes it and in which row each world is."""
        return _Pass(self, watchers).run()


class _Pass:
    """One pass through the layers."""

    def __init__(self, stack: Stack, watchers: Mapping[str, Watcher]):
        self.stack, self.watchers = stack, watchers
        self.network, self.region = stack.network, stack.region
        self.rows = Rows(stack.worlds)
        self.received = min(map(parts_at, stack.arrivals), default=None)

    def run(self) -> Tensor:
        first = self.stack.first
        x = self.stack.base[residual(first)].take(self.region.at)[:, None] if first else self._embedded()
        for layer in range(first, len(self.network.blocks)):
            x = self._layer(layer, x)
        return self.rows.part_all(x)[0]

    def _embedded(self) -> Tensor:
        at = self.region.at
        tokens, places = self.network.embedded(take(self.stack.tokens, at), at)
        tokens, places = self.rows.part(-1, tokens, places)
        embedded = self._edited("hook_embed", tokens, at) + self._edited("hook_pos_embed", places, at)
        return self.network.embedded_norm(embedded)

    def _layer(self, layer: int, x: Tensor) -> Tensor:
        network, block, at = self.network, self.network.blocks[layer], self.region.at
        self._see(residual(layer), x)
        normed = block.ln1(x)
        k, v = network.heads(block.k(normed)), network.heads(block.v(normed))
        asked = None
        if layer == len(network.blocks) - 1:  # the last layer is asked for some tokens only
            asked = self.region.asked
            x, normed, at = narrow(x, asked), narrow(normed, asked), at.gather(1, asked)
        q = network.heads(block.q(normed))
        x, q, k, v = self._parted(before_attention(layer), x, q, k, v)
        names = q_k_v(layer)
        q = self._edited(names[0], q, at, asked)
        k, v = self._edited(names[1], k, self.region.at), self._edited(names[2], v, self.region.at)
        z = self._attention(layer, block, network.rotate(q, at), network.rotate(k, self.region.at), v, at, asked)
        x, z = self._parted(before_outputs(layer), x, z)
        z = self._edited(hooks.z(layer), z, at)
        after = x + block.o(z.flatten(-2))
        if block.mlp is not None:
            normed = self._edited(mlp_input(layer), block.ln2(x if network.parallel else after), at, asked)
            after = after + self._edited(mlp_output(layer), block.mlp(normed), at)
        if layer == 0:
            self._see(hooks.FIRST_BLOCK, after)
        return after

    def _attention(
        self, layer: int, block: Block, q: Tensor, k: Tensor, v: Tensor, at: Tensor, asked: Tensor | None
    ) -> Tensor:
        self._see(keys_at(layer), k)
        self._see(values_at(layer), v)
        region, base, bias, name = self.region, self.stack.base, self.network.bias, hooks.pattern(layer)
        visible = region.visible if asked is None else take(region.visible, asked)
        sources = [Keys(k, v, visible, bias(at, region.at))]
        if region.looks_back:
            before = region.before if asked is None else take(region.before, asked)
            past = base[keys_at(layer)].whole[:, None], base[values_at(layer)].whole[:, None]
            sources.append(Keys(*past, before, bias(at, region.tokens)))
        patterns = [
            self.rows.edit_pattern(name, pattern, at, *keys)
            for pattern, keys in zip(attention(q, sources, block.scaling), region.keys, strict=True)
        ]
        if name in self.watchers:
            self._see(name, torch.cat(patterns, -1))
        return mixed(patterns, sources)

    def _parted(self, point: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        return self.rows.part_all(*tensors) if point == self.received else self.rows.part(point, *tensors)

    def _edited(self, name: str, x: Tensor, at: Tensor, asked: Tensor | None = None) -> Tensor:
        """What passes a point after the edits and arrivals there, on the tokens ``at``."""
        x = self.rows.edit(name, x, at)
        if name in self.stack.arrivals:
            arrivals = self.stack.arrivals[name]
            x = arrivals(x) if asked is None else arrivals.at(asked)(x)
        self._see(name, x)
        return x

    def _see(self, name: str, x: Tensor) -> None:
        if name in self.watchers:
            self.watchers[name](name, x, self.rows.member)

"""Changes that worlds make to a run, and the rows in which different worlds run side by side."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from circuitdsl.engine import hook_names
from circuitdsl.engine.fast.cached import Cached
from circuitdsl.engine.fast.hook_points import layer_of, step_of
from circuitdsl.engine.fast.region import take
from circuitdsl.engine.guard import no_change


@dataclass(frozen=True, eq=False)
class Rewrite:
    """Where ``mask`` is true, what passes becomes ``values`` plus ``factor`` times itself; both broadcast to it."""

    mask: Tensor
    values: Tensor
    factor: float

    def __call__(self, activation: Tensor) -> Tensor:
        new = self.values.to(activation.dtype)
        if self.factor:
            new = new + activation * self.factor
        return torch.where(self.mask, new, activation)


@dataclass(frozen=True, eq=False)
class Edit:
    """A change of what passes a hook point.

    ``mask`` [prompts, tokens, heads, 1], [prompts, tokens, neurons] or [prompts, tokens, 1] says where; ``values`` are
    cached by token, or a tensor that broadcasts to every token. Of a pattern, ``mask`` is [prompts, heads, queries, 1]
    and ``values`` [prompts, 1, 1, keys]. Over one batch, edits of equal ``key`` at one hook point are the same edit.
    """

    name: str
    key: Hashable
    mask: Tensor
    values: Tensor | Cached
    factor: float = 0.0

    def at(self, at: Tensor) -> Rewrite:
        """What it does on the tokens ``at`` [prompts, n]."""
        values = self.values.take(at) if isinstance(self.values, Cached) else self.values
        return Rewrite(take(self.mask, at), values, self.factor)

    def on(self, queries: Tensor, keys: Tensor, counts: Tensor) -> Rewrite:
        """What it does to a pattern at some queries and keys [prompts, n]; keys that do not count get 0."""
        assert isinstance(self.values, Tensor), "a row of a pattern is set to given values"
        mask = take(self.mask.transpose(1, 2), queries).transpose(1, 2)
        values = self.values[:, 0, 0].gather(1, keys) * counts
        return Rewrite(mask, values[:, None, None], self.factor)

    @property
    def tokens(self) -> Tensor:
        """The tokens [prompts, tokens] at which it edits; of a pattern, the queries."""
        mask = self.mask.transpose(1, 2) if self.of_pattern else self.mask
        return mask.flatten(2).any(-1)

    @property
    def of_pattern(self) -> bool:
        return self.name == hook_names.pattern(layer_of(self.name))

    @property
    def of_heads(self) -> bool:
        """Whether it is of what heads attend to or put out."""
        return self.of_pattern or self.name == hook_names.z(layer_of(self.name))

    def changes(self, clean: Cached) -> bool:
        """Whether it makes a difference to what the clean run has here.

        The plain engine's guard: the first edit of a world acts on what the clean run has there. If it makes no
        difference, the next edit acts on what the clean run has too, and so on.
        """
        tokens = self.tokens
        at = torch.argsort(~tokens, dim=1, stable=True)[:, : int(tokens.sum(1).max())]
        if not at.numel():
            return False
        if self.of_pattern:
            everything = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
            before, rewrite = clean.whole, self.on(everything, everything, torch.ones_like(tokens))
        else:
            before, rewrite = clean.take(at), self.at(at)
        return bool((rewrite(before) - before).abs().max() > no_change(before.dtype) * clean.largest)


def first_step(edits: Sequence[Edit]) -> int:
    """The step of the first of a world's edits; -1 for a world without any."""
    return min((step_of(edit.name) for edit in edits), default=-1)


class Rows:
    """Worlds as rows of one pass: those whose edits have been the same so far share a row.

    All begin in one row, as the run that they are stacked on; a row is split where the edits of its worlds differ.
    ``member`` says in which row each world is.
    """

    def __init__(self, worlds: Sequence[Sequence[Edit]]):
        self._edits: list[dict[str, list[Edit]]] = [{} for _ in worlds]
        self._keys: list[dict[int, tuple[Hashable, ...]]] = [{} for _ in worlds]
        for edits, by_name, by_step in zip(worlds, self._edits, self._keys, strict=True):
            for edit in edits:
                by_name.setdefault(edit.name, []).append(edit)
                step = step_of(edit.name)
                by_step[step] = (*by_step.get(step, ()), (edit.name, edit.key))
        self.member = [0] * len(worlds)
        self._first = [0]  # the first world of each row, whose edits are those of all in it

    def __len__(self) -> int:
        """How many rows there are by now."""
        return len(self._first)

    def split(self, step: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The tensors [prompts, rows, ...] with a row more for worlds that differ from others in this step's edits."""
        return self._split([keys.get(step, ()) for keys in self._keys], tensors)

    def split_all(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The tensors with one row a world, in the worlds' order."""
        return self._split(range(len(self.member)), tensors)

    def _split(self, keys: Sequence[Hashable], tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        rows: dict[Hashable, int] = {}
        parents: list[int] = []
        firsts: list[int] = []
        member: list[int] = []
        for world, (row, key) in enumerate(zip(self.member, keys, strict=True)):
            if (row, key) not in rows:
                rows[row, key] = len(parents)
                parents.append(row)
                firsts.append(world)
            member.append(rows[row, key])
        unchanged = parents == list(range(len(self._first)))
        self.member, self._first = member, firsts
        return tuple(tensors) if unchanged else tuple(x[:, parents] for x in tensors)

    def edit(self, name: str, x: Tensor, at: Tensor) -> Tensor:
        """Each row's edits at a hook point, in place; ``at`` [prompts, n] says which tokens ``x`` holds."""
        for row, world in enumerate(self._first):
            for edit in self._edits[world].get(name, ()):
                x[:, row] = edit.at(at)(x[:, row])
        return x

    def edit_pattern(self, name: str, pattern: Tensor, queries: Tensor, keys: Tensor, counts: Tensor) -> Tensor:
        """Each row's edits of a pattern [prompts, rows, heads, queries, keys], in place; see ``Edit.on``."""
        for row, world in enumerate(self._first):
            for edit in self._edits[world].get(name, ()):
                pattern[:, row] = edit.on(queries, keys, counts)(pattern[:, row])
        return pattern

    def edited(self, name: str) -> list[int]:
        """The rows that have an edit at a hook point."""
        return [row for row, world in enumerate(self._first) if name in self._edits[world]]

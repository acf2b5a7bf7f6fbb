"""Changes that worlds make to a run, and the rows in which different worlds run side by side."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from circuitdsl.engine import hook_names
from circuitdsl.engine.fast.cached import Cached
from circuitdsl.engine.fast.hook_points import layer_of, step_of
from circuitdsl.engine.fast.masks import Mask, laid_out
from circuitdsl.engine.fast.region import columns, narrow, picked, placed


@dataclass(frozen=True, eq=False)
class Exchanged:
    """What passes at a token ``here`` of each prompt and at one ``there``, each in place of the other."""

    here: Int[Tensor, " prompts"]
    there: Int[Tensor, " prompts"]

    def of(self, old: Tensor, at: Int[Tensor, "prompts n"]) -> Tensor:
        """``old`` [prompts, rows, n, ...] on the tokens ``at``, where both are among them."""
        here, there = self.here[:, None], self.there[:, None]
        source = torch.where(at == here, there, torch.where(at == there, here, at))
        return narrow(old, (at[:, None] == source[:, :, None]).int().argmax(-1))


@dataclass(frozen=True, eq=False)
class Edit:
    """A change of what passes a hook point.

    ``mask`` says where; of a pattern, at which queries of which heads. ``values`` are cached by token, one number, or
    what passes at other tokens there; of a pattern [prompts, 1, 1, keys]. Over one batch, edits of equal ``key`` at one
    hook point are the same edit.
    """

    name: str
    key: Hashable
    mask: Mask
    values: Tensor | Cached | Exchanged
    factor: float = 0.0

    def new(self, old: Tensor, at: Tensor, chosen: Sequence[int] | None = None) -> Tensor:
        """What it puts in at the tokens ``at`` [prompts, n], ``values`` plus ``factor`` times what passes there: it
        broadcasts to ``old`` [prompts, rows, n, ...], which has the ``chosen`` columns of the hook point, or all."""
        if isinstance(self.values, Exchanged):
            return self.values.of(old, at)
        values = self.values.take(at)[:, None] if isinstance(self.values, Cached) else self.values
        if chosen is not None and values.dim():
            values = values[..., placed(torch.tensor(chosen), values.device)]
        values = values.to(old.dtype)
        return values + old * self.factor if self.factor else values

    def on(self, pattern: Tensor, queries: Tensor, keys: Tensor, counts: Tensor) -> Tensor:
        """A pattern [prompts, heads, queries, keys] of some queries and keys [prompts, n] with the rows that it sets;
        keys that do not count get 0."""
        assert isinstance(self.values, Tensor), "a row of a pattern is set to given values"
        mask = laid_out([self.mask], queries)[:, 0].transpose(1, 2)
        values = self.values[:, 0, 0].gather(1, keys) * counts
        return torch.where(mask, values[:, None, None].to(pattern.dtype), pattern)

    @property
    def of_pattern(self) -> bool:
        return self.name == hook_names.pattern(layer_of(self.name))

    @property
    def of_heads(self) -> bool:
        """Whether it is of what heads attend to or put out."""
        return self.of_pattern or self.name == hook_names.z(layer_of(self.name))

    @property
    def moves(self) -> bool:
        """Whether what it puts in passes at other tokens, which have to be run too."""
        return isinstance(self.values, Exchanged)

    @property
    def like(self) -> Hashable:
        """Equal for edits at one hook point that put in the same wherever both of them act."""
        return self.name, id(self.values), self.factor


def first_step(edits: Sequence[Edit]) -> int:
    """The step of the first of a world's edits; -1 for a world without any."""
    return min((step_of(edit.name) for edit in edits), default=-1)


class Rows:
    """Worlds as rows of one pass: those whose edits have been the same so far share a row.

    All begin in one row, as the run that they are stacked on; a row is split where the edits of its worlds differ.
    ``member`` says in which row each world is, ``parents`` of which row before the last split each one is, and
    ``names`` which hook points any world edits.
    """

    def __init__(self, worlds: Sequence[Sequence[Edit]]):
        self._edits: list[dict[str, list[Edit]]] = [{} for _ in worlds]
        self._keys: list[dict[int, tuple[Hashable, ...]]] = [{} for _ in worlds]
        for edits, by_name, by_step in zip(worlds, self._edits, self._keys, strict=True):
            for edit in edits:
                by_name.setdefault(edit.name, []).append(edit)
                step = step_of(edit.name)
                by_step[step] = (*by_step.get(step, ()), (edit.name, edit.key))
        self.names = frozenset(edit.name for edits in worlds for edit in edits)
        self.member, self.parents = [0] * len(worlds), [0]
        self._first = [0]  # the first world of each row, whose edits are those of all in it

    def __len__(self) -> int:
        """How many rows there are by now."""
        return len(self._first)

    def of(self, worlds: Iterable[int]) -> list[int]:
        """The rows in which some worlds are."""
        return sorted({self.member[world] for world in worlds})

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
        self.member, self.parents, self._first = member, parents, firsts
        return tuple(tensors) if unchanged else tuple(picked(x, parents) for x in tensors)

    def edit(
        self, name: str, x: Tensor, at: Tensor, some: Sequence[int] | None = None, chosen: Sequence[int] | None = None
    ) -> Tensor:
        """Each row's edits at a hook point, in place; ``at`` [prompts, n] says which tokens ``x`` holds, which may be
        of ``some`` rows alone, and of the ``chosen`` columns of the hook point.

        The first edits of all rows are made at once where they put in the same, then the second ones, and so on.
        """
        for alike in _in_turns([self._at(row, name) for row in (range(len(self)) if some is None else some)]):
            (_, edit), rows = alike[0], columns(x, [row for row, _ in alike])
            mask, old = laid_out([each.mask for _, each in alike], at, chosen), x[:, rows]
            x[:, rows] = torch.where(mask, edit.new(old, at, chosen), old)
        return x

    def _at(self, row: int, name: str) -> Sequence[Edit]:
        return self._edits[self._first[row]].get(name, ())

    def masks(self, name: str, some: Iterable[int]) -> list[Mask]:
        """Where some rows edit a hook point."""
        return [edit.mask for row in some for edit in self._at(row, name)]

    def edit_pattern(self, name: str, pattern: Tensor, queries: Tensor, keys: Tensor, counts: Tensor) -> Tensor:
        """Each row's edits of a pattern [prompts, rows, heads, queries, keys], in place; see ``Edit.on``."""
        for row, world in enumerate(self._first):
            for edit in self._edits[world].get(name, ()):
                pattern[:, row] = edit.on(pattern[:, row], queries, keys, counts)
        return pattern

    def edited(self, name: str) -> list[int]:
        """The rows that have an edit at a hook point."""
        return [row for row, world in enumerate(self._first) if name in self._edits[world]]


def _in_turns(edits: Sequence[Sequence[Edit]]) -> Iterator[list[tuple[int, Edit]]]:
    """The edits of each row at one hook point, the rows' first ones before their second: in each list are those, with
    their rows, that put in the same."""
    for turn in range(max(map(len, edits), default=0)):
        alike: dict[Hashable, list[tuple[int, Edit]]] = {}
        for row, some in enumerate(edits):
            if turn < len(some):
                alike.setdefault(some[turn].like, []).append((row, some[turn]))
        yield from alike.values()

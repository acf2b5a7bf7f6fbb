"""Where worlds edit: at which tokens of each prompt, column by column of a hook point.

A hook point has a column a head, a column a neuron, or one. Most worlds edit a few columns at the tokens of a few
positions, so that a mask names these tokens and is laid out only where it is used. What is planned with masks is
planned on the CPU: a GPU is not asked, and nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from circuitdsl.engine.fast.region import placed, take


@dataclass(frozen=True, eq=False)
class Tokens:
    """Some tokens of each prompt. The same are the same object, which also knows what was made of it."""

    planned: Bool[Tensor, "prompts tokens"]
    copies: dict[torch.device, Tensor] = field(default_factory=dict[torch.device, Tensor], repr=False)
    unions: dict[Tokens, Tokens] = field(default_factory=dict["Tokens", "Tokens"], repr=False)
    differences: dict[Tokens, Tokens] = field(default_factory=dict["Tokens", "Tokens"], repr=False)

    @cached_property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self.planned.any())

    def on(self, device: torch.device) -> Bool[Tensor, "prompts tokens"]:
        """The same on a device, copied there once."""
        if device not in self.copies:
            self.copies[device] = placed(self.planned, device)
        return self.copies[device]

    def __or__(self, other: Tokens) -> Tokens:
        if other is not self and other not in self.unions:
            self.unions[other] = other.unions[self] = Tokens(self.planned | other.planned)
        return self if other is self else self.unions[other]

    def __sub__(self, other: Tokens) -> Tokens:
        if other not in self.differences:
            self.differences[other] = Tokens(self.planned & ~other.planned)
        return self.differences[other]


@dataclass(frozen=True, eq=False)
class Mask:
    """The tokens of each of ``count`` columns of a hook point; of a column that is not named, the ``rest``, or none.

    ``single``: whether a column is one number, as a neuron's, or all that passes the hook point, and no head's row of
    numbers.
    """

    columns: Mapping[int, Tokens]
    count: int
    single: bool
    rest: Tokens | None = None

    @property
    def kinds(self) -> frozenset[Tokens]:
        """The different tokens of its columns."""
        named = frozenset(self.columns.values())
        return named if self.rest is None or len(self.columns) == self.count else named | {self.rest}

    @property
    def any(self) -> bool:
        """Whether there is any token in any column."""
        return any(tokens.any for tokens in self.kinds)

    def without(self, other: Mask) -> Mask:
        """The tokens that ``other``, which has no rest, does not have in the same column."""
        assert other.rest is None, "what is taken away is named"
        left = dict(self.columns)
        for column, tokens in other.columns.items():
            if (known := left.get(column, self.rest)) is not None:
                left[column] = known - tokens
        return replace(self, columns=left)


def union(masks: Iterable[Mask], real: Bool[Tensor, "prompts tokens"]) -> Bool[Tensor, "prompts tokens"]:
    """The tokens that any mask has in any column. ``real`` gives the shape, where there is no mask."""
    found = torch.zeros_like(real)
    for tokens in {tokens for mask in masks for tokens in mask.kinds}:
        found |= tokens.planned
    return found


def named(masks: Iterable[Mask]) -> tuple[int, ...] | None:
    """The columns in which any of these masks of one hook point may have a token, in order; None: all of them."""
    found = set[int]()
    for mask in masks:
        if mask.rest is not None or len(mask.columns) == mask.count:
            return None
        found.update(mask.columns)
    return tuple(sorted(found))


def laid_out(
    masks: Sequence[Mask], at: Int[Tensor, "prompts n"], chosen: Sequence[int] | None = None
) -> Bool[Tensor, "prompts masks n *columns"]:
    """Masks of one hook point on the tokens ``at``, on their device: after the tokens there is an axis of columns, and
    where a column is no single number one of length 1. ``chosen``: these columns alone, in their order."""
    kinds = list({tokens: None for mask in masks for tokens in (*mask.columns.values(), mask.rest) if tokens})
    number: dict[Tokens | None, int] = {None: 0, **{tokens: index + 1 for index, tokens in enumerate(kinds)}}
    order = range(masks[0].count) if chosen is None else chosen
    places = {column: place for place, column in enumerate(order)}
    which = torch.zeros((len(masks), len(order)), dtype=torch.long)
    for row, mask in enumerate(masks):
        which[row] = number[mask.rest]
        pairs = [(places[column], number[tokens]) for column, tokens in mask.columns.items() if column in places]
        at_places, given = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).unbind(1)
        which[row, at_places] = given
    none = torch.zeros(at.shape, dtype=torch.bool, device=at.device)
    known = torch.stack([none, *(take(tokens.on(at.device), at) for tokens in kinds)])
    mask = known[placed(which, at.device)].permute(2, 0, 3, 1)
    return mask if masks[0].single else mask[..., None]

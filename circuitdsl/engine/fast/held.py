"""Activations of a finished run, kept at the tokens at which somebody will read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from circuitdsl.engine.fast.region import Region, take

Wanted = Mapping[str, Tensor | None]
"""By hook point, at which tokens [prompts, tokens] its activations are wanted; None: at all."""


@dataclass(frozen=True, eq=False)
class Held:
    """Activations ``values`` [prompts, n, ...] at some tokens of each prompt.

    ``slots`` [prompts, tokens] says which of the n a token is, for those that were wanted; None if all n tokens are
    there, in order. ``largest`` is the largest absolute value over all tokens, kept or not.
    """

    values: Tensor
    largest: Tensor
    slots: Tensor | None = None

    def take(self, at: Tensor) -> Tensor:
        """The activations at the tokens ``at`` [prompts, m]: [prompts, m, ...]. Of a token not kept, any other's."""
        return take(self.values, at if self.slots is None else self.slots.gather(1, at))

    def under(self, values: Tensor, region: Region, wanted: Tensor | None) -> Held:
        """These with what a run of a region has there, ``values`` [prompts, n, ...], put over them; kept as wanted."""
        over = self.take(region.tokens).clone()
        over[torch.arange(len(over), device=over.device)[:, None], region.at] = values
        return hold(over, wanted)

    @property
    def whole(self) -> Tensor:
        """The activations at all tokens [prompts, tokens, ...]."""
        assert self.slots is None, "only what was wanted at all tokens is asked for at all"
        return self.values


def hold(values: Tensor, wanted: Tensor | None) -> Held:
    """Keep activations [prompts, tokens, ...] at the wanted tokens [prompts, tokens], and let go of the rest."""
    largest = values.abs().max()
    if wanted is None or bool((count := wanted.sum(1).max()) == wanted.shape[1]):
        return Held(values, largest)
    order = torch.argsort(~wanted, dim=1, stable=True)[:, : max(1, int(count))]
    return Held(take(values, order), largest, (wanted.cumsum(1) - 1).clamp(min=0))


def joined(left: Wanted, right: Wanted) -> Wanted:
    """What either wants."""
    found = dict(left)
    for name, tokens in right.items():
        known = found.get(name, tokens)
        found[name] = None if known is None or tokens is None else known | tokens
    return found

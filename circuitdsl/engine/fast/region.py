"""Which tokens of each prompt a run computes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor


def take(values: Tensor, at: Tensor) -> Tensor:
    """Rows ``at`` [prompts, n] of ``values`` [prompts, tokens, ...]: [prompts, n, ...]."""
    return values[torch.arange(len(at), device=at.device)[:, None], at]


def narrow(x: Tensor, index: Tensor) -> Tensor:
    """Tokens ``index`` [prompts, n] of ``x`` [prompts, worlds, tokens, ...]."""
    return x[torch.arange(len(x), device=x.device)[:, None], :, index].transpose(1, 2)


@dataclass(frozen=True)
class Region:
    """The tokens that are computed again; at all others a run is as the one that it is stacked on.

    ``at`` [prompts, n] are their indices, of which those in ``real`` count and the rest repeat one of them. ``asked``
    [prompts, a] says at which of the n the last layer's output is wanted. ``inside`` [prompts, tokens] is true on them.
    """

    at: Tensor
    real: Tensor
    asked: Tensor
    inside: Tensor

    @cached_property
    def tokens(self) -> Tensor:
        """The index of every token of the prompts, [prompts, tokens]."""
        return torch.arange(self.inside.shape[1], device=self.at.device).expand_as(self.inside)

    @cached_property
    def looks_back(self) -> bool:
        """Whether any key outside the region is seen from inside."""
        return bool(self.before.any())

    @cached_property
    def keys(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """The tokens [prompts, keys] of each source of keys, and which of them count: inside, then those looked back
        on."""
        inside = self.at, self.real
        if not self.looks_back:
            return (inside,)
        return inside, (self.tokens, ~self.inside)

    @cached_property
    def visible(self) -> Tensor:
        """[prompts, n queries, n keys]."""
        return (self.at[:, None, :] <= self.at[:, :, None]) & self.real[:, None, :]

    @cached_property
    def before(self) -> Tensor:
        """[prompts, n queries, tokens]: which keys outside are seen."""
        return ~self.inside[:, None, :] & (self.tokens[:, None, :] <= self.at[:, :, None])


def all_asked(region: Region) -> Region:
    """The same tokens, all of them wanted."""
    return replace(region, asked=torch.arange(region.at.shape[1], device=region.at.device).expand_as(region.at))


def whole(prompts: int, length: int, device: torch.device) -> Region:
    """All tokens, all of them wanted."""
    at = torch.arange(length, device=device).expand(prompts, -1)
    everywhere = torch.ones_like(at, dtype=torch.bool)
    return Region(at, everywhere, at, everywhere)


def only(mask: Tensor, ends: Tensor) -> Region:
    """The tokens where ``mask`` [prompts, tokens] is true, in order, and the end [prompts], which alone is wanted."""
    mask = mask | (torch.arange(mask.shape[1], device=mask.device) == ends[:, None])
    count = int(mask.sum(1).max())
    order = torch.argsort(~mask, dim=1, stable=True)[:, :count]
    real = take(mask, order)
    at = torch.where(real, order, ends[:, None])
    asked = ((at == ends[:, None]) & real).int().argmax(1, keepdim=True)
    return Region(at, real, asked, mask)


def onward(mask: Tensor, ends: Tensor) -> Region:
    """From the first token where ``mask`` [prompts, tokens] is true up to the end, which alone is wanted."""
    tokens = torch.arange(mask.shape[1], device=mask.device)
    return only((mask.cumsum(1) > 0) & (tokens <= ends[:, None]), ends)

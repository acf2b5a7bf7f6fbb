"""Which tokens of each prompt a run computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from circuitdsl.engine.fast.vectors import VECTOR


def take(
    values: Shaped[Tensor, "prompts tokens *rest"], at: Int[Tensor, "prompts n"]
) -> Shaped[Tensor, "prompts n *rest"]:
    """The tokens ``at`` of ``values``."""
    return values[torch.arange(len(at), device=at.device)[:, None], at]


def narrow(
    x: Shaped[Tensor, "prompts worlds tokens *rest"], index: Int[Tensor, "prompts n"]
) -> Shaped[Tensor, "prompts worlds n *rest"]:
    """The tokens ``index`` of ``x``, the same ones in every world."""
    return x[torch.arange(len(x), device=x.device)[:, None], :, index].transpose(1, 2)


def placed(planned: Shaped[Tensor, "*shape"], device: torch.device) -> Shaped[Tensor, "*shape"]:
    """A tensor made on the CPU, on a device. The copy is queued there behind what is being computed."""
    return planned.to(device, non_blocking=True)


def columns(x: Shaped[Tensor, "prompts rows *rest"], rows: Sequence[int]) -> slice | Int[Tensor, " picked"]:
    """Rows of ``x`` as an index: a slice where they stand side by side, whose result is no copy."""
    if list(rows) == list(range(rows[0], rows[0] + len(rows))):
        return slice(rows[0], rows[0] + len(rows))
    return placed(torch.tensor(rows), x.device)


def picked(x: Shaped[Tensor, "prompts rows *rest"], rows: Sequence[int]) -> Shaped[Tensor, "prompts picked *rest"]:
    """A copy of some rows of ``x``."""
    return x.index_select(1, placed(torch.tensor(rows), x.device))


@dataclass(frozen=True)
class Region:
    """The tokens that are computed again; at all others a run is as the one that it is stacked on.

    ``at`` are their indices, of which those in ``real`` count and the rest repeat one of them. ``asked`` says at which
    of the n the last layer's output is needed. ``inside`` is true on the tokens of the region. ``looks_back``: whether
    any of them can attend to a key outside it.
    """

    at: Int[Tensor, "prompts n"]
    real: Bool[Tensor, "prompts n"]
    asked: Int[Tensor, "prompts asked"]
    inside: Bool[Tensor, "prompts tokens"]
    looks_back: bool

    def to(self, device: torch.device) -> Region:
        """The same on a device. What is planned with regions, whose sizes depend on values, is planned on the CPU, so
        that nobody waits there for a GPU."""
        if device == self.at.device:
            return self
        moved = {name: placed(getattr(self, name), device) for name in ("at", "real", "asked", "inside")}
        return replace(self, **moved)

    @cached_property
    def tokens(self) -> Int[Tensor, "prompts tokens"]:
        """The index of every token of the prompts."""
        return torch.arange(self.inside.shape[1], device=self.at.device).expand_as(self.inside)

    @cached_property
    def keys(self) -> tuple[tuple[Int[Tensor, "prompts _"], Bool[Tensor, "prompts _"]], ...]:
        """The tokens of each source of keys, and which of them count: first those outside the region, if any can be
        attended to, a whole number of vectors; then the region's. Together they are one vector at least (``products``).
        """
        if not self.looks_back:
            count = max(self.at.shape[1], VECTOR)
            return ((_filled(self.at, count), _filled(self.real, count)),)
        count = -(-self.tokens.shape[1] // VECTOR) * VECTOR
        return (_filled(self.tokens, count), _filled(~self.inside, count)), (self.at, self.real)

    @cached_property
    def visible(self) -> tuple[Bool[Tensor, "prompts n _"], ...]:
        """Which keys of each source each of the region's tokens can attend to."""
        return tuple((at[:, None, :] <= self.at[:, :, None]) & counts[:, None, :] for at, counts in self.keys)


def all_asked(region: Region) -> Region:
    """The same tokens; the last layer's output is needed at all of them."""
    return replace(region, asked=torch.arange(region.at.shape[1], device=region.at.device).expand_as(region.at))


def whole(prompts: int, length: int, device: torch.device) -> Region:
    """All tokens; the last layer's output is needed at all of them."""
    at = torch.arange(length, device=device).expand(prompts, -1)
    everywhere = torch.ones_like(at, dtype=torch.bool)
    return Region(at, everywhere, at, everywhere, looks_back=False)


def only(mask: Bool[Tensor, "prompts tokens"], ends: Int[Tensor, " prompts"]) -> Region:
    """The tokens where ``mask`` is true, in order, and the end, at which alone the last layer's output is needed."""
    mask = mask | (torch.arange(mask.shape[1], device=mask.device) == ends[:, None])
    count = int(mask.sum(1).max())
    order = torch.argsort(~mask, dim=1, stable=True)[:, :count]
    real = take(mask, order)
    at = torch.where(real, order, ends[:, None])
    asked = ((at == ends[:, None]) & real).int().argmax(1, keepdim=True)
    # A gap before the last token of a region is a key that this one can attend to.
    before = ~mask & (torch.arange(mask.shape[1]) <= at.max(1).values[:, None])
    return Region(at, real, asked, mask, bool(before.any()))


def onward(
    mask: Bool[Tensor, "prompts tokens"], ends: Int[Tensor, " prompts"], last: Int[Tensor, " prompts"] | None = None
) -> Region:
    """From the first token where ``mask`` is true up to the ``last`` one, the end if not said otherwise.

    The last layer's output is needed at the end alone.
    """
    tokens = torch.arange(mask.shape[1], device=mask.device)
    return only((mask.cumsum(1) > 0) & (tokens <= (ends if last is None else last)[:, None]), ends)


def _filled(x: Shaped[Tensor, "prompts n"], count: int) -> Shaped[Tensor, "prompts count"]:
    """With zeros after the n that there are."""
    return F.pad(x, (0, count - x.shape[1]))

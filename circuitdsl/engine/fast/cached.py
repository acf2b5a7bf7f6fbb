"""Activations of a finished run, cached at the tokens at which they will be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuitdsl.engine.fast.region import Region, placed, take

Required = Mapping[str, Bool[Tensor, "prompts tokens"] | None]
"""By hook point, the tokens at which its activations are required, on the CPU; None: all of them."""


@dataclass(frozen=True, eq=False)
class Cached:
    """Activations ``values`` at n tokens of each prompt.

    ``slots`` gives, for each token of the prompt, the index in ``values`` at which it is cached; its number is
    meaningless for a token that was not required. None: all tokens are cached, in order. ``largest`` is the largest
    absolute value over all tokens of the run, cached or not.
    """

    values: Float[Tensor, "prompts n *rest"]
    largest: Float[Tensor, ""]
    slots: Int[Tensor, "prompts tokens"] | None = None

    def take(self, at: Int[Tensor, "prompts m"]) -> Float[Tensor, "prompts m *rest"]:
        """The activations at the tokens ``at``. For a token that was not required the result has the activation of
        some other token, so the caller must not use it."""
        return take(self.values, at if self.slots is None else self.slots.gather(1, at))

    def under(
        self, values: Float[Tensor, "prompts n *rest"], region: Region, required: Bool[Tensor, "prompts tokens"] | None
    ) -> Cached:
        """These activations, replaced on the region's tokens by ``values``, and cached where they are required."""
        over = self.take(region.tokens).clone()
        over[torch.arange(len(over), device=over.device)[:, None], region.at] = values
        return cache(over, required)

    @property
    def whole(self) -> Float[Tensor, "prompts tokens *rest"]:
        """The activations at all tokens, which must all have been required."""
        assert self.slots is None, "only what is required at all tokens is cached at all of them"
        return self.values


def cache(values: Float[Tensor, "prompts tokens *rest"], required: Bool[Tensor, "prompts tokens"] | None) -> Cached:
    """Cache activations at the required tokens only; None: at all of them. ``required`` stands on the CPU."""
    largest = values.abs().max()
    if required is None or bool((count := required.sum(1).max()) == required.shape[1]):
        return Cached(values, largest)
    order = torch.argsort(~required, dim=1, stable=True)[:, : max(1, int(count))]
    slots = (required.cumsum(1) - 1).clamp(min=0)
    return Cached(take(values, placed(order, values.device)), largest, placed(slots, values.device))


def one_below_another(parts: Sequence[Cached]) -> Cached:
    """What is cached of some prompts, and of those that come next, of the same length."""
    if len(parts) == 1:
        return parts[0]
    most = max(each.values.shape[1] for each in parts)
    sides = [(0, 0) * (each.values.dim() - 2) + (0, most - each.values.shape[1]) for each in parts]
    values = torch.cat([F.pad(each.values, side) for each, side in zip(parts, sides, strict=True)])
    largest = torch.stack([each.largest for each in parts]).max()
    if all(each.slots is None for each in parts):
        return Cached(values, largest)
    length = next(each.slots.shape[1] for each in parts if each.slots is not None)
    in_order = torch.arange(length, device=values.device)
    slots = [in_order.expand(len(each.values), -1) if each.slots is None else each.slots for each in parts]
    return Cached(values, largest, torch.cat(slots))


def joined(left: Required, right: Required) -> Required:
    """What is required by either."""
    found = dict(left)
    for name, tokens in right.items():
        known = found.get(name, tokens)
        found[name] = None if known is None or tokens is None else known | tokens
    return found

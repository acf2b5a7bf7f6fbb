"""Hierarchical attribution: one backward pass that drops what is below a threshold (Ge et al. 2024, arXiv:2405.13868).

1. Some values on the way from input to output are candidates: what ``candidate`` returns is what it was given.
2. On the way back, the attribution of a candidate's value is the value times its gradient, one for each element.
3. Where that does not exceed the threshold, the gradient is set to zero: what stands before is attributed to by what
   was kept alone.

With an infinite threshold nothing is kept, and attributions are those of direct paths, past all other candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Noted = Callable[[Tensor, Tensor], None]
"""Told of the attributions of a candidate and of which of them are kept, both in its shape."""


@dataclass(frozen=True)
class Cut:
    """What is kept: attributions above ``threshold``, with ``both_signs`` those below its negative, too."""

    threshold: float
    both_signs: bool = False

    def keeps(self, attribution: Tensor) -> Tensor:
        return (attribution.abs() if self.both_signs else attribution) > self.threshold


def candidate(values: Tensor, cut: Cut, noted: Noted) -> Tensor:
    """Values through which gradients flow back where their attributions are kept.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> candidate(3 * x, Cut(4.0), lambda attribution, kept: print(attribution.tolist())).sum().backward()
    [3.0, 6.0]
    >>> x.grad
    tensor([0., 3.])
    """
    through: Any = _Candidate.apply
    return through(values, cut, noted)


class _Candidate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, cut: Cut, noted: Noted) -> Tensor:
        ctx.save_for_backward(values)
        ctx.cut, ctx.noted = cut, noted
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (values,), (gradient,) = ctx.saved_tensors, gradients
        attribution = values * gradient
        kept = ctx.cut.keeps(attribution)
        ctx.noted(attribution, kept)
        return torch.where(kept, gradient, 0.0), None, None

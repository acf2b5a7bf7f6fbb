"""Products whose rows do not depend on what is computed beside them, on a CPU in float32.

A figure must be the same to the bit however many experiments, prompts and tokens stand beside it: that is what
``--memory``, other files and the number of prompts change. In torch 2 with Intel's MKL, on one thread and in float32, a
row of a product is the same whatever the other rows and however many products stand side by side, where

* it has at least :data:`ROWS` rows and :data:`MULTIPLICATIONS` multiplications (below, other kernels run), and
* at least :data:`COLUMNS` columns.

A sum over up to :data:`SUMMANDS` numbers is one chain then, in which zeros change nothing. A softmax over
``VECTOR`` numbers or more adds them up by their place in vectors, so that what is masked behind them, or a whole
number of vectors before, changes nothing. Norms and readings go row by row. So what is smaller is filled up with zeros
here; on other devices and in other precisions nothing is promised (docs/robustness.md).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

ROWS = 4
COLUMNS = 12
MULTIPLICATIONS = 400
SUMMANDS = 128  # MKL cuts sums after 192 numbers
VECTORS = 32
"""Numbers that torch takes at once where it computes them one by one; the last few by a function of its own."""


def product(a: Float[Tensor, "*batch m k"], b: Float[Tensor, "*batch k n"]) -> Float[Tensor, "*batch m n"]:
    """a b."""
    rows, columns = a.shape[-2], b.shape[-1]
    b = F.pad(b, (0, COLUMNS - columns)) if columns < COLUMNS else b
    least = max(ROWS, -(-MULTIPLICATIONS // (b.shape[-2] * b.shape[-1])))
    a = F.pad(a, (0, 0, 0, least - rows)) if rows < least else a
    return (a @ b)[..., :rows, :columns]


def linear(
    x: Float[Tensor, "*places d_in"], weight: Float[Tensor, "d_out d_in"], bias: Float[Tensor, " d_out"] | None
) -> Float[Tensor, "*places d_out"]:
    """x W^T + b."""
    if len(weight) == 1:  # one column has code of its own
        return linear(x, weight.expand(2, -1), None if bias is None else bias.expand(2))[..., :1]
    rows = x.reshape(-1, x.shape[-1])  # torch has more than one way for more axes
    count, least = len(rows), max(ROWS, -(-MULTIPLICATIONS // weight.numel()))
    rows = F.pad(rows, (0, 0, 0, least - count)) if count < least else rows
    return F.linear(rows, weight, bias)[:count].reshape(*x.shape[:-1], len(weight))


def one_by_one(function: Callable[[Tensor], Tensor], x: Float[Tensor, "*places n"]) -> Float[Tensor, "*places n"]:
    """A function of each number: all of them in whole vectors."""
    if x.shape[-1] % VECTORS == 0:
        return function(x)
    return function(F.pad(x.flatten(), (0, -x.numel() % VECTORS)))[: x.numel()].view(x.shape)


def summed_up(p: Float[Tensor, "*batch m keys"], v: Float[Tensor, "*batch keys n"]) -> Float[Tensor, "*batch m n"]:
    """p v, where masked keys that come after the others change nothing: a piece of :data:`SUMMANDS` after another."""
    if p.dtype != torch.float32:  # which a sum of pieces would lose digits of
        return product(p, v)
    pieces = zip(p.split(SUMMANDS, -1), v.split(SUMMANDS, -2), strict=True)
    total = product(*next(pieces))
    for piece in pieces:
        total = total + product(*piece)
    return total

"""What ``brackets`` is trained on: texts of ``CONTEXT`` brackets, each of which opens or closes what is open.

At every place a bracket opens or closes with equal chance, opens where nothing is open, and each kind is as likely to
open; so the best guess of a closing bracket is the kind of the innermost open one, and of an opening one there is none.
One beginning of ``LENGTH`` brackets in eight is held out from training, by a hash of it.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from circuitdsl.models.brackets.tokenizer import CLOSES, CONTEXT, OPENS
from circuitdsl.tasks.brackets import LENGTH

Tokens = Int[Tensor, "texts tokens"]


def held_out(tokens: Tokens) -> Bool[Tensor, " texts"]:
    """Which texts begin as none does in training."""
    digits = (tokens[:, :LENGTH] - OPENS) * 4 ** torch.arange(LENGTH)
    return digits.sum(1) * 7919 // 97 % 8 == 0


def written(count: int, rng: torch.Generator) -> Tokens:
    """``count`` texts, those among them that are held out."""
    rows = torch.arange(count)
    tokens = torch.zeros(count, CONTEXT, dtype=torch.long)
    stack = torch.zeros(count, CONTEXT + 1, dtype=torch.long)  # the kinds that are open, the innermost at depth - 1
    depth = torch.zeros(count, dtype=torch.long)
    for place in range(CONTEXT):
        opens = (torch.rand(count, generator=rng) < 0.5) | (depth == 0)
        kind = torch.randint(2, (count,), generator=rng)
        innermost = stack[rows, (depth - 1).clamp(min=0)]
        tokens[:, place] = torch.where(opens, OPENS + kind, CLOSES + innermost)
        stack[rows, depth] = torch.where(opens, kind, stack[rows, depth])
        depth = torch.where(opens, depth + 1, depth - 1)
    return tokens


def training_batch(count: int, rng: torch.Generator) -> Tokens:
    """About ``count`` texts; those that are held out are left out."""
    tokens = written(count, rng)
    return tokens[~held_out(tokens)]


def innermost(tokens: Tokens) -> Tokens:
    """The closing bracket of what is open after each token, 0 where nothing is."""
    found = torch.zeros_like(tokens)
    for row, text in enumerate(tokens.tolist()):
        open_kinds: list[int] = []
        for place, token in enumerate(text):
            if token < CLOSES:
                open_kinds.append(token - OPENS)
            else:
                open_kinds.pop()
            found[row, place] = CLOSES + open_kinds[-1] if open_kinds else 0
    return found

"""Prompts as tensors, and positions as masks over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from circuitdsl.components import ALL, Position
from circuitdsl.measures.experiments import SHAM
from circuitdsl.measures.measurement import CannotMeasure
from circuitdsl.tasks.prompts import Prompt


@dataclass(frozen=True)
class Batch:
    """Prompts side by side, padded on the right.

    ``real`` is false on padding; ``ends`` is the index at which each prompt's output is read (``Prompt.read``).
    """

    prompts: tuple[Prompt, ...]
    tokens: Int[Tensor, "prompts length"]
    real: Bool[Tensor, "prompts length"]
    ends: Int[Tensor, " prompts"]

    @property
    def last(self) -> Int[Tensor, " prompts"]:
        """The index of each prompt's last token, at or after that at which the output is read."""
        return self.real.sum(1) - 1

    def __len__(self) -> int:
        return len(self.prompts)


def batch_of(prompts: Sequence[Prompt], device: torch.device) -> Batch:
    """The prompts as one batch."""
    lengths = torch.tensor([len(prompt.tokens) for prompt in prompts])
    real = (torch.arange(int(lengths.max())) < lengths[:, None]).to(device)
    ends = torch.tensor([prompt.positions[prompt.read][-1] for prompt in prompts], device=device)
    return Batch(tuple(prompts), padded([prompt.tokens for prompt in prompts], device), real, ends)


def padded(rows: Sequence[Sequence[int]], device: torch.device) -> Int[Tensor, "rows longest"]:
    """Rows of tokens as a tensor, each padded on the right with its own last token.

    Any token would do: padding stands to the right of all that is read, and attention is causal.
    """
    longest = max(len(row) for row in rows)
    made = torch.tensor([[*row, *[row[-1]] * (longest - len(row))] for row in rows])
    return made.to(device, non_blocking=True)


def counterfactual_tokens(batch: Batch, name: str) -> Int[Tensor, "prompts length"]:
    """The tokens of each prompt's counterfactual."""
    return padded([counterfactual(prompt, name) for prompt in batch.prompts], batch.tokens.device)


def counterfactual(prompt: Prompt, name: str) -> tuple[int, ...]:
    """A prompt's counterfactual. Raises CannotMeasure, naming the prompt, if it has none of that name."""
    if name not in prompt.counterfactuals:
        if name == SHAM:
            raise CannotMeasure(f"there is no sham for {prompt.text!r}: no other prompt has its template and length")
        raise CannotMeasure(f"the prompt {prompt.text!r} has no counterfactual {name}")
    return prompt.counterfactuals[name]


def tokens_at(prompt: Prompt, position: Position) -> tuple[int, ...]:
    """The token indices of a position in a prompt.

    Raises CannotMeasure, naming the prompt, if it has no such position or the offset leads outside it.
    """
    if position == ALL:
        return tuple(range(len(prompt.tokens)))
    if position.name not in prompt.positions:
        raise CannotMeasure(f"the prompt {prompt.text!r} has no position {position.name}")
    indices = tuple(index + position.offset for index in prompt.positions[position.name])
    if not indices or not all(0 <= index < len(prompt.tokens) for index in indices):
        raise CannotMeasure(f"the position {position} is outside the prompt {prompt.text!r}")
    return indices


def mask_of(batch: Batch, position: Position) -> Bool[Tensor, "prompts length"]:
    """True on the tokens of a position. Raises CannotMeasure, as :func:`tokens_at` does."""
    if position == ALL:
        return batch.real
    spots = [(row, index) for row, prompt in enumerate(batch.prompts) for index in tokens_at(prompt, position)]
    mask = torch.zeros(batch.real.shape, dtype=torch.bool)
    mask[tuple(torch.tensor(spots).T)] = True
    return mask.to(batch.real.device)

"""Readings of the logits at END for many worlds at once, from the final norm's output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuitdsl.engine import hook_names
from circuitdsl.engine.batch import Batch
from circuitdsl.engine.fast.architecture import Network
from circuitdsl.engine.fast.products import product
from circuitdsl.engine.fast.region import Region, placed
from circuitdsl.engine.hook_names import Activations
from circuitdsl.engine.readings import finite, read, require_wrong
from circuitdsl.measures.experiments import Metric, Reading
from circuitdsl.measures.measurement import Array


def laid_over(
    below: Float[Tensor, "prompts first *rest"], name: str, recorded: Float[Tensor, "prompts m *more"], region: Region
) -> Float[Tensor, "prompts first *rest"]:
    """What passed a hook point in a run of a region, over what passed it in the run ``below``, at all tokens.

    A pattern is [prompts, heads, queries, keys]; ``recorded`` has the region's queries, and its keys as
    :class:`~circuitdsl.engine.fast.full_pass.Recorded` says. The first block's output is [prompts, tokens, d_model].
    """
    prompts = torch.arange(len(below), device=below.device)[:, None]
    whole = below.clone()
    if name == hook_names.FIRST_BLOCK:
        whole[prompts, region.at] = recorded
        return whole
    back, inside = recorded.split([recorded.shape[-1] - region.at.shape[1], region.at.shape[1]], -1)
    rows = torch.zeros((*recorded.shape[:-1], below.shape[-1]), dtype=recorded.dtype, device=recorded.device)
    rows.scatter_add_(-1, region.at[:, None, None].expand_as(inside), inside)
    whole[prompts, :, region.at] = (rows + back if back.shape[-1] else rows).transpose(1, 2)
    return whole


@dataclass(frozen=True)
class Reader:
    """Readings of the logits over one batch. ``end`` [prompts, d_model] is what leaves the last block of the clean run
    at END, for readings that compare with it."""

    batch: Batch
    network: Network
    bridge: Any
    end: Callable[[], Float[Tensor, "prompts d_model"]]

    def readings(self, reading: Reading, x: Float[Tensor, "prompts worlds d_model"]) -> Array:
        """A reading of each prompt in each world, [prompts, worlds], from the final norm's output at END.

        Raises CannotMeasure where a prompt lacks what the reading needs.
        """
        if reading == Metric("logit_diff"):
            direction, offset = self._logit_diff
            return finite((product(x.float(), direction[:, :, None])[..., 0] + offset).double().cpu().numpy())
        # A world at a time: the vocabulary is large.
        unembedded = (self.network.unembedding(x[:, world]) for world in range(x.shape[1]))
        values = (read(reading, logits, {}, self.batch, self.bridge, lambda: self._clean) for logits in unembedded)
        return np.stack(list(values), axis=1)

    def inside(self, reading: Reading, activations: Activations) -> Array:
        """A reading of attention or of heads' OV circuits, as the plain engine takes it. Raises CannotMeasure."""
        return read(reading, torch.empty(0), activations, self.batch, self.bridge, lambda: self._clean)

    @cached_property
    def _clean(self) -> Float[Tensor, "prompts vocabulary"]:
        """The clean run's logits."""
        return self.network.unembedding(self.network.final(self.end()[:, None])[:, 0])

    @cached_property
    def _logit_diff(self) -> tuple[Float[Tensor, "prompts d_model"], Float[Tensor, "prompts 1"]]:
        """Mean logit of the right answers less that of the wrong ones as a direction and an offset."""
        for prompt in self.batch.prompts:
            require_wrong(prompt, "logit difference")

        right, wrong = ([getattr(p, which) for p in self.batch.prompts] for which in ("answers", "wrong"))
        weight, bias = self.network.unembedding.weight, self.network.unembedding.bias
        bias = weight.new_zeros(len(weight)) if bias is None else bias
        direction, offset = (_means(rows, right) - _means(rows, wrong) for rows in (weight, bias[:, None]))
        return direction, offset


def _means(rows: Float[Tensor, "vocabulary n"], tokens: Sequence[Sequence[int]]) -> Float[Tensor, "prompts n"]:
    """The mean of some tokens' rows for each prompt, those of as many tokens together."""
    result = rows.new_zeros((len(tokens), rows.shape[1]), dtype=torch.float32)
    for count in {*map(len, tokens)}:
        prompts = [prompt for prompt, some in enumerate(tokens) if len(some) == count]
        spots, places = torch.tensor([[*tokens[prompt]] for prompt in prompts]), torch.tensor(prompts)
        result[placed(places, rows.device)] = rows[placed(spots, rows.device)].float().mean(1)
    return result

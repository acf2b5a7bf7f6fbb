"""Figures of the logits at END for many worlds at once, from the final norm's output."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from circuitdsl.engine import hooks
from circuitdsl.engine.batch import Batch
from circuitdsl.engine.fast.architecture import Network
from circuitdsl.engine.fast.region import Region
from circuitdsl.engine.readings import read, require_wrong
from circuitdsl.measures.experiments import Attention, Copying, HeadScore, Metric, Reading
from circuitdsl.measures.measurement import Array


def reads_inside(reading: Reading) -> bool:
    """Whether a reading is of something else than the logits."""
    return isinstance(reading, Attention | HeadScore | Copying)


def laid_over(below: Tensor, name: str, seen: Tensor, region: Region) -> Tensor:
    """What passed a point in a run of a region, over what passed it in the run below, [prompts, tokens, ...].

    A pattern is [prompts, heads, queries, keys]; ``seen`` has the region's queries, and its keys as ``live.Seen`` says.
    """
    prompts = torch.arange(len(below), device=below.device)[:, None]
    whole = below.clone()
    if name == hooks.FIRST_BLOCK:
        whole[prompts, region.at] = seen
        return whole
    inside, back = seen.split([region.at.shape[1], seen.shape[-1] - region.at.shape[1]], -1)
    rows = torch.zeros((*seen.shape[:-1], below.shape[-1]), dtype=seen.dtype, device=seen.device)
    rows.scatter_add_(-1, region.at[:, None, None].expand_as(inside), inside)
    whole[prompts, :, region.at] = (rows + back if back.shape[-1] else rows).transpose(1, 2)
    return whole


@dataclass(frozen=True)
class Reader:
    """Readings of the logits over one batch."""

    batch: Batch
    network: Network
    bridge: Any

    def figures(self, reading: Reading, x: Tensor) -> Array:
        """A reading of each prompt in each world, [prompts, worlds].

        ``x`` [prompts, worlds, d_model] is the final norm's output at END. Raises CannotMeasure where a prompt has not
        what the reading needs.
        """
        if reading == Metric("logit_diff"):
            direction, offset = self._logit_diff
            return ((x.float() @ direction[:, :, None])[..., 0] + offset).double().cpu().numpy()
        # A world at a time: the vocabulary is large.
        unembedded = (self.network.unembedding(x[:, world]) for world in range(x.shape[1]))
        return np.stack([read(reading, logits, {}, self.batch, self.bridge) for logits in unembedded], axis=1)

    @cached_property
    def _logit_diff(self) -> tuple[Tensor, Tensor]:
        """logit(answer) - mean logit(wrong answers) as a direction [prompts, d_model] and an offset [prompts, 1]."""
        for prompt in self.batch.prompts:
            require_wrong(prompt, "logit difference")

        def difference(column: Tensor) -> Tensor:
            rows = ((column[p.answer], column[list(p.wrong)]) for p in self.batch.prompts)
            return torch.stack([answer.float() - wrong.float().mean(0) for answer, wrong in rows])

        weight, bias = self.network.unembedding.weight, self.network.unembedding.bias
        return difference(weight), difference(weight.new_zeros(len(weight)) if bias is None else bias)[:, None]

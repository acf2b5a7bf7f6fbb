"""Runs that are cached between calls, so that one more claim on the same prompts needs no clean run of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from circuitdsl.engine.fast.cached import Cached, Required
from circuitdsl.tasks.prompts import Prompt


@dataclass(frozen=True)
class FinishedRun:
    """A finished run of a batch: its activations where they were ``required``, and the last residual stream at END."""

    required: Required
    activations: Mapping[str, Cached]
    end: Tensor  # [prompts, d_model]

    def has(self, required: Required) -> bool:
        """Whether everything that is required is cached."""
        return all(name in self.required and _within(tokens, self.required[name]) for name, tokens in required.items())

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end.nbytes + sum(cached.values.nbytes for cached in self.activations.values())


Runs = dict[str, FinishedRun]
"""Runs of one batch: of its counterfactuals by their names, and of the prompts themselves under :data:`CLEAN_RUN`."""

CLEAN_RUN = ""


@dataclass
class RunCache:
    """The runs of the batches that were run last, within ``capacity`` bytes; ``batches`` has the latest last."""

    capacity: int
    batches: list[tuple[tuple[Prompt, ...], Runs]] = field(default_factory=list)

    def find(self, prompts: tuple[Prompt, ...]) -> Runs:
        """The runs of a batch of just these prompts."""
        return next((runs for known, runs in self.batches if known == prompts), {})

    def put(self, prompts: tuple[Prompt, ...], runs: Runs) -> None:
        """Cache a batch's runs in place of its earlier ones, and drop the oldest that do not fit beside them.

        Runs that are larger than the whole cache are not cached, and leave it as it is.
        """
        if _size(runs) > self.capacity:
            return
        self.batches = [batch for batch in self.batches if batch[0] != prompts] + [(prompts, runs)]
        while sum(_size(each) for _, each in self.batches) > self.capacity:
            del self.batches[0]

    def clear(self) -> None:
        """Drop all of it."""
        self.batches.clear()


def _size(runs: Runs) -> int:
    return sum(run.size for run in runs.values())


def _within(tokens: Tensor | None, known: Tensor | None) -> bool:
    """Whether tokens [prompts, tokens] are among known ones; None: all."""
    return known is None or (tokens is not None and not bool((tokens & ~known).any()))

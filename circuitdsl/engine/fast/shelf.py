"""Runs that outlive a call, so that one more claim on the same prompts has no need of a clean run of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from circuitdsl.engine.fast.held import Held, Wanted
from circuitdsl.tasks.prompts import Prompt


@dataclass(frozen=True)
class Passed:
    """A finished run of a batch: activations where they were ``wanted``, and what the last layer leaves at END."""

    wanted: Wanted
    kept: Mapping[str, Held]
    end: Tensor  # [prompts, d_model]

    def holds(self, wanted: Wanted) -> bool:
        """Whether everything that is wanted was kept."""
        return all(name in self.wanted and _within(tokens, self.wanted[name]) for name, tokens in wanted.items())

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end.nbytes + sum(held.values.nbytes for held in self.kept.values())


Runs = dict[str, Passed]
"""Runs of one batch: of its counterfactuals by their names, and of the prompts themselves under :data:`CLEAN`."""

CLEAN = ""


@dataclass
class Shelf:
    """The runs of the batches that were worked on last, within ``capacity`` bytes."""

    capacity: int
    rows: list[tuple[tuple[Prompt, ...], Runs]] = field(default_factory=list)  # the latest last

    def find(self, prompts: tuple[Prompt, ...]) -> Runs:
        """The runs of a batch of just these prompts."""
        return next((runs for known, runs in self.rows if known == prompts), {})

    def put(self, prompts: tuple[Prompt, ...], runs: Runs) -> None:
        """Keep a batch's runs in place of its earlier ones, and let go of the oldest that do not fit beside them.

        Runs that do not fit at all are not kept, and those that are here stay.
        """
        if _size(runs) > self.capacity:
            return
        self.rows = [row for row in self.rows if row[0] != prompts] + [(prompts, runs)]
        while sum(_size(each) for _, each in self.rows) > self.capacity:
            del self.rows[0]

    def clear(self) -> None:
        self.rows.clear()


def _size(runs: Runs) -> int:
    return sum(run.size for run in runs.values())


def _within(tokens: Tensor | None, known: Tensor | None) -> bool:
    """Whether tokens [prompts, tokens] are among known ones; None: all."""
    return known is None or (tokens is not None and not bool((tokens & ~known).any()))

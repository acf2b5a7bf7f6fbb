"""A call to an engine in steps, of which each can be run by another engine over the same model.

A step is what the engine runs at once. All engines that run steps of one call are given the whole call, and cut it
alike: on a GPU readings depend in their last digits on what is run at once (docs/robustness.md). No torch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from circuitdsl.engine.base import Engine
from circuitdsl.engine.references import References
from circuitdsl.measures.experiments import Data, Experiment, World
from circuitdsl.measures.measurement import Array, Failure
from circuitdsl.tasks import Prompt

Answered = dict[Experiment, "Array | Failure"]


class Part(NamedTuple):
    """Consecutive steps, from ``first`` on and up to ``stop``, which is not one of them."""

    first: int
    stop: int


EVERY_STEP = Part(0, sys.maxsize)


class Steps(Protocol):
    """The steps of one call. Runs that steps share are made when they are first needed, and kept."""

    @property
    def total(self) -> int:
        """How many there are."""
        ...

    def run(self, part: Part) -> Answered:
        """What some steps answer: each experiment is answered by one of them.

        Steps in their order obey what :class:`~circuitdsl.engine.base.Engine` says of ``keep``: where the first of them
        have been run, the rest comes out the same, to the last bit, if it is asked for without them.
        """
        ...


@runtime_checkable
class Divisible(Protocol):
    """An engine whose calls can be taken in steps."""

    @property
    def memory(self) -> int:
        """Bytes that what is run at once may take; 0 where that is not what steps depend on."""
        ...

    def in_steps(
        self,
        data: Data,
        prompts: Sequence[Prompt],
        experiments: Sequence[Experiment],
        references: References,
        memory: int,
    ) -> Steps:
        """The steps of a call on all of some prompts, cut as an engine with so much ``memory`` does it; the rest as
        ``run`` is given it."""
        ...


@dataclass(frozen=True)
class Apart:
    """Steps that are calls of their own, each of some experiments."""

    run_some: Callable[[Sequence[Experiment]], Answered]
    groups: Sequence[Sequence[Experiment]]

    @property
    def total(self) -> int:
        return len(self.groups)

    def run(self, part: Part) -> Answered:
        """The answers of the experiments of some steps."""
        asked = [experiment for group in self.groups[part.first : part.stop] for experiment in group]
        return self.run_some(asked) if asked else {}


def by_world(experiments: Iterable[Experiment]) -> dict[World, list[Experiment]]:
    """Experiments by what is done to the model."""
    groups: dict[World, list[Experiment]] = {}
    for experiment in experiments:
        groups.setdefault(experiment.world, []).append(experiment)
    return groups


def steps_of(
    engine: Engine,
    data: Data,
    prompts: Sequence[Prompt],
    experiments: Sequence[Experiment],
    references: References,
    memory: int,
) -> Steps:
    """The steps of a call on all of some prompts: one, for an engine that is not divisible."""
    if isinstance(engine, Divisible):
        return engine.in_steps(data, prompts, experiments, references, memory)
    return Apart(lambda some: engine.run(data, prompts, 0, len(prompts), some, references), [experiments])

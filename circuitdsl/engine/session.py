"""One call's work on one model: prompts are drawn once, and no experiment is run twice on a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from circuitdsl.measures.experiments import Ablated, Data, Experiment, Intervened, Isolated, Mean, Resample, World
from circuitdsl.measures.measurement import Array
from circuitdsl.models import Model
from circuitdsl.plan.drive import Failure
from circuitdsl.tasks import open_task
from circuitdsl.tasks.prompts import Prompt, PromptSet


class Engine(Protocol):
    """Anything that runs experiments; see ``plain.PlainEngine.run`` for the meaning."""

    name: str
    model: Model

    def run(
        self, data: Data, stream: Sequence[Prompt], start: int, stop: int, experiments: Iterable[Experiment]
    ) -> dict[Experiment, Array | Failure]: ...


@dataclass
class Session:
    """Feeds an engine with prompts and remembers what it answered.

    ``results`` holds, for each experiment, the readings of the first prompts of its data, as far as they were asked.
    """

    engine: Engine
    streams: dict[Data, PromptSet] = field(default_factory=dict)
    results: dict[Experiment, Array | Failure] = field(default_factory=dict)

    def prompts(self, data: Data, count: int) -> tuple[Prompt, ...]:
        """The first ``count`` prompts, or all if the task has no more. Raises TaskError."""
        known = self.streams.get(data)
        if known is None or (len(known.prompts) < count and not known.exhausted):
            known = open_task(data.task).draw(self.engine.model.tokenizer, count, data.seed, data.bos)
            self.streams[data] = known
        return known.prompts[:count]

    def notes(self, data: Data) -> tuple[str, ...]:
        """What the task had to leave out with this tokenizer; known once prompts were drawn."""
        return self.streams[data].notes

    def run(self, experiments: Iterable[Experiment], count: int) -> dict[Experiment, Array | Failure]:
        """The readings of the first ``count`` prompts of each experiment's data; only what is missing is run."""
        experiments = tuple(dict.fromkeys(experiments))
        for (data, start), missing in self._missing(experiments, count).items():
            stop = len(self.prompts(data, count))
            needed = max([stop, *(_reference(experiment.world) for experiment in missing)])
            answers = self.engine.run(data, self.prompts(data, needed), start, stop, missing)
            for experiment, answer in answers.items():
                self.results[experiment] = _joined(self.results.get(experiment), answer)
        return {experiment: _upto(self.results[experiment], count) for experiment in experiments}

    def _missing(self, experiments: Iterable[Experiment], count: int) -> dict[tuple[Data, int], list[Experiment]]:
        """Experiments whose readings stop short of ``count``, by data and by the prompt at which they stop."""
        groups: dict[tuple[Data, int], list[Experiment]] = {}
        for experiment in experiments:
            known = self.results.get(experiment)
            if isinstance(known, Failure):
                continue
            have = 0 if known is None else len(known)
            if have < len(self.prompts(experiment.data, count)):
                groups.setdefault((experiment.data, have), []).append(experiment)
        return groups


def _reference(world: World) -> int:
    """How many prompts of the stream a world's means are taken over."""
    match world:
        case Ablated(source=Mean() | Resample() as source) | Isolated(source=Mean() | Resample() as source):
            return source.reference
        case Intervened(sources=sources):
            return max((s.reference for s in sources if isinstance(s, Mean | Resample)), default=0)
        case _:
            return 0


def _joined(known: Array | Failure | None, more: Array | Failure) -> Array | Failure:
    if known is None or isinstance(more, Failure):
        return more
    return known if isinstance(known, Failure) else np.concatenate([known, more])


def _upto(result: Array | Failure, count: int) -> Array | Failure:
    return result if isinstance(result, Failure) else result[:count]

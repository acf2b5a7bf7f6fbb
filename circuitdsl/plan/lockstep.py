"""Advance many measurements in lockstep, so that all their experiments can be run as one set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from circuitdsl.engine.references import drawn_sources
from circuitdsl.measures.experiments import Data, Drawn, Experiment
from circuitdsl.measures.measurement import Array, Asking, CannotMeasure, Failure, Measurement, OnFew, Results
from circuitdsl.plan.job import Started

Run = Callable[[tuple[Experiment, ...]], Results]


def measure(
    jobs: Iterable[Started], run: Run, on_few: Callable[[OnFew], Results] | None = None
) -> dict[Started, Measurement | Failure]:
    """Carry out every job. ``run`` is called once a round with all the experiments that are asked for in it, ``on_few``
    with those of them that need the first prompts alone; without it they are run on all."""
    desk = _Desk({}, {})
    for job in jobs:
        desk.begin(job)
    while desk.waiting:
        for prompts, some in desk.by_prompts().items():
            asked = OnFew(dict.fromkeys(e for job in some for e in desk.waiting[job].experiments), prompts)
            results = on_few(asked) if on_few and prompts else run(tuple(asked))
            for job in some:
                desk.resume(job, results)
    return desk.done


@dataclass(frozen=True)
class _Waiting:
    """``asked`` are all experiments so far, ``experiments`` those that it waits for, on the first ``prompts``, 0 for
    all."""

    asking: Asking
    experiments: tuple[Experiment, ...]
    asked: tuple[Experiment, ...]
    prompts: int = 0


@dataclass(frozen=True)
class _Desk:
    """Where jobs stand: waiting for results, or done."""

    waiting: dict[Started, _Waiting]
    done: dict[Started, Measurement | Failure]

    def begin(self, job: Started) -> None:
        if isinstance(job.first, Failure):
            self.done[job] = job.first
        elif job.done is not None:
            self.done[job] = job.done
        else:
            self.waiting[job] = _Waiting(job.asking(), job.first, job.first)

    def by_prompts(self) -> dict[int, list[Started]]:
        """The waiting jobs by the number of prompts that they wait for."""
        found: dict[int, list[Started]] = {}
        for job, waiting in self.waiting.items():
            found.setdefault(waiting.prompts, []).append(job)
        return found

    def resume(self, job: Started, results: Results) -> None:
        """Send a waiting job its results and file what comes back: more questions, a measurement, or a failure."""
        waiting = self.waiting.pop(job)
        answer = _answer(waiting.experiments, results)
        if isinstance(answer, Failure):
            waiting.asking.close()
            self.done[job] = answer
            return
        try:
            more = waiting.asking.send(answer)
            prompts = more.prompts if isinstance(more, OnFew) else 0
            self.waiting[job] = _Waiting(waiting.asking, tuple(more), (*waiting.asked, *more), prompts)
        except StopIteration as stop:
            self.done[job] = stop.value.within(partial(_source, waiting.asked))
        except CannotMeasure as reason:
            self.done[job] = Failure(str(reason))


def _source(asked: Iterable[Experiment], data: Data) -> Drawn | None:
    """The reference that what was asked of some data depends on, if it does."""
    return next((source for e in asked if e.data == data for source in drawn_sources(e.world)), None)


def _answer(experiments: tuple[Experiment, ...], results: Results) -> Mapping[Experiment, Array] | Failure:
    answer: dict[Experiment, Array] = {}
    for experiment in experiments:
        result = results[experiment]
        if isinstance(result, Failure):
            return result
        answer[experiment] = result
    return answer

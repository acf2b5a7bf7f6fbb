"""Advance many measurements in lockstep, so that all their experiments can be run as one set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from circuitdsl.engine.references import drawn_sources
from circuitdsl.measures.experiments import Data, Drawn, Experiment
from circuitdsl.measures.measurement import Array, Asking, CannotMeasure, Failure, Measurement, Results
from circuitdsl.plan.job import Started


def measure(
    jobs: Iterable[Started], run: Callable[[tuple[Experiment, ...]], Results]
) -> dict[Started, Measurement | Failure]:
    """Carry out every job. ``run`` is called once a round with all the experiments that are asked for in it."""
    desk = _Desk({}, {})
    for job in jobs:
        desk.begin(job)
    while desk.waiting:
        asked = dict.fromkeys(e for waiting in desk.waiting.values() for e in waiting.experiments)
        results = run(tuple(asked))
        for job in list(desk.waiting):
            desk.resume(job, results)
    return desk.done


@dataclass(frozen=True)
class _Waiting:
    """``asked`` are all experiments so far, ``experiments`` those that it waits for."""

    asking: Asking
    experiments: tuple[Experiment, ...]
    asked: tuple[Experiment, ...]


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

    def resume(self, job: Started, results: Results) -> None:
        """Send a waiting job its results and file what comes back: more questions, a measurement, or a failure."""
        waiting = self.waiting.pop(job)
        answer = _answer(waiting.experiments, results)
        if isinstance(answer, Failure):
            waiting.asking.close()
            self.done[job] = answer
            return
        try:
            more = tuple(waiting.asking.send(answer))
            self.waiting[job] = _Waiting(waiting.asking, more, (*waiting.asked, *more))
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

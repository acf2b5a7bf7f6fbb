"""Advance many measurements in lockstep, so that all their experiments can be run as one set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from circuitdsl.measures.experiments import Experiment
from circuitdsl.measures.measurement import Array, Asking, CannotMeasure, Measurement
from circuitdsl.plan.jobs import Job


@dataclass(frozen=True)
class Failure:
    """Why an experiment or a measurement could not be had, for a person."""

    message: str


Results = Mapping[Experiment, "Array | Failure"]


def measure(jobs: Iterable[Job], run: Callable[[frozenset[Experiment]], Results]) -> dict[Job, Measurement | Failure]:
    """Carry out every job. ``run`` is called once a round with all the experiments that are asked for in it."""
    desk = _Desk({}, {})
    for job in jobs:
        desk.begin(job)
    while desk.waiting:
        results = run(frozenset(e for waiting in desk.waiting.values() for e in waiting.experiments))
        for job in list(desk.waiting):
            desk.resume(job, results)
    return desk.done


def first_round(job: Job) -> tuple[Experiment, ...] | Failure:
    """What a job asks for before it has seen any result: all of it, unless the job is adaptive."""
    desk = _Desk({}, {})
    desk.begin(job)
    if job in desk.waiting:
        desk.waiting[job].asking.close()
        return desk.waiting[job].experiments
    outcome = desk.done[job]
    return outcome if isinstance(outcome, Failure) else ()


@dataclass(frozen=True)
class _Waiting:
    asking: Asking
    experiments: tuple[Experiment, ...]


@dataclass(frozen=True)
class _Desk:
    """Where jobs stand: waiting for results, or done."""

    waiting: dict[Job, _Waiting]
    done: dict[Job, Measurement | Failure]

    def begin(self, job: Job) -> None:
        try:
            asking = job.start()
            self.waiting[job] = _Waiting(asking, tuple(next(asking)))
        except StopIteration as stop:
            self.done[job] = stop.value
        except CannotMeasure as reason:
            self.done[job] = Failure(str(reason))

    def resume(self, job: Job, results: Results) -> None:
        """Send a waiting job its results and file what comes back: more questions, a measurement, or a failure."""
        waiting = self.waiting.pop(job)
        answer = _answer(waiting.experiments, results)
        if isinstance(answer, Failure):
            waiting.asking.close()
            self.done[job] = answer
            return
        try:
            self.waiting[job] = _Waiting(waiting.asking, tuple(waiting.asking.send(answer)))
        except StopIteration as stop:
            self.done[job] = stop.value
        except CannotMeasure as reason:
            self.done[job] = Failure(str(reason))


def _answer(experiments: tuple[Experiment, ...], results: Results) -> Mapping[Experiment, Array] | Failure:
    answer: dict[Experiment, Array] = {}
    for experiment in experiments:
        result = results[experiment]
        if isinstance(result, Failure):
            return result
        answer[experiment] = result
    return answer

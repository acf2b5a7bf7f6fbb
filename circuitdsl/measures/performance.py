"""Does the model do the task at all? Every share of the metric means something only where it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from circuitdsl.language.environment import PROPORTION
from circuitdsl.measures.estimands import (
    Contrast,
    Estimand,
    Mean,
    Ratio,
    Smallest,
    Smooth,
    column,
    proportion,
)
from circuitdsl.measures.experiments import Metric
from circuitdsl.measures.measurement import CLEAN, Asking, Measurement, Request, sample, together


def performance(request: Request) -> Asking:
    """The metric above zero and what tells it from chance above chance: the smaller of the two, which must be positive.

    The parts are the metric, the accuracy, and what the metric is told from chance by: of a logit or probability
    difference, itself; of a share (a probability, an accuracy, hits), the accuracy among the task's options less the
    share of these that are right, since any token has some probability, and who always says the same is right as often
    as that.
    """
    metric, accuracy = request.ask(CLEAN), request.ask(CLEAN, Metric("accuracy"))
    among: tuple[Metric, ...] = (Metric("accuracy among options"), Metric("chance among options"))
    readings = among if request.limits == PROPORTION else ()
    asked = [metric, accuracy, *(request.ask(CLEAN, reading) for reading in readings)]
    results = yield asked
    columns = [results[e] for e in asked]
    samples = (sample(request.data, *columns),)
    level = Mean(column(0, request.limits))
    chance = Mean(Contrast(((2, 1.0), (3, -1.0)), (0.0, 1.0))) if readings else level
    parts = (
        (request.method.metric, Measurement((sample(request.data, columns[0]),), request.metric.mean)),
        ("accuracy", Measurement((sample(request.data, columns[1]),), proportion())),
        ("above chance", Measurement(samples, chance)),
    )
    return Measurement(samples, Smallest((level, chance)) if readings else level, parts=parts)


def where_done(share: Asking, *requests: Request) -> Asking:
    """Shares of the metric on the tasks of these requests, told from nothing only if the model does all the tasks."""
    measured, *done = yield from together((share, *map(performance, requests)))
    samples, needs = list(measured.samples), list[Contrast]()
    for each in done:
        before = sum(sample.columns.shape[1] for sample in samples)
        needs += (level.of for level in _levels(each.estimand.moved(before, each.samples[0].columns.shape[1])))
        samples += each.samples
    return replace(measured, samples=tuple(samples), estimand=_needing(measured.estimand, needs))


def _levels(performing: Estimand) -> Iterator[Mean]:
    """The means that must be above zero."""
    for each in performing.of if isinstance(performing, Smallest) else (performing,):
        assert isinstance(each, Mean), "what is performed is told by means"
        yield each


def _needing(shares: Estimand, needs: Sequence[Contrast]) -> Estimand:
    match shares:
        case Ratio() | Smooth():
            return replace(shares, needs=(*shares.needs, *needs))
        case Smallest():
            return Smallest(tuple(_needing(each, needs) for each in shares.of))
        case _:
            raise AssertionError("a share of the metric is a ratio, or made of ratios")

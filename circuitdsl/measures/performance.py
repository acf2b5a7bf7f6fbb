"""Does the model do the task at all? Every share of the metric means something only where it does."""

from __future__ import annotations

from circuitdsl.measures.estimands import Contrast, Mean, Smallest, average, column, proportion
from circuitdsl.measures.experiments import Metric
from circuitdsl.measures.measurement import CLEAN, Asking, Measurement, Request, sample


def performance(request: Request) -> Asking:
    """The metric above zero and what tells it from chance above chance: the smaller of the two, which must be positive.

    The parts are the metric, the accuracy, and what the metric is told from chance by: of a logit or probability
    difference, itself; of a probability, the logit difference, since any token has some probability; of an accuracy,
    that among the task's options less the share of these that are right, since a model that always says the same
    reaches that.
    """
    metric, accuracy = request.ask(CLEAN), request.ask(CLEAN, Metric("accuracy"))
    told = {"probability": ("logit_diff",), "accuracy": ("accuracy among options", "chance among options")}
    readings = [Metric(name) for name in told.get(request.method.metric, ())]
    asked = [metric, accuracy, *(request.ask(CLEAN, reading) for reading in readings)]
    results = yield asked
    columns = [results[e] for e in asked]
    samples = (sample(request.data, *columns),)
    level = Mean(column(0, request.limits))
    chance = {
        0: level,
        1: Mean(column(2)),
        2: Mean(Contrast(((2, 1.0), (3, -1.0)), (0.0, 1.0))),
    }[len(readings)]
    of_metric = proportion() if request.method.metric == "accuracy" else average(limits=request.limits)
    parts = (
        (request.method.metric, Measurement((sample(request.data, columns[0]),), of_metric)),
        ("accuracy", Measurement((sample(request.data, columns[1]),), proportion())),
        ("above chance", Measurement(samples, chance)),
    )
    return Measurement(samples, Smallest((level, chance)) if readings else level, parts=parts)

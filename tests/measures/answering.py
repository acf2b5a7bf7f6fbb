"""Answer a measurement's questions from a table, without a model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from circuitdsl.language.circuit import Circuit, Control, Term
from circuitdsl.measures.experiments import Experiment
from circuitdsl.measures.measurement import Measurement, Request
from circuitdsl.measures.registry import measures


def carry_out(request: Request, answer: Callable[[Experiment], float]) -> tuple[Measurement, list[Experiment]]:
    """The measurement when every prompt of an experiment reads ``answer(experiment)``, and all that it asked."""
    asking = measures()[request.term.measure].estimator(request)
    asked: list[Experiment] = []
    experiments = next(asking)
    while True:
        asked += experiments
        try:
            experiments = asking.send({e: np.full(4, float(answer(e))) for e in experiments})
        except StopIteration as stop:
            return stop.value, asked


def value(measurement: Measurement) -> float:
    means = np.concatenate([sample.columns.mean(axis=0) for sample in measurement.samples])
    return float(measurement.estimand.value(means))


def request(circuit: Circuit, measure: str, control: Control | None = None, options=(), **arguments) -> Request:
    return Request(circuit, circuit.method, Term(measure, tuple(arguments.items()), tuple(options)), control)

"""A measurement: how often the model is wrong."""

from __future__ import annotations

from circuitdsl.language.environment import PROPORTION, MeasureInfo
from circuitdsl.measures.estimands import proportion
from circuitdsl.measures.experiments import Metric
from circuitdsl.measures.measurement import Asking, Measure, Measurement, Request, sample


def _error_rate(request: Request) -> Asking:
    """Asks for one experiment and gets an array [prompts] of it: 1 where the top token is the answer, else 0."""
    right = request.ask(request.world, Metric("accuracy"))
    results = yield [right]
    return Measurement((sample(request.data, 1 - results[right]),), proportion())


MEASURES = (
    Measure(
        MeasureInfo(
            "error_rate",
            "share",
            "Share of prompts whose top token at END is not the answer.",
            "the example package of circuitdsl",
            limits=PROPORTION,
            output=True,
        ),
        _error_rate,
    ),
)

"""Measurements of what the model says at END: logit_diff, accuracy, probability, probability_diff."""

from __future__ import annotations

from circuitdsl.language.circuit import Token
from circuitdsl.language.environment import PROPORTION, MeasureInfo, Parameter
from circuitdsl.measures.estimands import Mean, average, proportion
from circuitdsl.measures.experiments import Metric, Reading, TokenProbability
from circuitdsl.measures.measurement import Asking, Measure, Measurement, Request, sample

AMONG_OPTIONS = ("among options", "the top token among the task's options for the prompt, not all tokens")


def accuracy_of(request: Request) -> Metric:
    """Among the task's options if the term says so."""
    return Metric("accuracy among options" if AMONG_OPTIONS[0] in request.term.options else "accuracy")


def _average(request: Request, reading: Reading, mean: Mean) -> Asking:
    experiment = request.ask(request.world, reading)
    results = yield [experiment]
    return Measurement((sample(request.data, results[experiment]),), mean)


def _logit_diff(request: Request) -> Asking:
    return (yield from _average(request, Metric("logit_diff"), average()))


def _accuracy(request: Request) -> Asking:
    return (yield from _average(request, accuracy_of(request), proportion()))


def _probability(request: Request) -> Asking:
    token = request.argument("token")
    reading = TokenProbability(token if isinstance(token, Token) else Token(None))
    return (yield from _average(request, reading, average(limits=PROPORTION)))


def _probability_diff(request: Request) -> Asking:
    return (yield from _average(request, Metric("probability_diff"), average(limits=(-1.0, 1.0))))


MEASURES = (
    Measure(
        MeasureInfo(
            "logit_diff",
            "logits",
            "Logit of the answer less the mean logit of the wrong answers, at END, averaged over prompts.",
            "Wang et al. 2022",
            output=True,
        ),
        _logit_diff,
    ),
    Measure(
        MeasureInfo(
            "accuracy",
            "share",
            "Share of prompts whose top token at END is the answer (a right answer, where there are several).",
            "Merullo et al. 2024",
            options=(AMONG_OPTIONS,),
            limits=PROPORTION,
            output=True,
        ),
        _accuracy,
    ),
    Measure(
        MeasureInfo(
            "probability",
            "share",
            "Softmax probability at END of the token that stands at a position, or of the answer.",
            "Wang et al. 2022",
            parameters=(Parameter("token", "token", "a position, or `answer` (the default)", required=False),),
            limits=PROPORTION,
            output=True,
        ),
        _probability,
    ),
    Measure(
        MeasureInfo(
            "probability_diff",
            "share",
            "Softmax probability at END of all right answers together less that of all wrong ones.",
            "Hanna et al. 2023",
            limits=(-1, 1),
            output=True,
        ),
        _probability_diff,
    ),
)

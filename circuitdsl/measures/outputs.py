"""Measurements of what the model says at END: logit_diff, accuracy, probability, probability_diff."""

from __future__ import annotations

from circuitdsl.language.circuit import Token
from circuitdsl.language.environment import PROPORTION, MeasureInfo, Parameter
from circuitdsl.measures.experiments import Metric, Reading, TokenProbability
from circuitdsl.measures.measurement import Asking, Measure, Measurement, Request, first, sample


def _average(request: Request, reading: Reading, shares: bool = False) -> Asking:
    experiment = request.ask(request.world, reading)
    results = yield [experiment]
    return Measurement((sample(request.data, results[experiment]),), first, shares=shares)


def _logit_diff(request: Request) -> Asking:
    return (yield from _average(request, Metric("logit_diff")))


def _accuracy(request: Request) -> Asking:
    among = "among options" in request.term.options
    return (yield from _average(request, Metric("accuracy among options" if among else "accuracy"), shares=True))


def _probability(request: Request) -> Asking:
    token = request.argument("token")
    return (yield from _average(request, TokenProbability(token if isinstance(token, Token) else Token(None))))


def _probability_diff(request: Request) -> Asking:
    return (yield from _average(request, Metric("probability_diff")))


MEASURES = (
    Measure(
        MeasureInfo(
            "logit_diff",
            "logits",
            "Logit of the answer less the mean logit of the wrong answers, at END, averaged over prompts.",
            "Wang et al. 2022",
        ),
        _logit_diff,
    ),
    Measure(
        MeasureInfo(
            "accuracy",
            "share",
            "Share of prompts whose top token at END is the answer (a right answer, where there are several).",
            "Merullo et al. 2024",
            options=(("among options", "the top token among the task's options for the prompt, not all tokens"),),
            limits=PROPORTION,
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
        ),
        _probability_diff,
    ),
)

"""Measurements of what the model says at END."""

from __future__ import annotations

from circuitdsl.language.circuit import AGAINST_MAX, Token
from circuitdsl.language.environment import PROPORTION, MeasureInfo, Parameter
from circuitdsl.measures.estimands import Mean, average
from circuitdsl.measures.experiments import MOST_NATS, Reading, TokenProbability
from circuitdsl.measures.figures import AMONG_OPTIONS, figure_of
from circuitdsl.measures.measurement import Asking, Measure, Measurement, Request, sample

AMONG = (AMONG_OPTIONS, "the top token among the task's options for the prompt, not all tokens")


def _average(request: Request, reading: Reading, mean: Mean) -> Asking:
    experiment = request.ask(request.world, reading)
    results = yield [experiment]
    return Measurement((sample(request.data, results[experiment]),), mean)


def _output(request: Request) -> Asking:
    figure = figure_of(request.term)
    return (yield from _average(request, figure.reading, figure.mean))


def _probability(request: Request) -> Asking:
    token = request.argument("token")
    reading = TokenProbability(token if isinstance(token, Token) else Token(None))
    return (yield from _average(request, reading, average(limits=PROPORTION)))


RIGHT = "all right answers together, where there are several"

MEASURES = (
    Measure(
        MeasureInfo(
            "logit_diff",
            "logits",
            "Logit of the answer less the mean logit of the wrong answers, at END, averaged over prompts. Of several "
            "right answers the mean of their logits is taken, as of the wrong ones.",
            "Wang et al. 2022; several answers: Miller et al. 2024; the largest: Garcia-Carrasco et al. 2024",
            options=((AGAINST_MAX, "less the largest of the wrong answers' logits in place of their mean"),),
            output=True,
        ),
        _output,
    ),
    Measure(
        MeasureInfo(
            "accuracy",
            "share",
            "Share of prompts whose top token at END is the answer (a right answer, where there are several).",
            "Merullo et al. 2024",
            options=(AMONG,),
            limits=PROPORTION,
            output=True,
        ),
        _output,
    ),
    Measure(
        MeasureInfo(
            "probability",
            "share",
            f"Softmax probability at END of the token that stands at a position, or of the answer: of {RIGHT}.",
            "Wang et al. 2022; several answers: Hanna et al. 2023",
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
        _output,
    ),
    Measure(
        MeasureInfo(
            "log_prob",
            "nats",
            f"Natural logarithm of the softmax probability at END of the answer: of {RIGHT}. Averaged over prompts; "
            f"with the sign turned it is the mean negative log-likelihood. On a prompt it counts as no lower than "
            f"-{MOST_NATS:g} (a probability of two in 10^9).",
            "Yao et al. 2024 (as match_nll)",
            limits=(-MOST_NATS, 0),
            output=True,
        ),
        _output,
    ),
    Measure(
        MeasureInfo(
            "hit",
            "share",
            "Share of prompts whose answer is among the k most likely tokens at END (Hit@k). The answer's rank is one "
            "more than the number of tokens with a logit as large as its own, or larger, so that a tie counts against "
            "it. Of several right answers the best counts, and the others are left out of the count.",
            "Yao et al. 2024; ranks without other right answers: Bordes et al. 2013",
            parameters=(Parameter("k", "count", "how many of the most likely tokens"),),
            limits=PROPORTION,
            output=True,
        ),
        _output,
    ),
    Measure(
        MeasureInfo(
            "reciprocal_rank",
            "share",
            "One over the answer's rank at END, averaged over prompts (mean reciprocal rank): 100% where it is the "
            "top token, 50% where it is the second. The rank is that of `hit`.",
            "Voorhees 1999",
            limits=PROPORTION,
            output=True,
        ),
        _output,
    ),
)

"""Measurements of single heads on clean prompts: attention, copying, and behaviour on repeated tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from circuitdsl.components import Head
from circuitdsl.language.circuit import FromTo, Nodes, Reads
from circuitdsl.language.environment import PROPORTION, MeasureInfo, Parameter, TaskRef
from circuitdsl.measures.estimands import average, proportion
from circuitdsl.measures.experiments import Attention, Clean, Copying, Data, Experiment, HeadScore
from circuitdsl.measures.measurement import (
    Asking,
    CannotMeasure,
    Estimator,
    Measure,
    Measurement,
    Request,
    sample,
)

Behaviour = Literal["previous_token", "duplicate_token", "induction"]

BEHAVIOURS: tuple[tuple[Behaviour, str], ...] = (
    ("previous_token", "the token before"),
    ("duplicate_token", "the same token's earlier occurrence"),
    ("induction", "the token after the same token's earlier occurrence"),
)

HEADS = Parameter("heads", "heads", "a role, or heads in braces; the figure is the mean over them", only_heads=True)
READS = Parameter("reads", "reads", "the position that is read, or position -> token to be written")


def _mean_over_heads(request: Request, ask: Callable[[Head], Experiment], data: Data, binary: bool = False) -> Asking:
    """The mean over heads of one reading each, with every head's own estimate as a part."""
    heads = heads_of(request)
    experiments = {head: ask(head) for head in heads}
    results = yield list(experiments.values())
    columns = {head: results[experiment] for head, experiment in experiments.items()}
    one = proportion() if binary else average(limits=PROPORTION)
    parts = tuple(
        (str(head), Measurement((sample(data, column),), one)) for head, column in columns.items() if len(heads) > 1
    )
    whole = one if len(heads) == 1 else average(len(heads), PROPORTION)
    return Measurement((sample(data, *columns.values()),), whole, parts=parts)


def heads_of(request: Request) -> tuple[Head, ...]:
    """The heads that a term names, each once. Raises CannotMeasure for components that are no heads."""
    nodes = request.argument("heads")
    assert isinstance(nodes, Nodes)
    heads = tuple(dict.fromkeys(n.component for n in nodes.nodes if isinstance(n.component, Head)))
    if not heads:
        raise CannotMeasure(f"{request.term.measure} is a figure of attention heads and {nodes.label} has none")
    return heads


def _attention(request: Request) -> Asking:
    where = request.argument("where")
    assert isinstance(where, FromTo)
    return (
        yield from _mean_over_heads(
            request, lambda head: request.ask(request.world, Attention(head, where)), request.data
        )
    )


def _copying(negated: bool) -> Estimator:
    def estimate(request: Request) -> Asking:
        reads = request.argument("reads")
        assert isinstance(reads, Reads)
        return (
            yield from _mean_over_heads(
                request,
                lambda head: request.ask(Clean(), Copying(head, reads, negated)),
                request.data,
                binary=True,
            )
        )

    return estimate


def _score(kind: Behaviour) -> Estimator:
    def estimate(request: Request) -> Asking:
        data = Data(TaskRef("induction"), request.method.seed, request.method.bos)
        return (
            yield from _mean_over_heads(request, lambda head: Experiment(data, Clean(), HeadScore(head, kind)), data)
        )

    return estimate


MEASURES = (
    Measure(
        MeasureInfo(
            "attention",
            "share",
            "Mean attention probability from one position to another (a set of positions counts as the sum over it), "
            "averaged over heads and prompts.",
            "Wang et al. 2022",
            parameters=(HEADS, Parameter("where", "attends", "query position -> key position")),
            limits=PROPORTION,
        ),
        _attention,
    ),
    Measure(
        MeasureInfo(
            "copying",
            "share",
            "Share of prompts where the token is among the top 5 logits of the head's OV circuit (through its layer's "
            "first norm, W_V, W_O, the final norm and the unembedding) applied to the residual after the first block.",
            "Wang et al. 2022",
            parameters=(HEADS, READS),
            places=("circuit",),
            limits=PROPORTION,
        ),
        _copying(negated=False),
    ),
    Measure(
        MeasureInfo(
            "anti_copying",
            "share",
            "As copying, for the negated OV circuit: the head pushes down the token that it reads.",
            "Wang et al. 2022",
            parameters=(HEADS, READS),
            places=("circuit",),
            limits=PROPORTION,
        ),
        _copying(negated=True),
    ),
    *(
        Measure(
            MeasureInfo(
                f"{kind}_score",
                "share",
                f"Mean attention to {what}, over the second halves of random sequences of tokens said twice.",
                "transformer_lens.head_detector",
                parameters=(HEADS,),
                places=("circuit",),
                limits=PROPORTION,
            ),
            _score(kind),
        )
        for kind, what in BEHAVIOURS
    ),
)

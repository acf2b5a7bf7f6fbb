"""What an intervention changes: prompts repaired and broken, and attention that changes where heads are important."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from circuitdsl.components import Head, Node, Position
from circuitdsl.language.circuit import FromTo, Method
from circuitdsl.language.environment import PROPORTION, MeasureInfo, Parameter
from circuitdsl.measures.estimands import RankCorrelation, proportion
from circuitdsl.measures.experiments import Attention, Intervened, Patched
from circuitdsl.measures.figures import figure_of
from circuitdsl.measures.heads import HEADS, heads_of
from circuitdsl.measures.measurement import (
    CLEAN,
    Array,
    Asking,
    CannotMeasure,
    Estimator,
    Measure,
    Measurement,
    Request,
    sample,
)
from circuitdsl.measures.outputs import AMONG

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST = 3
"""A rank correlation needs three heads."""


def direct(head: Head, method: Method, under: Intervened | None = None) -> Patched:
    """The world in which a head's way to the logits is patched and no other (see ``effect``)."""
    return Patched(frozenset({Node(head, Position(method.at))}), frozenset(), method.against, strict=False, under=under)


def _change_and_importance(means: Array) -> tuple[Array, Array]:
    heads = means.shape[-1] // 3
    before, after, patched = (means[..., each * heads : (each + 1) * heads] for each in range(3))
    return after - before, abs(patched - means[..., -1:])


CHANGE_BY_IMPORTANCE = RankCorrelation(_change_and_importance)
"""Over heads, from columns [..., 3 heads + 1]: attention before, attention after, the metric with each head's way to
the logits patched, and at last the metric itself."""


def _change_by_importance(request: Request) -> Asking:
    where = request.argument("where")
    assert isinstance(where, FromTo)
    heads = heads_of(request)
    if len(heads) < FEWEST:
        raise CannotMeasure(f"a rank correlation needs {FEWEST} heads, and here are {len(heads)}")
    if not request.method.against:
        raise CannotMeasure("a head's effect takes activations from a counterfactual and the task has none")
    asked = [
        *(request.ask(CLEAN, Attention(head, where)) for head in heads),
        *(request.ask(request.world, Attention(head, where)) for head in heads),
        *(request.ask(direct(head, request.method)) for head in heads),
        request.ask(CLEAN),
    ]
    results = yield asked
    return Measurement((sample(request.data, *(results[e] for e in asked)),), CHANGE_BY_IMPORTANCE)


def _turned(counts: Callable[[Array, Array], NDArray[np.bool_]]) -> Estimator:
    """The share of prompts that ``counts`` marks, from whether they are answered right before and after."""

    def estimate(request: Request) -> Asking:
        accuracy = figure_of(replace(request.term, measure="accuracy")).reading
        before, after = (request.ask(world, accuracy) for world in (CLEAN, request.world))
        results = yield [before, after]
        column = counts(results[before], results[after]).astype(float)
        return Measurement((sample(request.data, column),), proportion())

    return estimate


MEASURES = (
    Measure(
        MeasureInfo(
            "repaired",
            "share",
            "Share of prompts whose top token is the answer under the intervention and is not without it.",
            "Merullo et al. 2024",
            options=(AMONG,),
            places=("intervention",),
            limits=PROPORTION,
            output=True,
        ),
        _turned(lambda before, after: after > before),
    ),
    Measure(
        MeasureInfo(
            "broken",
            "share",
            "Share of prompts whose top token is the answer without the intervention and is not under it.",
            "Merullo et al. 2024",
            options=(AMONG,),
            places=("intervention",),
            limits=PROPORTION,
            output=True,
        ),
        _turned(lambda before, after: after < before),
    ),
    Measure(
        MeasureInfo(
            "change_by_importance",
            "score",
            "Spearman's rank correlation, over heads, between the change of their attention under the intervention and "
            "the size of their effect on the logits without it (`effect(head -> logits)`).",
            "Merullo et al. 2024",
            parameters=(HEADS, Parameter("where", "attends", "query position -> key position")),
            places=("intervention",),
            limits=(-1, 1),
        ),
        _change_by_importance,
    ),
)

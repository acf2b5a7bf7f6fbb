"""The worlds of an intervention: its actions in force, and the same done to random heads in place of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from circuitdsl.actions import Action, ByAblation, ByCleanRun, ByCounterfactual
from circuitdsl.components import Head
from circuitdsl.language.circuit import Circuit, Intervention, Method
from circuitdsl.measures.controls import RANDOM_SETS, exchanged, stand_ins
from circuitdsl.measures.experiments import FromCounterfactual, Intervened, Source
from circuitdsl.measures.measurement import ablation_source


def intervened(actions: tuple[Action, ...], method: Method) -> Intervened:
    """The world in which these actions are in force. Raises CannotMeasure for an ablation without a counterfactual."""
    return Intervened(actions, tuple(_source(action, method) for action in actions))


def random_worlds(intervention: Intervention, circuit: Circuit, count: int = RANDOM_SETS) -> Iterator[Intervened]:
    """The whole intervention with its heads exchanged for random ones of their layers, once for each of ``count`` sets.

    A smaller count takes the first sets of a greater one. Raises CannotMeasure as :func:`intervened` does, and where
    there are no heads to draw from.
    """
    heads = {n.component for action in intervention.actions for n in action.nodes if isinstance(n.component, Head)}
    for each in stand_ins(heads, circuit.geometry, circuit.method.seed, count):
        actions = (replace(action, nodes=tuple(exchanged(action.nodes, each))) for action in intervention.actions)
        yield intervened(tuple(actions), circuit.method)


def _source(action: Action, method: Method) -> Source | None:
    """Where an action's outputs come from; None for one that takes none, or the clean run's own."""
    match action.takes:
        case ByAblation(ablation=ablation):
            return ablation_source(method, ablation or method.ablate)
        case ByCounterfactual(counterfactual=name):
            return FromCounterfactual(name)
        case ByCleanRun() | None:
            return None
        case never:
            assert_never(never)

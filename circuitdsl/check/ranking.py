"""The effects of all heads on a circuit's task, from which an overlap curve is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from circuitdsl.check.bench import Bench
from circuitdsl.compare.curve import Effects
from circuitdsl.components import Head, all_heads
from circuitdsl.language.circuit import Circuit
from circuitdsl.measures.comparisons import Kind
from circuitdsl.measures.experiments import World
from circuitdsl.measures.measurement import Array, CannotMeasure, Failure
from circuitdsl.plan.ranking import Ranking, Stage


def effects(ranking: Ranking, bench: Bench) -> Effects:
    """How much each head's patch or ablation changes the method's metric, on the first prompts of the circuit's task.

    A head that its patch leaves as it is has no effect. Raises CannotMeasure if no head can be measured.
    """
    circuit = ranking.circuit
    if isinstance(ranking.started.first, Failure):
        raise CannotMeasure(ranking.started.first.message)
    results = bench.session.run(ranking.started.first, circuit.method.prompts_first)
    base = results[ranking.clean]
    if isinstance(base, Failure):
        raise CannotMeasure(base.message)
    asked = ranking.asked
    failures = {world: r.message for world, e in asked.items() if isinstance(r := results[e], Failure)}
    if len(failures) == len(asked):
        raise CannotMeasure(next(iter(failures.values()), "the circuit has no edges to take stages from"))

    def change(stage: Stage, head: Head) -> Array:
        reading = results[asked[stage[head]]] if head in stage else base
        return np.zeros(len(base)) if isinstance(reading, Failure) else reading - base

    heads, stages = all_heads(circuit.geometry), ranking.stages
    columns = [np.stack([change(stage, head) for head in heads], axis=-1) for stage in stages.values()]
    notes = tuple(_notes(circuit, ranking.kind, failures))
    return Effects(ranking.request.data, tuple(stages), np.stack(columns, axis=1), notes)


def _notes(circuit: Circuit, kind: Kind, failures: Mapping[World, str]) -> Iterable[str]:
    if kind == "knockout":
        yield "heads are ablated at every position"
    if failures:
        number = len(failures)
        yield (
            f"{number} {'patch' if number == 1 else 'patches'} on {circuit.name}'s task left the model as it is, "
            f"and count as no effect"
        )

"""The effects of all heads on a circuit's task, from which the overlap curve is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from circuitdsl.compare.curve import Effects
from circuitdsl.compare.measures import Kind
from circuitdsl.language.circuit import ALL, Circuit, Head, LogitsReceiver, Node, Path, Position, Receivers, Term
from circuitdsl.measures.experiments import Ablated, Clean, Experiment, Patched, World
from circuitdsl.measures.measurement import Array, CannotMeasure, Request
from circuitdsl.plan.drive import Failure

Run = Callable[[Iterable[Experiment], int], Mapping[Experiment, Array | Failure]]
"""The readings of the first n prompts of experiments, as ``engine.session.Session.run`` gives them."""

Stage = Mapping[Head, World]

_END = Position("END")


def all_heads(circuit: Circuit) -> tuple[Head, ...]:
    """Every head of the circuit's model, in order."""
    shape = circuit.geometry
    return tuple(Head(layer, index) for layer in range(shape.n_layers) for index in range(shape.n_heads))


def effects(circuit: Circuit, kind: Kind, run: Run) -> Effects:
    """How much each head's patch or ablation changes the method's metric, on the first prompts of the circuit's task.

    A head that its patch leaves as it is has no effect. Raises CannotMeasure if no head can be measured.
    """
    request = Request(circuit, circuit.method, Term("effect"))
    stages = _stages(circuit, kind, request)
    clean = request.ask(Clean())
    worlds = dict.fromkeys(world for stage in stages.values() for world in stage.values())
    asked = {world: request.ask(world) for world in worlds}
    results = run([clean, *asked.values()], circuit.method.prompts_first)
    base = results[clean]
    if isinstance(base, Failure):
        raise CannotMeasure(base.message)
    failures = {world: r.message for world, e in asked.items() if isinstance(r := results[e], Failure)}
    if len(failures) == len(asked):
        raise CannotMeasure(next(iter(failures.values()), "the circuit has no edges to take stages from"))

    def change(stage: Stage, head: Head) -> Array:
        reading = results[asked[stage[head]]] if head in stage else base
        return np.zeros(len(base)) if isinstance(reading, Failure) else reading - base

    heads = all_heads(circuit)
    columns = [np.stack([change(stage, head) for head in heads], axis=-1) for stage in stages.values()]
    return Effects(request.data, tuple(stages), np.stack(columns, axis=1), tuple(_notes(circuit, kind, failures)))


def _stages(circuit: Circuit, kind: Kind, request: Request) -> dict[str, Stage]:
    heads = all_heads(circuit)
    if kind == "knockout":
        source = request.source()
        return {"knockout": {head: Ablated(frozenset({Node(head, ALL)}), source) for head in heads}}
    if not circuit.method.against:
        raise CannotMeasure("an effect takes activations from a counterfactual and the task has none")
    receivers = (LogitsReceiver(),) if kind == "direct" else _receivers(circuit)
    return {_label(receiver): _paths(heads, receiver, request) for receiver in receivers}


def _receivers(circuit: Circuit) -> Sequence[Receivers | LogitsReceiver]:
    """What the circuit's edges lead to, each once."""
    paths = (dict(claim.term.arguments)["path"] for claim in circuit.edge_claims())
    return tuple(dict.fromkeys(path.receivers for path in paths if isinstance(path, Path)))


def _paths(heads: Iterable[Head], receiver: Receivers | LogitsReceiver, request: Request) -> Stage:
    """A path patching of each head that comes before the receiver.

    Only what a head writes at the receiver's position arrives there, so that the sender may stand everywhere.
    """
    against = request.method.against
    if isinstance(receiver, LogitsReceiver):
        nothing: frozenset[tuple[Node, str]] = frozenset()
        return {head: Patched(frozenset({Node(head, _END)}), nothing, against, False) for head in heads}
    nodes = request.placed(receiver.nodes)
    inputs = frozenset((node, each) for node in nodes for each in receiver.inputs or ("",))
    deepest = max(_depth(node) for node in nodes)
    return {
        head: Patched(frozenset({Node(head, ALL)}), inputs, against, False) for head in heads if head.layer < deepest
    }


def _depth(node: Node) -> float:
    """The layer whose input a receiver is; an MLP reads what the heads of its own layer write."""
    component = node.component
    layer = getattr(component, "layer", 0)
    return layer if isinstance(component, Head) else layer + 0.5


def _label(receiver: Receivers | LogitsReceiver) -> str:
    if isinstance(receiver, LogitsReceiver) or not receiver.inputs:
        return receiver.label
    return f"{receiver.label}.{receiver.inputs}"


def _notes(circuit: Circuit, kind: Kind, failures: Mapping[World, str]) -> Iterable[str]:
    if kind == "knockout":
        yield "heads are ablated at every position"
    if failures:
        number = len(failures)
        yield (
            f"{number} {'patch' if number == 1 else 'patches'} on {circuit.name}'s task left the model as it is, "
            f"and count as no effect"
        )

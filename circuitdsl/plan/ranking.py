"""The job of a ranking, of which an overlap curve is made: every head patched or ablated on a circuit's task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from circuitdsl.components import ALL, Head, Node, Position, all_heads
from circuitdsl.language.circuit import Circuit, LogitsReceiver, Path, Receivers, Term
from circuitdsl.measures.comparisons import Kind
from circuitdsl.measures.experiments import Ablated, Experiment, Patched, World
from circuitdsl.measures.measurement import CLEAN, CannotMeasure, Request
from circuitdsl.plan.job import Started, reading_job

Stage = Mapping[Head, World]


@dataclass(frozen=True)
class Ranking:
    """What patching or ablating each head asks for; ``started`` holds all of it, or why it cannot be asked."""

    circuit: Circuit
    kind: Kind

    @cached_property
    def started(self) -> Started:
        key = (self.circuit.name, "ranking", self.kind)
        return Started(reading_job(key, "ranking", self.circuit, self._asked, f"all heads by {self.kind}"))

    @property
    def request(self) -> Request:
        return Request(self.circuit, self.circuit.method, Term("effect"))

    @property
    def clean(self) -> Experiment:
        return self.request.ask(CLEAN)

    @cached_property
    def stages(self) -> Mapping[str, Stage]:
        """Each head's world, by stage. Raises CannotMeasure."""
        circuit, heads = self.circuit, all_heads(self.circuit.geometry)
        if self.kind == "knockout":
            source = self.request.source()
            return {"knockout": {head: Ablated(frozenset({Node(head, ALL)}), source) for head in heads}}
        if not circuit.method.against:
            raise CannotMeasure("an effect takes activations from a counterfactual and the task has none")
        receivers = (LogitsReceiver(),) if self.kind == "direct" else _receivers(circuit)
        return {str(receiver): _paths(heads, receiver, self.request) for receiver in receivers}

    @cached_property
    def asked(self) -> Mapping[World, Experiment]:
        """The experiment of each world, once. Raises CannotMeasure."""
        worlds = dict.fromkeys(world for stage in self.stages.values() for world in stage.values())
        return {world: self.request.ask(world) for world in worlds}

    def _asked(self) -> Iterable[Experiment]:
        return (self.clean, *self.asked.values())


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
        read = Position(request.method.at)
        return {head: Patched(frozenset({Node(head, read)}), nothing, against, False) for head in heads}
    inputs = frozenset((place, each) for node, each in receiver.reads() for place in request.placed([node]))
    last = max(node.component.reads(parallel=False) or 0 for node, _ in inputs)
    return {head: Patched(frozenset({Node(head, ALL)}), inputs, against, False) for head in heads if head.writes < last}

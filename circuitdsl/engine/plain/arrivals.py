"""Where stated edges arrive, how many copies of the prompts a run of them alone takes, and how many passes a path into
several receivers. No torch: costs use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from circuitdsl.components import ALL, Component, Geometry, Head, Mlp, Node, OfDictionary, Position, can_carry
from circuitdsl.engine import hook_names
from circuitdsl.engine.named import components
from circuitdsl.measures.experiments import NodeEdge, Patched

Arriving = frozenset[tuple[Node, Position]]
"""What arrives at one input: senders, each with the position at which the input is read."""

NOTHING: Arriving = frozenset()

COUNTERFACTUAL, CLEAN, FIRST = 0, 1, 2
"""Copies of the prompts in a run: counterfactuals as they are, prompts as they are, the first that is edited."""


@dataclass(frozen=True)
class Arrivals:
    """What arrives at the logits, and at every input of a component, ("q" of a head, "" of an MLP), that edges lead to.

    ``parallel``: the MLPs of the model read the same stream as the heads of their layer. ``places``: at which positions
    those stand that read all tokens up to their own, features of what heads write.
    """

    inputs: Mapping[tuple[Component, str], Arriving]
    logits: Arriving
    parallel: bool
    places: Mapping[Component, frozenset[Position]] = field(default_factory=dict[Component, frozenset[Position]])

    @classmethod
    def of(cls, edges: Iterable[NodeEdge], parallel: bool = False) -> Arrivals:
        """An edge against the order of computation carries nothing."""
        logits: set[tuple[Node, Position]] = set()
        inputs: dict[tuple[Component, str], set[tuple[Node, Position]]] = {}
        places: dict[Component, frozenset[Position]] = {}
        for edge in edges:
            receiver = edge.receiver
            if receiver is None:
                logits.add((edge.sender, ALL))  # they are read at one token, so that it need not be said here
            elif can_carry(edge.sender.component, receiver.component, parallel):
                component, read = receiver.component, receiver.position
                if isinstance(component, OfDictionary) and component.looks_back:
                    places[component] = places.get(component, frozenset()) | {read}
                    read = ALL
                inputs.setdefault((component, edge.input), set()).add((edge.sender, read))
        return cls({key: frozenset(some) for key, some in inputs.items()}, frozenset(logits), parallel, places)

    def at(self, component: Component, which: str) -> Arriving:
        return self.inputs.get((component, which), NOTHING)

    def heads(self, layer: int) -> tuple[Head, ...]:
        """The heads of a layer that edges lead to, in order."""
        return tuple(sorted({each for each, _ in self.inputs if isinstance(each, Head) and each.layer == layer}))

    def parts(self, layer: int, point: str) -> tuple[OfDictionary, ...]:
        """The features and errors at a layer's ``attn_out`` or ``mlp_out`` that edges lead to, in order."""
        found = {each for each, _ in self.inputs if isinstance(each, OfDictionary) and each.layer == layer}
        return tuple(sorted((each for each in found if each.dictionary.point == point), key=str))

    def at_start(self, layer: int) -> tuple[Arriving, ...]:
        """The different sets that arrive where a layer begins: at its heads, and in parallel models at its MLP."""
        found = [self.at(head, which) for head in self.heads(layer) for which in head.inputs]
        if self.parallel:
            found += self._at_mlp(layer)
        return _different(found)

    def through_heads(self, layer: int) -> tuple[Arriving, ...]:
        """The different sets that all heads of a layer read, for features of what they write together."""
        return _different(self.at(part, "") for part in self.parts(layer, "attn_out"))

    def within(self, layer: int) -> tuple[Arriving, ...]:
        """The different sets that a layer's MLP reads, for itself and for features of what it writes; none in parallel
        models, where they arrive where the layer begins."""
        return () if self.parallel else _different(self._at_mlp(layer))

    def _at_mlp(self, layer: int) -> list[Arriving]:
        return [self.at(each, "") for each in (Mlp(layer), *self.parts(layer, "mlp_out"))]

    def turns(self, layer: int, geometry: Geometry) -> tuple[tuple[Head, ...], ...]:
        """The receiving heads of a layer in turns: of heads that share keys and values one at a time."""
        turns: dict[int, list[Head]] = {}
        for _, some in groupby(self.heads(layer), key=lambda head: head.column("k", geometry)):
            for turn, head in enumerate(some):
                turns.setdefault(turn, []).append(head)
        return tuple(map(tuple, turns.values()))

    @property
    def copies(self) -> int:
        """How many copies of the prompts stand side by side where no heads share keys and values."""
        layers = {component.layer for component, _ in self.inputs}
        begun = (len(self.at_start(layer)) + len(self.through_heads(layer)) for layer in layers)
        return FIRST + max([1, *begun, *(len(self.within(layer)) for layer in layers)])


def _different(arriving: Iterable[Arriving]) -> tuple[Arriving, ...]:
    return tuple(dict.fromkeys(each for each in arriving if each))


def frozen_in(world: Patched, geometry: Geometry) -> tuple[str, ...]:
    """What is frozen in the first of the two runs of a path: heads; in strict mode MLPs too, beside the norms' scales.

    An MLP of which neurons send is frozen at these, before they are added up. A transcoder that sends, or that
    the intervention edits, is frozen at what it reads, for it changes a part of the frozen output.
    """
    heads = hook_names.all_heads(geometry)
    if not world.strict:
        return heads
    sending = [node.component for node in world.senders]
    inside = hook_names.neurons_of(sending)
    mlps = (inside.get(name, name) for name in hook_names.all_mlp_outputs(geometry))
    edited = [*sending, *(components(world.under) if world.under else ())]
    dictionaries = {each.dictionary for each in edited if isinstance(each, OfDictionary)}
    return (*heads, *mlps, *(each.read_as for each in sorted(dictionaries) if each.transcoder))


class Travel(NamedTuple):
    """A run in which what ``senders`` send travels, while what passes the hook points ``held`` is frozen."""

    held: tuple[str, ...]
    senders: frozenset[Node]


def travels(world: Patched, frozen: Sequence[str]) -> Mapping[Travel, frozenset[tuple[Node, str]]]:
    """The receivers of a path by the run in which something travels to them.

    All of ``frozen`` is frozen but the point at which they receive it (neurons are frozen where others of their MLP
    send), and for features and errors but what is added up where they stand and what they are computed from, which
    brings it to them. What receives where it is written itself, as a neuron does, sends nothing in the run that tells
    what it receives: it would be found to receive what it sends. Without receivers there is one run.
    """
    found: dict[Travel, set[tuple[Node, str]]] = {}
    for receiver in world.receivers:
        component = receiver[0].component
        point = component.receives(receiver[1])
        open_to = {point}
        if isinstance(component, OfDictionary):
            open_to |= {*component.added_up, component.dictionary.read_as}
        itself = {each for each in world.senders if each.component == component and component.output == point}
        held = tuple(name for name in frozen if name not in open_to)
        found.setdefault(Travel(held, world.senders - itself), set()).add(receiver)
    every = Travel(tuple(frozen), world.senders)
    return {travel: frozenset(some) for travel, some in found.items()} or {every: frozenset()}

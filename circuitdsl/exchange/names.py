"""The names that a tool gives to the nodes of a model, both ways, and edges read by these names.

A tool's naming is a table for one model: every sender and every input by name. What is not in the table is not in the
model, so that unknown names need no rules of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NoReturn, cast

from circuitdsl.components import (
    ALL,
    Absent,
    Component,
    Embed,
    Geometry,
    Head,
    Mlp,
    Node,
    Numbers,
    all_heads,
    can_carry,
)
from circuitdsl.exchange.fields import Field
from circuitdsl.exchange.graph import GraphEdge, Which
from circuitdsl.language.diagnostics import nearest

ARROW = "->"

Reading = tuple[Component | None, Which]
"""An input: of which component (None for the logits), and which of its inputs."""

LOGITS: Reading = (None, "")


@dataclass(frozen=True)
class Names:
    """The names of a model's senders and inputs. ``tool`` is whose they are, ``geometry`` that of the model."""

    tool: str
    geometry: Geometry
    senders: Mapping[str, Component]
    receivers: Mapping[str, Reading]
    aliases: Mapping[str, Component] = field(default_factory=dict[str, Component])
    """Further names of senders, which are read and not written."""

    @cached_property
    def of_sender(self) -> Mapping[Component, str]:
        return {component: name for name, component in self.senders.items()}

    @cached_property
    def of_receiver(self) -> Mapping[Reading, str]:
        return {reading: name for name, reading in self.receivers.items()}

    # --- reading ---------------------------------------------------------------------------------

    def sender(self, name: str, place: Field) -> Component:
        """The sender of that name. Raises InputError."""
        found = self.senders.get(name) or self.aliases.get(name)
        return found if found is not None else self._unknown(name, "node that sends", self.senders, place)

    def receiver(self, name: str, place: Field) -> Reading:
        """The input of that name. Raises InputError."""
        found = self.receivers.get(name)
        return found if found is not None else self._unknown(name, "node that receives", self.receivers, place)

    def _unknown(self, name: str, what: str, known: Mapping[str, object], place: Field) -> NoReturn:
        near = nearest(name, known)
        first, *_, last = known
        meant = f"did you mean `{near}`? " if near else ""
        model = self.geometry.model
        place.wrong(
            f"{model} has no {what} called `{name[:80]}` among {self.tool}'s names",
            f"{meant}its names go from `{first}` to `{last}`: name the model that the file is of",
        )

    def ends(self, name: str, place: Field) -> tuple[Component, Reading]:
        """The two ends of ``sender->receiver``. Raises InputError, also where nothing can flow."""
        left, arrow, right = name.partition(ARROW)
        if not arrow:
            place.wrong(f"`{name[:80]}` is no edge", f"write `sender{ARROW}receiver`")
        sender, reading = self.sender(left.strip(), place), self.receiver(right.strip(), place)
        self.need_flow(sender, reading, place)
        return sender, reading

    def need_flow(self, sender: Component, reading: Reading, place: Field) -> None:
        """Raise InputError where nothing flows from ``sender`` to the input."""
        receiver, _ = reading
        if receiver is not None and not can_carry(sender, receiver, self.geometry.parallel_attn_mlp):
            place.wrong(
                f"nothing can flow from {sender} to {receiver} in {self.geometry.model}",
                "check which model the file is of, and which way the edge goes",
            )

    # --- all edges -------------------------------------------------------------------------------

    def edges(self) -> Iterator[tuple[Component, Reading]]:
        """Every edge of the model under these names, by receivers and then by senders, both in the table's order."""
        parallel = self.geometry.parallel_attn_mlp
        for reading in self.receivers.values():
            for sender in self.senders.values():
                if reading[0] is None or can_carry(sender, reading[0], parallel):
                    yield sender, reading

    def edge_name(self, sender: Component, reading: Reading) -> str:
        return f"{self.of_sender[sender]}{ARROW}{self.of_receiver[reading]}"


def edge_between(sender: Component, reading: Reading, included: bool = True, score: float | None = None) -> GraphEdge:
    """A direct edge at all positions."""
    receiver, which = reading
    return GraphEdge(Node(sender, ALL), None if receiver is None else Node(receiver, ALL), which, included, score)


def reading_of(edge: GraphEdge) -> Reading:
    return (None if edge.receiver is None else edge.receiver.component), edge.which


def once(found: Iterable[tuple[GraphEdge, Field]]) -> tuple[GraphEdge, ...]:
    """Edges that were read, each with its place. Raises InputError where one stands a second time."""
    edges: dict[object, GraphEdge] = {}
    for edge, place in found:
        if edge.ends in edges:
            place.wrong(f"the edge {edge} stands here a second time", "leave it out")
        edges[edge.ends] = edge
    return tuple(edges.values())


def components(geometry: Geometry, start: Iterable[Component] = (Embed(),)) -> Iterator[Component]:
    """All that writes to the residual stream, in order: ``start``, then each layer's heads and its MLP.

    >>> geometry = Geometry("toy", 1, 2, 2, 64, 16, 256, 100, 32)
    >>> [str(component) for component in components(geometry)]
    ['embed', '0.0', '0.1', 'mlp 0']
    """
    yield from start
    mlps = [Mlp(layer) for layer in range(geometry.n_layers)] if geometry.d_mlp else []
    heads = all_heads(geometry)
    for layer in range(geometry.n_layers):
        yield from (head for head in heads if head.layer == layer)
        yield from mlps[layer : layer + 1]


# --- components by their numbers ---------------------------------------------------------------------


def head_at(place: Field, geometry: Geometry) -> Head:
    """The head of ``[layer, head]``. Raises InputError."""
    numbers = [each.whole() for each in place.elements()]
    if len(numbers) != 2:
        place.wrong(f"a head has two numbers, and here are {len(numbers)}", "write [layer, head]")
    return head_of(numbers[0], numbers[1], place, geometry)


def head_of(layer: int, index: int, place: Field, geometry: Geometry) -> Head:
    """A head of the model. Raises InputError."""
    return cast(Head, _member(Head, (layer, index), place, geometry))


def mlp_at(place: Field, geometry: Geometry) -> Mlp:
    """The MLP of a layer. Raises InputError."""
    return mlp_of(place.whole(), place, geometry)


def mlp_of(layer: int, place: Field, geometry: Geometry) -> Mlp:
    """The MLP of a layer. Raises InputError."""
    return cast(Mlp, _member(Mlp, (layer, None), place, geometry))


def _member(kind: type[Component], numbers: Numbers, place: Field, geometry: Geometry) -> Component:
    try:
        return kind.members(numbers, geometry)[0]
    except Absent as absent:
        place.wrong(str(absent), absent.remedy)

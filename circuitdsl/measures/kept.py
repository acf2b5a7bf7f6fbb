"""How a circuit is kept while all else is taken away: by its nodes, or by its edges.

By nodes, the outputs of everything outside are replaced as the method ablates (Wang et al. 2022). By edges, everything
outside is what it is on the prompt's own counterfactual (Miller et al. 2024; Mueller et al. 2025).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from circuitdsl.components import (
    ALL,
    Component,
    Geometry,
    Head,
    Mlp,
    Neuron,
    Node,
    OfDictionary,
    Residual,
    all_heads,
)
from circuitdsl.errors import listed
from circuitdsl.language.circuit import Path, Receivers
from circuitdsl.measures.controls import random_edges, random_nodes
from circuitdsl.measures.experiments import (
    Ablated,
    ByFeatures,
    Corrupted,
    EdgesKept,
    FromCounterfactual,
    Isolated,
    NodeEdge,
    World,
)
from circuitdsl.measures.measurement import CLEAN, CannotMeasure, Request

NAMED = 8
"""How many nodes a note names."""

EDGES = "edges"
"""The option of measurements of a circuit that judges it as edges."""


class Kept(Protocol):
    """The worlds of a circuit. ``note`` says what a report should say of it."""

    @property
    def note(self) -> str: ...

    def circuit(self, without: Iterable[Node] = ()) -> World:
        """The circuit alone, C, or C \\ K without some of its nodes."""
        ...

    def nothing(self) -> World:
        """Nothing is kept."""
        ...

    def model(self, without: Iterable[Node] = ()) -> World:
        """The whole model, M, or M \\ K."""
        ...

    def randoms(self) -> tuple[World, ...]:
        """Random circuits like this one. Raises CannotMeasure where there are none."""
        ...


def kept(request: Request) -> Kept:
    """The circuit as its edges if the term says so, or if it is made of edges alone; else as its nodes."""
    as_edges = EDGES in request.term.options or request.circuit.of_edges
    return EdgesOf(request) if as_edges else NodesOf(request)


@dataclass(frozen=True)
class NodesOf:
    """MLPs are ablated only when the circuit names some (Wang et al.); of features, see :func:`by_features`."""

    request: Request
    note = ""

    def circuit(self, without: Iterable[Node] = ()) -> World:
        return self._alone(frozenset(self.request.circuit.nodes) - frozenset(without))

    def nothing(self) -> World:
        return self._alone(())

    def model(self, without: Iterable[Node] = ()) -> World:
        removed = self.request.placed(without)
        return Ablated(removed, self.request.source()) if removed else CLEAN

    def randoms(self) -> tuple[World, ...]:
        circuit = self.request.circuit
        sets = random_nodes(circuit.nodes, circuit.geometry, self.request.method.seed)
        return tuple(map(self._alone, sets))

    def only(self, nodes: Iterable[Node]) -> Isolated:
        """These nodes alone are kept, with the embeddings, of all that is ablated for this circuit.

        Raises CannotMeasure for one that is never ablated for it: it is there whether it is named or not.
        """
        world = self._alone(nodes := tuple(nodes))
        for component in (node.component for node in nodes):
            _refuse_stream(component)
            if component.claims_to_matter and not _is_ablated(component, world):
                raise CannotMeasure(
                    f"{component} is never ablated outside this circuit, which lists nothing of its kind, so that to "
                    "keep it changes nothing: name only what would be ablated, or list it in a role"
                )
        return world

    def _alone(self, nodes: Iterable[Node]) -> Isolated:
        listed = [node.component for node in self.request.circuit.nodes]
        for component in listed:
            _refuse_stream(component)
        names_mlps = any(isinstance(component, Mlp | Neuron) for component in listed)
        features = by_features(listed, self.request.circuit.geometry, self.request.method.errors == "ablated")
        return Isolated(self.request.placed(nodes), self.request.source(), names_mlps, features)


def _refuse_stream(component: Component) -> None:
    if isinstance(component, Residual):
        raise CannotMeasure(
            f"{component} is all that was written before its layer, so that no circuit can be kept by it: name it "
            "in claims and interventions, and list heads, MLPs or neurons in roles"
        )


def _is_ablated(component: Component, world: Isolated) -> bool:
    """Whether a world ablates a head, MLP, neuron or part of a dictionary that it does not keep."""
    if isinstance(component, OfDictionary):
        return world.features is not None and component.dictionary in world.features.dictionaries
    point = component.mlp if isinstance(component, Neuron) else component.output
    there = isinstance(component, Head) or (world.mlps and isinstance(component, Mlp | Neuron))
    return there and (world.features is None or point not in world.features.whole)


def by_features(listed: Iterable[Component], geometry: Geometry, errors: bool) -> ByFeatures | None:
    """How a circuit is kept that lists parts of dictionaries; None for one that lists none.

    Heads are replaced only if it lists some, as MLPs are. Of a layer whose output features make up (those of a
    dictionary at attn_out or at mlp_out), heads or the MLP are replaced by themselves only if it lists one of them.
    """
    listed = tuple(listed)
    dictionaries = frozenset(each.dictionary for each in listed if isinstance(each, OfDictionary))
    if not dictionaries:
        return None
    lists_heads = any(isinstance(each, Head) for each in listed)
    heads = frozenset(head.output for head in all_heads(geometry) if not lists_heads)
    named = {each.output for each in listed} | {each.mlp for each in listed if isinstance(each, Neuron)}
    made_up = frozenset(dictionary.summed for dictionary in dictionaries if dictionary.summed) - named
    return ByFeatures(dictionaries, errors, heads | made_up)


@dataclass(frozen=True)
class EdgesOf:
    """A node is taken out of the circuit with the edges that it sends along, of the model by its counterfactual output.

    Raises CannotMeasure where the task has no counterfactual.
    """

    request: Request

    def circuit(self, without: Iterable[Node] = ()) -> World:
        removed = frozenset(without)
        return self._kept(edge for edge in self.edges if not _is_among(edge.sender, removed))

    def nothing(self) -> World:
        return Corrupted(self._counterfactual)

    def model(self, without: Iterable[Node] = ()) -> World:
        removed = self.request.placed(without)
        return Ablated(removed, FromCounterfactual(self._counterfactual)) if removed else CLEAN

    def randoms(self) -> tuple[World, ...]:
        sets = random_edges(self.edges, self.request.circuit.geometry, self.request.method.seed)
        return tuple(map(self._kept, sets))

    @cached_property
    def edges(self) -> frozenset[NodeEdge]:
        """The stated edges between single nodes."""
        return frozenset(edge for path in self.request.circuit.paths() for edge in edges_of(path))

    @property
    def note(self) -> str:
        """That it is judged as edges; which senders no edge leads into; and whether anything gets to the logits."""
        import networkx as nx  # here, since few circuits are judged so

        flow: nx.DiGraph[object] = nx.DiGraph()
        flow.add_edges_from((edge.sender.component, _end(edge)) for edge in self.edges)
        senders = {edge.sender.component for edge in self.edges}
        starts = {sender for sender in senders if not sender.claims_to_matter}
        idle = {sender for sender in senders - starts if not flow.in_degree(sender)}
        said = "judged as edges: all else takes its output on the prompt's own counterfactual"
        if idle:
            said += f", the senders without an edge into them too ({listed(map(str, sorted(idle, key=_order)), NAMED)})"
        if not any(LOGITS in flow and nx.has_path(flow, start, LOGITS) for start in starts):
            said += "; no stated edges lead from `embed` to the logits, so that nothing of the prompt gets there"
        return said

    def _kept(self, edges: Iterable[NodeEdge]) -> EdgesKept:
        return EdgesKept(frozenset(each for edge in edges for each in self._placed(edge)), self._counterfactual)

    def _placed(self, edge: NodeEdge) -> Iterator[NodeEdge]:
        """The edge where the method patches: at its own positions, or at all."""
        (sender,) = self.request.placed([edge.sender])
        receivers = [None] if edge.receiver is None else self.request.placed([edge.receiver])
        for receiver in receivers:
            yield NodeEdge(sender, receiver, edge.input)

    @property
    def _counterfactual(self) -> str:
        against = self.request.method.against
        if not against:
            raise CannotMeasure("all that no edge leads to takes its output on a counterfactual and the task has none")
        return against


LOGITS = "logits"


def _end(edge: NodeEdge) -> object:
    return LOGITS if edge.receiver is None else edge.receiver.component


def _order(component: Component) -> tuple[int, str]:
    return component.layer, str(component)


def _is_among(node: Node, removed: frozenset[Node]) -> bool:
    return node in removed or Node(node.component, ALL) in removed


def edges_of(path: Path) -> Iterator[NodeEdge]:
    """A path between groups as edges between single nodes."""
    read = path.receivers.reads() if isinstance(path.receivers, Receivers) else ((None, ""),)
    for sender in path.senders.nodes:
        for receiver, which in read:
            yield NodeEdge(sender, receiver, which)

"""Two circuits side by side: which heads, nodes, roles and edges they share.

Nothing is measured here: these are estimates about two descriptions. ``of_smaller`` is the overlap coefficient,
the share of the smaller set that the other has too; it is the estimate that Merullo et al. 2024 quote (78%).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from circuitdsl.compare.chance import Chance, chance, chance_of_nodes
from circuitdsl.compare.dictionaries import named_alike
from circuitdsl.compare.edges import Direction, Edge, head_edges, opposed
from circuitdsl.compare.graph import Graph, overlay
from circuitdsl.compare.matching import Match, Rule, match_roles
from circuitdsl.compare.overlap import Overlap, overlap
from circuitdsl.components import Head, Position
from circuitdsl.language.circuit import Circuit


@dataclass(frozen=True)
class RolePair:
    """A role of one circuit and its counterpart in the other; None where it has none. ``heads`` are compared."""

    left: str | None
    right: str | None
    rule: Rule | None
    heads: Overlap
    chance: Chance | None

    def to_dict(self) -> dict[str, object]:
        return {
            "left": self.left,
            "right": self.right,
            "rule": self.rule,
            **self.heads.to_dict(),
            **_chance_dict(self.chance, self.heads),
        }


@dataclass(frozen=True)
class Moved:
    """A head that both circuits have, in roles that are not each other's counterparts."""

    head: str
    left: tuple[str, ...]
    right: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        return {"head": self.head, "left": list(self.left), "right": list(self.right)}


@dataclass(frozen=True)
class Structure:
    """How far two circuits are the same description; ``to_dict`` is the contract's "comparisons" entry."""

    left: str
    right: str
    heads: Overlap
    heads_chance: Chance | None
    nodes: Overlap
    nodes_chance: Chance | None
    roles: tuple[RolePair, ...]
    graph: Graph
    head_edges: Overlap
    moved: tuple[Moved, ...]
    notes: tuple[str, ...]

    @property
    def edges(self) -> Overlap:
        """The edges between roles, as each circuit spells them."""
        return self.graph.edges

    @property
    def matched_roles(self) -> Overlap:
        """Roles with a counterpart are shared, under the left circuit's name."""
        return Overlap(
            shared=tuple(pair.left for pair in self.roles if pair.left is not None and pair.right is not None),
            left_only=tuple(pair.left for pair in self.roles if pair.left is not None and pair.right is None),
            right_only=tuple(pair.right for pair in self.roles if pair.left is None and pair.right is not None),
        )

    def to_dict(self) -> dict[str, object]:
        return {
            "left": self.left,
            "right": self.right,
            "heads": {**self.heads.to_dict(), **_chance_dict(self.heads_chance, self.heads)},
            "nodes": {**self.nodes.to_dict(), **_chance_dict(self.nodes_chance, self.nodes)},
            "roles": [pair.to_dict() for pair in self.roles],
            "edges": {**self.edges.to_dict(), "heads": self.head_edges.to_dict()},
            "graph": self.graph.to_dict(),
            "moved": [moved.to_dict() for moved in self.moved],
            "notes": list(self.notes),
        }


def compare(left: Circuit, right: Circuit, align: Sequence[tuple[str, str]] = ()) -> Structure:
    """Compare two circuits; ``align`` names roles that are each other's counterparts, (left, right)."""
    right = named_alike(left, right)
    pairs = match_roles(left.roles, right.roles, align)
    same_shape = shape_of(left) == shape_of(right)
    heads = overlap(map(str, left.heads), map(str, right.heads))
    nodes = overlap(map(str, left.nodes), map(str, right.nodes))
    nodes_chance = _chance_of_nodes(left, right) if same_shape else None
    return Structure(
        left=left.name,
        right=right.name,
        heads=heads,
        heads_chance=chance_of_heads(left.heads, right.heads, left) if same_shape else None,
        nodes=nodes,
        nodes_chance=nodes_chance,
        roles=tuple(_role_pair(left, right, pair, same_shape) for pair in pairs),
        graph=overlay(left, right, pairs),
        head_edges=same_edges(head_edges(left), head_edges(right)),
        moved=tuple(_moved(left, right, pairs)),
        notes=(*notes_on(left, right), *_drawn_note(nodes_chance)),
    )


def same_edges(left: Mapping[Edge, Direction], right: Mapping[Edge, Direction]) -> Overlap:
    """An edge of which the two circuits say the opposite is each one's own."""
    shared = {edge for edge in left if edge in right and not opposed(left[edge], right[edge])}
    return Overlap(
        shared=tuple(str(edge) for edge in left if edge in shared),
        left_only=tuple(str(edge) for edge in left if edge not in shared),
        right_only=tuple(str(edge) for edge in right if edge not in shared),
    )


# --- roles -----------------------------------------------------------------------------------------


def _role_pair(left: Circuit, right: Circuit, match: Match, same_shape: bool) -> RolePair:
    ours, theirs, rule = match
    our_heads = left.role(ours).heads if ours is not None else ()
    their_heads = right.role(theirs).heads if theirs is not None else ()
    both = ours is not None and theirs is not None
    return RolePair(
        left=ours,
        right=theirs,
        rule=rule,
        heads=overlap(map(str, sorted(set(our_heads))), map(str, sorted(set(their_heads)))),
        chance=chance_of_heads(our_heads, their_heads, left) if both and same_shape else None,
    )


def compare_roles(left: Circuit, right: Circuit, pair: tuple[str, str]) -> RolePair:
    """One role of each circuit, whether or not they are counterparts; KeyError if there is no such role."""
    return _role_pair(left, right, Match(*pair, None), shape_of(left) == shape_of(right))


def _moved(left: Circuit, right: Circuit, pairs: Iterable[Match]) -> Iterator[Moved]:
    counterpart = {ours: theirs for ours, theirs, _ in pairs if ours is not None}
    for head in sorted(set(left.heads) & set(right.heads)):
        ours = tuple(role.name for role in left.roles if head in role.heads)
        theirs = tuple(role.name for role in right.roles if head in role.heads)
        if {counterpart[name] for name in ours} != set(theirs):
            yield Moved(str(head), ours, theirs)


# --- shared pieces ---------------------------------------------------------------------------------


def shape_of(circuit: Circuit) -> tuple[int, int]:
    """The numbers of layers and of heads in each: chance is defined for circuits that have the same."""
    return circuit.geometry.n_layers, circuit.geometry.n_heads


def chance_of_heads(left: Iterable[Head], right: Iterable[Head], circuit: Circuit) -> Chance:
    """What chance would give of these heads, in a model of the shape of the circuit's."""
    ours, theirs = set(left), set(right)
    return chance(
        Counter(head.layer for head in ours),
        Counter(head.layer for head in theirs),
        population=circuit.geometry.n_heads,
        observed=len(ours & theirs),
    )


def _chance_of_nodes(left: Circuit, right: Circuit) -> Chance | None:
    """Chance of heads that keep their positions; None if a circuit has nodes that are not heads."""
    if not all(isinstance(node.component, Head) for node in left.nodes + right.nodes):
        return None
    shared = len(set(left.nodes) & set(right.nodes))
    return chance_of_nodes(_placed(left), _placed(right), left.geometry.n_heads, shared)


def _placed(circuit: Circuit) -> Mapping[int, Sequence[frozenset[Position]]]:
    """By layer, the positions of each head that a circuit has there."""
    positions: defaultdict[Head, set[Position]] = defaultdict(set)
    for node in circuit.nodes:
        if isinstance(node.component, Head):
            positions[node.component].add(node.position)
    layers: defaultdict[int, list[frozenset[Position]]] = defaultdict(list)
    for head, found in positions.items():
        layers[head.layer].append(frozenset(found))
    return layers


def chance_share(chance: Chance | None, overlap: Overlap) -> float | None:
    """The expected share of the smaller set, to be read beside ``of_smaller``; None where it is undefined."""
    smaller = min(overlap.left, overlap.right)
    return chance.expected / smaller if chance is not None and smaller else None


def _chance_dict(chance: Chance | None, overlap: Overlap) -> dict[str, object]:
    return {
        "chance": chance_share(chance, overlap),
        "expected": chance.expected if chance is not None else None,
        "p_value": chance.p_value if chance is not None else None,
        "p_fewer": chance.p_fewer if chance is not None else None,
    }


def notes_on(left: Circuit, right: Circuit) -> Iterator[str]:
    """What to know of a comparison of these two."""
    for circuit in (left, right):
        if not circuit.heads:
            yield f"{circuit.name} names no heads: shares of it are undefined"
    if shape_of(left) != shape_of(right):
        ours, theirs = left.geometry, right.geometry
        yield (
            f"{ours.model} has {ours.n_layers} layers of {ours.n_heads} heads and {theirs.model} "
            f"{theirs.n_layers} of {theirs.n_heads}: chance is undefined, and equal head numbers mean little"
        )
    elif left.model != right.model:
        yield (f"{left.model} and {right.model} are different models: the same head number need not be the same head")


def _drawn_note(nodes_chance: Chance | None) -> Iterator[str]:
    if nodes_chance is not None and nodes_chance.draws:
        draws = nodes_chance.draws
        yield (
            f"chance of nodes comes from {draws} placements that were drawn, as there are too many to count: "
            f"p = (1 + those as extreme) / {1 + draws}"
        )

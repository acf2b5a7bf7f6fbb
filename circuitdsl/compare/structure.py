"""Two circuits side by side: which heads, nodes, roles and edges they share.

Nothing is measured here: these are figures about two descriptions. ``of_smaller`` is the overlap coefficient,
the share of the smaller set that the other has too; it is the figure that Merullo et al. 2024 quote (78%).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from circuitdsl.compare.chance import Chance, chance
from circuitdsl.compare.edges import Edge, head_edges, role_edges
from circuitdsl.language.circuit import Circuit, Head, Position, Role

Rule = Literal["align", "name", "heads"]
"""Why two roles are taken for one: an ``align`` line, the same name, or the most heads in common."""


@dataclass(frozen=True)
class Overlap:
    """Two sets side by side, spelled as a specification spells their elements. None stands for 0 / 0."""

    shared: tuple[str, ...]
    left_only: tuple[str, ...]
    right_only: tuple[str, ...]

    @property
    def left(self) -> int:
        """How many elements the left circuit has."""
        return len(self.shared) + len(self.left_only)

    @property
    def right(self) -> int:
        """How many elements the right circuit has."""
        return len(self.shared) + len(self.right_only)

    @property
    def jaccard(self) -> float | None:
        """Shared over all: |A and B| / |A or B|."""
        return self._share(len(self.shared) + len(self.left_only) + len(self.right_only))

    @property
    def of_smaller(self) -> float | None:
        """Shared over the smaller: |A and B| / min(|A|, |B|), the overlap coefficient."""
        return self._share(min(self.left, self.right))

    @property
    def of_left(self) -> float | None:
        return self._share(self.left)

    @property
    def of_right(self) -> float | None:
        return self._share(self.right)

    def _share(self, total: int) -> float | None:
        return len(self.shared) / total if total else None

    def to_dict(self) -> dict[str, object]:
        return {
            "shared": list(self.shared),
            "left_only": list(self.left_only),
            "right_only": list(self.right_only),
            "jaccard": self.jaccard,
            "of_smaller": self.of_smaller,
            "of_left": self.of_left,
            "of_right": self.of_right,
        }


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
    edges: Overlap
    head_edges: Overlap
    moved: tuple[Moved, ...]
    notes: tuple[str, ...]

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
            "moved": [moved.to_dict() for moved in self.moved],
            "notes": list(self.notes),
        }


def compare(left: Circuit, right: Circuit, align: Sequence[tuple[str, str]] = ()) -> Structure:
    """Compare two circuits; ``align`` names roles that are each other's counterparts, (left, right)."""
    pairs = match_roles(left.roles, right.roles, align)
    same_shape = _shape(left) == _shape(right)
    heads = _overlap(map(str, left.heads), map(str, right.heads))
    nodes = _overlap(map(str, left.nodes), map(str, right.nodes))
    left_vertices, right_vertices = _vertices(pairs)
    edges = _edge_overlap(_in_terms_of_both(left, left_vertices), _in_terms_of_both(right, right_vertices))
    return Structure(
        left=left.name,
        right=right.name,
        heads=heads,
        heads_chance=_chance_of_heads(left.heads, right.heads, left) if same_shape else None,
        nodes=nodes,
        nodes_chance=_chance_of_nodes(left, right) if same_shape else None,
        roles=tuple(_role_pair(left, right, pair, same_shape) for pair in pairs),
        edges=edges,
        head_edges=_overlap(map(str, head_edges(left)), map(str, head_edges(right))),
        moved=tuple(_moved(left, right, pairs)),
        notes=tuple(_notes(left, right)),
    )


# --- roles -----------------------------------------------------------------------------------------


class Match(NamedTuple):
    """A role of the left circuit and its counterpart in the right one, None where there is none."""

    left: str | None
    right: str | None
    rule: Rule | None


def match_roles(
    left: Sequence[Role], right: Sequence[Role], align: Sequence[tuple[str, str]] = ()
) -> tuple[Match, ...]:
    """Each role with its counterpart: first by ``align``, then by name, then the matching that shares most heads.

    The last is the assignment (Hungarian algorithm) with the largest number of shared heads over all pairs, and
    among those the largest sum of Jaccard indices; roles that share no head stay without a counterpart.
    """
    found: dict[str, tuple[str, Rule]] = {ours: (theirs, "align") for ours, theirs in align}
    taken = {theirs for theirs, _ in found.values()}
    names = {role.name for role in right} - taken
    found |= {role.name: (role.name, "name") for role in left if role.name in names and role.name not in found}
    taken |= {theirs for theirs, _ in found.values()}
    found |= _best_matching(
        [role for role in left if role.name not in found], [role for role in right if role.name not in taken]
    )
    taken |= {theirs for theirs, _ in found.values()}
    ours = tuple(Match(role.name, *found.get(role.name, (None, None))) for role in left)
    return ours + tuple(Match(None, role.name, None) for role in right if role.name not in taken)


def _best_matching(left: Sequence[Role], right: Sequence[Role]) -> dict[str, tuple[str, Rule]]:
    if not left or not right:
        return {}
    from scipy.optimize import linear_sum_assignment  # late: lint and fmt need none of it

    overlaps = [[_overlap(map(str, ours.heads), map(str, theirs.heads)) for theirs in right] for ours in left]
    # A Jaccard index is at most 1 and at most min(len(left), len(right)) of them are summed: after this division
    # they only break ties between equal numbers of shared heads.
    most = min(len(left), len(right)) + 1
    weights = np.array([[len(o.shared) + (o.jaccard or 0.0) / most for o in row] for row in overlaps])
    rows, columns = linear_sum_assignment(weights, maximize=True)
    return {
        left[i].name: (right[j].name, "heads")
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        if overlaps[i][j].shared
    }


def _role_pair(left: Circuit, right: Circuit, match: Match, same_shape: bool) -> RolePair:
    ours, theirs, rule = match
    our_heads = left.role(ours).heads if ours is not None else ()
    their_heads = right.role(theirs).heads if theirs is not None else ()
    both = ours is not None and theirs is not None
    return RolePair(
        left=ours,
        right=theirs,
        rule=rule,
        heads=_overlap(map(str, sorted(set(our_heads))), map(str, sorted(set(their_heads)))),
        chance=_chance_of_heads(our_heads, their_heads, left) if both and same_shape else None,
    )


def compare_roles(left: Circuit, right: Circuit, pair: tuple[str, str]) -> RolePair:
    """One role of each circuit, whether or not they are counterparts; KeyError if there is no such role."""
    return _role_pair(left, right, Match(*pair, None), _shape(left) == _shape(right))


def _moved(left: Circuit, right: Circuit, pairs: Iterable[Match]) -> Iterator[Moved]:
    counterpart = {ours: theirs for ours, theirs, _ in pairs if ours is not None}
    for head in sorted(set(left.heads) & set(right.heads)):
        ours = tuple(role.name for role in left.roles if head in role.heads)
        theirs = tuple(role.name for role in right.roles if head in role.heads)
        if {counterpart[name] for name in ours} != set(theirs):
            yield Moved(str(head), ours, theirs)


# --- edges -----------------------------------------------------------------------------------------


def _vertices(pairs: Iterable[Match]) -> tuple[dict[str, str], dict[str, str]]:
    """What each circuit's roles are called when both are talked about: counterparts get one name."""
    left: dict[str, str] = {}
    right: dict[str, str] = {}
    for ours, theirs, _ in pairs:
        if ours is not None:
            left[ours] = f"both {ours}" if theirs is not None else f"left {ours}"
        if theirs is not None:
            right[theirs] = f"both {ours}" if ours is not None else f"right {theirs}"
    return left, right


def _in_terms_of_both(circuit: Circuit, vertex: Mapping[str, str]) -> dict[Edge, str]:
    """The edges between roles with vertices of both circuits, and the circuit's own spelling of each.

    An end that is no role is itself (a head, ``logits``), the same in both circuits.
    """
    return {
        Edge(vertex.get(edge.sender, edge.sender), vertex.get(edge.receiver, edge.receiver), edge.input): str(edge)
        for edge in role_edges(circuit)
    }


def _edge_overlap(left: Mapping[Edge, str], right: Mapping[Edge, str]) -> Overlap:
    return Overlap(
        shared=tuple(spelling for edge, spelling in left.items() if edge in right),
        left_only=tuple(spelling for edge, spelling in left.items() if edge not in right),
        right_only=tuple(spelling for edge, spelling in right.items() if edge not in left),
    )


# --- shared pieces ---------------------------------------------------------------------------------


def _overlap(left: Iterable[str], right: Iterable[str]) -> Overlap:
    """Two sets in the order in which they come; what comes twice counts once."""
    ours, theirs = dict.fromkeys(left), dict.fromkeys(right)
    return Overlap(
        shared=tuple(element for element in ours if element in theirs),
        left_only=tuple(element for element in ours if element not in theirs),
        right_only=tuple(element for element in theirs if element not in ours),
    )


def _shape(circuit: Circuit) -> tuple[int, int]:
    return circuit.geometry.n_layers, circuit.geometry.n_heads


def _chance_of_heads(left: Iterable[Head], right: Iterable[Head], circuit: Circuit) -> Chance:
    ours, theirs = set(left), set(right)
    return chance(
        Counter(head.layer for head in ours),
        Counter(head.layer for head in theirs),
        population=circuit.geometry.n_heads,
        observed=len(ours & theirs),
    )


def _chance_of_nodes(left: Circuit, right: Circuit) -> Chance | None:
    """Chance by layer and position; None if a circuit has nodes that are not heads."""
    if not all(isinstance(node.component, Head) for node in left.nodes + right.nodes):
        return None
    return chance(_strata(left), _strata(right), left.geometry.n_heads, len(set(left.nodes) & set(right.nodes)))


def _strata(circuit: Circuit) -> Counter[tuple[int, Position]]:
    return Counter((node.component.layer, node.position) for node in circuit.nodes if isinstance(node.component, Head))


def _chance_dict(chance: Chance | None, overlap: Overlap) -> dict[str, object]:
    """``chance`` is the expected share of the smaller set, to be read beside ``of_smaller``."""
    smaller = min(overlap.left, overlap.right)
    return {
        "chance": chance.expected / smaller if chance is not None and smaller else None,
        "expected": chance.expected if chance is not None else None,
        "p_value": chance.p_value if chance is not None else None,
    }


def _notes(left: Circuit, right: Circuit) -> Iterator[str]:
    for circuit in (left, right):
        if not circuit.heads:
            yield f"{circuit.name} names no heads: shares of it are undefined"
    if _shape(left) != _shape(right):
        ours, theirs = left.geometry, right.geometry
        yield (
            f"{ours.model} has {ours.n_layers} layers of {ours.n_heads} heads and {theirs.model} "
            f"{theirs.n_layers} of {theirs.n_heads}: chance is undefined, and equal head numbers mean little"
        )
    elif left.model != right.model:
        yield (f"{left.model} and {right.model} are different models: the same head number need not be the same head")

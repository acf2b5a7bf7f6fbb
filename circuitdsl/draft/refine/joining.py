"""Which role a node is like: as a draft groups nodes (``draft.roles``), by where they stand, what they feed most, with
which sign, and where they look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from circuitdsl.check.bench import Bench
from circuitdsl.components import ALL, Head, Node, Position
from circuitdsl.draft.figures import alone, measured
from circuitdsl.draft.patching import Way, effect, path_of
from circuitdsl.draft.places import Places
from circuitdsl.draft.roles import Alike, attention_of, kind_of, looks_at
from circuitdsl.judge.verdicts import p_value
from circuitdsl.language.circuit import Bound, Circuit, Role, Term
from circuitdsl.measures.measurement import Measurement
from circuitdsl.outcome.draft import LOGITS, DraftRole, Into
from circuitdsl.plan.sweep import reaches

ASLEEP = ""
"""What a node feeds that feeds nothing surely, as a backup whose role is not gone."""


@dataclass(frozen=True)
class Joined:
    """Nodes by the role that they are like, and groups of nodes that are like each other and like no role."""

    known: Mapping[str, Sequence[Node]]
    new: Mapping[Alike, Sequence[Node]]


def joined(nodes: Sequence[Node], circuit: Circuit, places: Places, bench: Bench) -> Joined:
    """Each of some nodes with the role most of whose nodes at its position are like it."""
    stands = {node.position for node in nodes}
    members = [node for node in circuit.nodes if node.position in stands and node.component.claims_to_matter]
    likeness = alike((*nodes, *members), circuit, places, bench)
    known: dict[str, list[Node]] = {}
    new: dict[Alike, list[Node]] = {}
    for node in nodes:
        like = {role.name: most for role in circuit.roles if (most := _most(role, node, likeness))}
        name = _same(likeness[node], like) or _near(likeness[node], like)
        if name:
            known.setdefault(name, []).append(node)
        else:
            new.setdefault(likeness[node], []).append(node)
    return Joined(known, new)


def _same(own: Alike, roles: Mapping[str, Alike]) -> str:
    """The first role that is like a node in all; "" without one."""
    return next((name for name, most in roles.items() if most == own), "")


def _near(own: Alike, roles: Mapping[str, Alike]) -> str:
    """The only role that is like a node in all that is known, where one of both feeds nothing surely; else ""."""
    near = [
        name
        for name, most in roles.items()
        if ASLEEP in (own.fed, most.fed) and most._replace(fed=own.fed, raises=own.raises) == own
    ]
    return near[0] if len(near) == 1 else ""


def _most(role: Role, node: Node, likeness: Mapping[Node, Alike]) -> Alike | None:
    """What most nodes of a role at a position have in common; None where none stands there."""
    found = Counter(likeness[each] for each in role.nodes if each.position == node.position and each in likeness)
    return found.most_common(1)[0][0] if found else None


def alike(nodes: Sequence[Node], circuit: Circuit, places: Places, bench: Bench) -> dict[Node, Alike]:
    """What each node has in common with others. Nodes at all positions look nowhere."""
    once = tuple(dict.fromkeys(nodes))
    attends = attention_of([node for node in once if node.position in places.tokens], places, circuit, bench)
    asked = [(node, into, term) for node in once for into, term in _paths(node, circuit)]
    effects: dict[Node, dict[Into, float]] = {node: {} for node in once}
    floor = circuit.method.floor
    for (node, into, _), found in zip(asked, measured(bench, circuit, [term for *_, term in asked]), strict=True):
        if isinstance(found, Measurement):
            weighed = bench.weighed(found)
            p = p_value(weighed, Bound("outside", -floor, floor))
            if p is not None and p <= 1 - circuit.method.confidence:
                effects[node][into] = max(effects[node].get(into, 0.0), weighed.value, key=abs)
    return {node: _alike(node, effects[node], looks_at(attends.get(node, {}))) for node in once}


def _alike(node: Node, effects: Mapping[Into, float], looks: Position | None) -> Alike:
    head = isinstance(node.component, Head)
    if not effects:
        return Alike(node.position, head, ASLEEP, False, looks)
    most = max(effects, key=lambda into: abs(effects[into]))
    return Alike(node.position, head, kind_of(most), effects[most] < 0, looks)


def _paths(node: Node, circuit: Circuit) -> Iterator[tuple[Into, Term]]:
    """From a node into the logits, and into every input of a role that reads where it stands, from every counterfactual
    that the circuit names."""
    roles = {role.name: DraftRole(role.name, role.nodes, 0) for role in circuit.roles}
    for into in (LOGITS, *(each for role in circuit.roles for each in _inputs(role, node))):
        path = path_of(into, roles, alone(node))
        if reaches(node, path, circuit):
            ways = (Way(into, name) for name in circuit.counterfactuals)
            yield from ((into, effect(way, alone(node), roles, circuit)) for way in ways)


def _inputs(role: Role, node: Node) -> Iterator[Into]:
    kinds = {each.component.inputs for each in role.nodes}
    stands = any(each.position in (node.position, ALL) for each in role.nodes) or node.position == ALL
    if kinds == {"qkv"}:
        yield from (Into(role.name, letter, node.position) for letter in "kv")
        if stands:
            yield Into(role.name, "q", node.position)
    elif kinds == {""} and stands:
        yield Into(role.name, "", node.position)

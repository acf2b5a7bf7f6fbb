"""What the figures of a comparison come to, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from circuitdsl.compare.chance import Chance
from circuitdsl.compare.graph import Link
from circuitdsl.compare.overlap import Overlap
from circuitdsl.compare.structure import RolePair, Structure, chance_share
from circuitdsl.report.words import number, p_said, plural

LEVEL = 0.05
"""A p-value below this is said to be more, or fewer, than chance would give."""


def told_apart(left: str, right: str) -> tuple[str, str]:
    """What two circuits are called side by side: by their names, or as first and second where these are the same."""
    return (left, right) if left != right else (f"{left} (first)", f"{right} (second)")


def role_pair(pair: RolePair) -> str:
    """``name_mover ~ mover``, or one name where both circuits use it."""
    return " ~ ".join(dict.fromkeys(name for name in (pair.left, pair.right) if name is not None))


def conclusion(structure: Structure) -> Iterator[str]:
    """What two circuits share, a sentence or two for heads, for nodes and for edges."""
    names = told_apart(structure.left, structure.right)
    if structure.heads.of_smaller is None:
        yield "One of the two names no heads: there is nothing to share."
        return
    yield _heads(structure.heads, structure.heads_chance)
    if structure.nodes.shared != structure.heads.shared:
        yield _nodes(structure.nodes, structure.nodes_chance)
    yield from _edges(structure, names)


def _heads(heads: Overlap, by_chance: Chance | None) -> str:
    count = plural(len(heads.shared), "head")
    share = (
        f"{count} shared of {heads.left} and {heads.right}: {number(heads.of_smaller, 'share', 0)} of the smaller "
        "circuit."
    )
    if by_chance is None:
        return share
    return (
        f"{share} Placed at random in the same layers, as many heads would share {number(by_chance.expected, '', 1)} "
        f"({number(chance_share(by_chance, heads), 'share', 0)}): this is {_against_chance(by_chance)}."
    )


def _against_chance(by_chance: Chance) -> str:
    if by_chance.p_value < LEVEL:
        return f"more than chance gives ({p_said(by_chance.p_value)})"
    if by_chance.p_fewer < LEVEL:
        return f"less than chance gives ({p_said(by_chance.p_fewer)} for as few or fewer)"
    return f"what chance gives ({p_said(by_chance.p_value)} for as many or more)"


def _nodes(nodes: Overlap, by_chance: Chance | None) -> str:
    count, share = len(nodes.shared), number(nodes.of_smaller, "share", 0)
    said = f"At the same positions: {plural(count, 'node')} (head and position), {share} of the smaller circuit"
    return f"{said}; {_against_chance(by_chance)}." if by_chance is not None else f"{said}."


def _edges(structure: Structure, names: tuple[str, str]) -> Iterator[str]:
    edges = structure.edges
    opposed = sum(link.opposed != "" for link in structure.graph.links) // 2
    both = len(edges.shared) + opposed
    left, right = len(edges.left_only) - opposed, len(edges.right_only) - opposed
    for name, count in zip(names, (left, right), strict=True):
        if both + count == 0:
            yield f"{name} states no edges between roles."
    if both + left and both + right:
        yield (
            f"{plural(both, 'edge')} between roles stated by both, {left} only by {names[0]} and {right} only by "
            f"{names[1]}."
        )
    if opposed:
        yield (
            f"On {plural(opposed, 'edge')} that both state they say the opposite, and do not share it: one that it "
            "raises the metric, the other that it lowers it."
        )
    denied = sum(link.denied for link in structure.graph.links)
    if denied:
        yield f"On {plural(denied, 'edge')} they contradict each other: one states it and the other says `no edge`."


def moved_heads(structure: Structure) -> Iterator[str]:
    """Heads that both have, in roles that are not each other's counterparts, a line for each move."""
    names = told_apart(structure.left, structure.right)
    moves: dict[tuple[str, str], list[str]] = {}
    for moved in structure.moved:
        moves.setdefault((" + ".join(moved.left), " + ".join(moved.right)), []).append(moved.head)
    for (left, right), heads in moves.items():
        yield f"{' '.join(heads)}: {left} in {names[0]}, {right} in {names[1]}"


def contradictions(structure: Structure) -> Iterator[str]:
    """Edges that one circuit states and of which the other says that there is none."""
    names = told_apart(structure.left, structure.right)
    for link in structure.graph.links:
        if link.denied:
            states, denies = names if link.whose == "left" else names[::-1]
            yield f"{_arrow(link)}: an edge in {states}, `no edge` in {denies}"


def opposites(structure: Structure) -> Iterator[str]:
    """Edges that raise the metric in one circuit and lower it in the other."""
    names = told_apart(structure.left, structure.right)
    for link in structure.graph.links:
        if link.opposed and link.whose == "left":
            raises, lowers = names if link.opposed == "raises" else names[::-1]
            yield f"{_arrow(link)}: raises the metric in {raises}, lowers it in {lowers}"


def _arrow(link: Link) -> str:
    return f"{link.sender} -> {link.receiver}" + (f".{link.input}" if link.input else "")

"""What the figures of a comparison come to, in sentences, read from ``compare.structure.Structure.to_dict()``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from circuitdsl.report.words import number, p_said, plural

LEVEL = 0.05
"""A p-value below this is said to be more, or fewer, than chance would give."""

Data = Mapping[str, Any]


def told_apart(left: str, right: str) -> tuple[str, str]:
    """What two circuits are called side by side: by their names, or as first and second where these are the same."""
    return (left, right) if left != right else (f"{left} (first)", f"{right} (second)")


def role_pair(pair: Data) -> str:
    """``name_mover ~ mover``, or one name where both circuits use it."""
    return " ~ ".join(dict.fromkeys(name for name in (pair["left"], pair["right"]) if name is not None))


def conclusion(structure: Data) -> Iterator[str]:
    """What two circuits share, a sentence or two for heads, for nodes and for edges."""
    names = told_apart(structure["left"], structure["right"])
    if structure["heads"]["of_smaller"] is None:
        yield "One of the two names no heads: there is nothing to share."
        return
    yield _heads(structure["heads"])
    if structure["nodes"]["shared"] != structure["heads"]["shared"]:
        yield from _nodes(structure)
    yield from _edges(structure, names)


def _heads(heads: Data) -> str:
    count = plural(len(heads["shared"]), "head")
    left, right = (len(heads["shared"]) + len(heads[f"{side}_only"]) for side in ("left", "right"))
    share = f"{count} shared of {left} and {right}: {number(heads['of_smaller'], 'share', 0)} of the smaller circuit."
    if heads["chance"] is None:
        return share
    return (
        f"{share} Placed at random in the same layers, as many heads would share {number(heads['expected'], '', 1)} "
        f"({number(heads['chance'], 'share', 0)}): this is {_against_chance(heads)}."
    )


def _against_chance(entry: Data) -> str:
    if entry["p_value"] < LEVEL:
        return f"more than chance gives ({p_said(entry['p_value'])})"
    if entry["p_fewer"] < LEVEL:
        return f"less than chance gives ({p_said(entry['p_fewer'])} for as few or fewer)"
    return f"what chance gives ({p_said(entry['p_value'])} for as many or more)"


def _nodes(structure: Data) -> Iterator[str]:
    nodes = structure["nodes"]
    count, share = len(nodes["shared"]), number(nodes["of_smaller"], "share", 0)
    said = f"At the same positions: {plural(count, 'node')} (head and position), {share} of the smaller circuit"
    yield f"{said}; {_against_chance(nodes)}." if nodes["p_value"] is not None else f"{said}."


def _edges(structure: Data, names: tuple[str, str]) -> Iterator[str]:
    edges = structure["edges"]
    both, left, right = (len(edges[key]) for key in ("shared", "left_only", "right_only"))
    for name, count in zip(names, (left, right), strict=True):
        if both + count == 0:
            yield f"{name} states no edges between roles."
    if both + left and both + right:
        yield (
            f"{plural(both, 'edge')} between roles stated by both, {left} only by {names[0]} and {right} only by "
            f"{names[1]}."
        )
    denied = sum(edge["denied"] for edge in structure["graph"]["edges"])
    if denied:
        yield f"On {plural(denied, 'edge')} they contradict each other: one states it and the other says `no edge`."


def moved_heads(structure: Data) -> Iterator[str]:
    """Heads that both have, in roles that are not each other's counterparts, a line for each move."""
    names = told_apart(structure["left"], structure["right"])
    moves: dict[tuple[str, str], list[str]] = {}
    for moved in structure["moved"]:
        moves.setdefault((" + ".join(moved["left"]), " + ".join(moved["right"])), []).append(moved["head"])
    for (left, right), heads in moves.items():
        yield f"{' '.join(heads)}: {left} in {names[0]}, {right} in {names[1]}"


def contradictions(structure: Data) -> Iterator[str]:
    """Edges that one circuit states and of which the other says that there is none."""
    names = told_apart(structure["left"], structure["right"])
    for edge in structure["graph"]["edges"]:
        if edge["denied"]:
            states, denies = names if edge["in"] == "left" else names[::-1]
            arrow = f"{edge['sender']} -> {edge['receiver']}" + (f".{edge['input']}" if edge["input"] else "")
            yield f"{arrow}: an edge in {states}, `no edge` in {denies}"

"""Two circuits as one standalone SVG: their heads as grids side by side, and their graphs laid over each other.

Whose a thing is shows in its colour and, for those who do not see the colours, in its line: what both have is solid,
what one has alone is dashed (left) or dotted (right).
"""

from __future__ import annotations

import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from circuitdsl.compare.edges import inputs_text
from circuitdsl.compare.graph import WHOSE, Graph, Vertex, Whose
from circuitdsl.compare.structure import Structure
from circuitdsl.language.circuit import Circuit
from circuitdsl.report.pages.conclusions import conclusion, contradictions, moved_heads, opposites, told_apart
from circuitdsl.report.palette import IDLE, LEFT, RIGHT, SHARED
from circuitdsl.report.pictures.layered import Layout, layout
from circuitdsl.report.pictures.parts import (
    FAINT,
    INK,
    Frame,
    Point,
    arrowhead,
    canvas,
    cells,
    head_square,
    on_curve,
    rulers,
    write,
)
from circuitdsl.report.xml import xml_text

COLOURS: Mapping[Whose, str] = {"both": SHARED, "left": LEFT, "right": RIGHT}
DASHES: Mapping[Whose, str] = {"both": "", "left": "7 4", "right": "2 3"}

MARGIN = 24
LINE = 18  # pixels from one line of text to the next
CHIP, CHIP_HEIGHT, CHIPS = 44, 20, 5  # a component in a role's box: its size, and how many stand in a line
ROW_GAP = 84
LETTER = 8.4  # pixels of a bold letter, at most
WIDEST_TEXT = 120  # letters in a line of text


def comparison_svg(left: Circuit, right: Circuit, structure: Structure) -> str:
    """Two circuits as two grids and one graph, with what the figures say and a key."""
    names = told_apart(left.name, right.name)
    facts = list(_wrapped(conclusion(structure)))
    top = 110 + LINE * len(facts)
    gap = 8 if left.geometry.n_heads + right.geometry.n_heads <= 24 else 3
    first = Frame(MARGIN + 40, top, left.geometry.n_layers, left.geometry.n_heads, gap)
    second = Frame(first.left + first.width + 70, top, right.geometry.n_layers, right.geometry.n_heads, gap)
    sizes = {vertex.name: _box_size(vertex, structure.graph) for vertex in structure.graph.vertices}
    arrows = _arrows(structure.graph)
    drawn = layout(sizes, [(sender, receiver) for sender, receiver, _ in arrows], ROW_GAP)
    width = max(900.0, second.left + second.width + MARGIN, drawn.width + 4 * MARGIN)
    graph_top = top + max(first.height, second.height) + 160
    footnotes = list(_wrapped(_footnotes(structure)))
    height = graph_top + drawn.height + 60 + LINE * len(footnotes)
    root = canvas(width, height, f"{names[0]} and {names[1]}")
    for whose in WHOSE:
        arrowhead(root, f"arrow-{whose}", COLOURS[whose], size=5)
    write(root, MARGIN, 34, f"{names[0]} and {names[1]}", size=20, weight="600")
    _lines(root, 58, facts)
    _grids(root, (left, right), names, (first, second))
    _key(root, names, top + max(first.height, second.height) + 72)
    write(root, MARGIN, graph_top - 38, "The two graphs laid over each other", size=16, weight="600")
    shift = (width - drawn.width) / 2, graph_top
    for (sender, receiver, whose), route, label in zip(arrows, drawn.routes, arrows.values(), strict=True):
        _arrow(
            root, _shifted(_looped(route, drawn, sizes, sender) if sender == receiver else route, shift), whose, label
        )
    for vertex in structure.graph.vertices:
        (x, y), (wide, high) = drawn.centres[vertex.name], sizes[vertex.name]
        _box(root, (x + shift[0] - wide / 2, y + shift[1] - high / 2), (wide, high), vertex)
    _lines(root, height - LINE * len(footnotes), footnotes)
    return xml_text(root)


def _wrapped(paragraphs: Iterable[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        yield from textwrap.wrap(paragraph, WIDEST_TEXT)


def _lines(root: ET.Element, top: float, lines: Iterable[str]) -> None:
    for i, line in enumerate(lines):
        write(root, MARGIN, top + LINE * i, line, colour=FAINT)


def _footnotes(structure: Structure) -> Iterator[str]:
    """What the marks in the graph stand for, where there are any."""
    for line in moved_heads(structure):
        yield f"* {line}"
    for line in contradictions(structure):
        yield f"× {line}"
    for line in opposites(structure):
        yield f"≠ {line}"


# --- grids -----------------------------------------------------------------------------------------


def _grids(
    root: ET.Element, circuits: tuple[Circuit, Circuit], names: tuple[str, str], frames: tuple[Frame, Frame]
) -> None:
    shared = set(circuits[0].heads) & set(circuits[1].heads)
    for circuit, name, frame, own in zip(circuits, names, frames, (LEFT, RIGHT), strict=True):
        write(root, frame.left, frame.top - 16, name, weight="600")
        rulers(root, frame, circuit.geometry.n_heads, False)
        cells(root, frame, circuit.geometry.n_heads)
        for head in circuit.heads:
            both = head in shared
            head_square(
                root,
                frame.centre(head.layer, head.index),
                SHARED if both else own,
                str(head),
                outline=INK if both else "",
            )


def _key(root: ET.Element, names: tuple[str, str], y: float) -> None:
    """What the colours and lines stand for, in the grids and in the graph."""
    x = float(MARGIN)
    entries = (("in both", SHARED), (f"{names[0]} only", LEFT), (f"{names[1]} only", RIGHT), ("in neither", IDLE))
    for (label, colour), whose in zip(entries, (*WHOSE, None), strict=True):
        outline = {"stroke": INK, "stroke-width": "2"} if whose == "both" else {}
        ET.SubElement(
            root, "rect", {"x": f"{x:g}", "y": f"{y:g}", **outline}, width="14", height="14", rx="3", fill=colour
        )
        x += 20
        if whose is not None:
            ends = {"x1": f"{x:g}", "y1": f"{y + 7:g}", "x2": f"{x + 34:g}", "y2": f"{y + 7:g}"}
            ET.SubElement(root, "line", ends | _stroke(whose))
            x += 40
        write(root, x, y + 12, label)
        x += 26 + 7.4 * len(label)


# --- the graph -------------------------------------------------------------------------------------


def _arrows(graph: Graph) -> dict[tuple[str, str, Whose], str]:
    """Sender, receiver and whose it is -> the inputs that the edges feed.

    × stands after an input that the other circuit denies, ≠ after one of which it says the opposite.
    """
    found: dict[tuple[str, str, Whose], list[str]] = {}
    for link in graph.links:
        inputs = found.setdefault((link.sender, link.receiver, link.whose), [])
        inputs.append(link.input + ("×" if link.denied else "≠" if link.opposed else ""))
    return {arrow: inputs_text(inputs) for arrow, inputs in found.items()}


def _box_size(vertex: Vertex, graph: Graph) -> tuple[float, float]:
    """As wide as its name, its components and the arrows that begin or end at it need."""
    arrows = _arrows(graph)
    ports = max(sum(arrow[end] == vertex.name for arrow in arrows) for end in (0, 1))
    chips = _chips(vertex)
    across = 16 + CHIP * min(CHIPS, len(chips)) if chips else 0
    width = max(110.0, across, 24 + LETTER * len(vertex.name), 24 + 6 * len(_subtitle(vertex)), 34.0 * ports)
    return width, 26 + (16 if _subtitle(vertex) else 0) + (CHIP_HEIGHT + 4) * -(-len(chips) // CHIPS) + 6 * bool(chips)


def _subtitle(vertex: Vertex) -> str:
    """Where the role stands; in each circuit if that differs."""
    places = dict.fromkeys(filter(None, (", ".join(vertex.left_positions), ", ".join(vertex.right_positions))))
    return "at " + " | ".join(places) if places else ""


def _chips(vertex: Vertex) -> list[tuple[str, Whose]]:
    """The components in a box, with a star at those that the other circuit has elsewhere."""
    if vertex.kind != "role":
        return []
    moved = {each.component for each in vertex.moved}
    parts = zip(
        WHOSE,
        (vertex.components.shared, vertex.components.left_only, vertex.components.right_only),
        strict=True,
    )
    return [(f"{name}*" if name in moved else name, whose) for whose, names in parts for name in names]


def _box(root: ET.Element, corner: Point, size: tuple[float, float], vertex: Vertex) -> None:
    (x, y), (width, height) = corner, size
    middle = x + width / 2
    _rectangle(root, x, y, width, height, "8", "#ffffff", vertex.whose if vertex.kind != "logits" else None)
    write(root, middle, y + 18, vertex.name, weight="600", anchor="middle")
    at = y + 26
    if _subtitle(vertex):
        write(root, middle, at + 8, _subtitle(vertex), size=11, colour=FAINT, anchor="middle")
        at += 16
    chips = _chips(vertex)
    for i, (label, whose) in enumerate(chips):
        line, column = divmod(i, CHIPS)
        in_line = min(CHIPS, len(chips) - line * CHIPS)
        left, top = middle + (column - in_line / 2) * CHIP + 2, at + 2 + line * (CHIP_HEIGHT + 4)
        both = whose == "both"
        _rectangle(root, left, top, CHIP - 4, CHIP_HEIGHT, "5", "#d7f0e7" if both else "#ffffff", whose, "1.5")
        write(root, left + CHIP / 2 - 2, top + 14, label, size=11, weight="600", anchor="middle")


def _rectangle(
    root: ET.Element,
    x: float,
    y: float,
    width: float,
    height: float,
    rounding: str,
    fill: str,
    whose: Whose | None,
    line: str = "2.5",
) -> None:
    """Outlined as ``whose`` says; None for what belongs to no circuit."""
    shape = {"x": f"{x:g}", "y": f"{y:g}", "width": f"{width:g}", "height": f"{height:g}", "rx": rounding}
    stroke = {"stroke": INK} if whose is None else _stroke(whose)
    ET.SubElement(root, "rect", shape | stroke | {"fill": fill, "stroke-width": line})


def _stroke(whose: Whose) -> dict[str, str]:
    dashes = {"stroke-dasharray": DASHES[whose]} if DASHES[whose] else {}
    return {"stroke": COLOURS[whose], "stroke-width": "2.5", **dashes}


def _shifted(route: Iterable[Point], by: Point) -> list[Point]:
    return [(x + by[0], y + by[1]) for x, y in route]


def _looped(
    route: tuple[Point, ...], drawn: Layout, sizes: Mapping[str, tuple[float, float]], name: str
) -> tuple[Point, ...]:
    """The route of an arrow from a box to itself: from its top round its right side to its bottom."""
    x, y = drawn.centres[name]
    aside = x + sizes[name][0] / 2 + 14
    return route[0], (aside, y), route[-1]


def _arrow(root: ET.Element, route: list[Point], whose: Whose, label: str) -> None:
    """A curve through the points of a route, labelled near the receiver with the inputs that it feeds."""
    steps = [f"M {route[0][0]:g} {route[0][1]:g}"]
    for (x1, y1), (x2, y2) in pairwise(route):
        middle = (y1 + y2) / 2
        steps.append(f"C {x1:g} {middle:g}, {x2:g} {middle:g}, {x2:g} {y2:g}")
    head = {"fill": "none", "marker-end": f"url(#arrow-{whose})"}
    ET.SubElement(root, "path", {"d": " ".join(steps)} | _stroke(whose) | head)
    if label:
        (x1, y1), (x2, y2) = route[-2:]
        middle = (y1 + y2) / 2
        x, y = on_curve(0.66, x1, x1, x2, x2), on_curve(0.66, y1, middle, middle, y2)
        half = 5 + 4 * len(label)
        _rectangle(root, x - half, y - 9, 2 * half, 18, "9", "#ffffff", whose, "1.5")
        write(root, x, y + 4, label, size=11, weight="600", anchor="middle")

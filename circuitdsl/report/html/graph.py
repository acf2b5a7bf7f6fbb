"""A circuit as a graph: a box a role, by layer from below and by position from the left; an arrow a claimed edge.

An arrow has the colour of its claim's verdict, its measured effect as a label, and leads to the claim.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

from circuitdsl.language.circuit import Circuit, LogitsReceiver, Nodes, Path, Receivers
from circuitdsl.outcome import ClaimOutcome
from circuitdsl.report.palette import role_colours, text_on
from circuitdsl.report.words import number
from circuitdsl.report.xml import xml_text
from circuitdsl.visible import visible

_WIDE, _HIGH = 168, 40  # pixels of a box
_ACROSS, _UP = 222, 98  # from one column, and from one row, to the next
_LEFT, _TOP = 66, 26
_LOGITS = "logits"
_LETTERS = 24  # of a box's name, at most


@dataclass(frozen=True)
class _Vertex:
    """A role, single components that an edge names, or the logits. ``layers`` are its first and last."""

    name: str
    position: str
    layers: tuple[int, int] | None
    nodes: str

    @property
    def depth(self) -> float:
        return float("inf") if self.layers is None else sum(self.layers) / 2


@dataclass(frozen=True)
class Arrow:
    """A claimed edge; ``anchor`` is where its claim stands on the page."""

    sender: str
    receiver: str
    label: str
    verdict: str
    title: str
    anchor: str
    stated: bool


def graph_svg(circuit: Circuit, outcomes: Sequence[tuple[ClaimOutcome, str]]) -> str:
    """The graph of a circuit, with what was found of its edges: outcomes with the anchors of their claims."""
    arrows = [arrow for outcome, anchor in outcomes for arrow in _arrows(circuit, outcome, anchor)]
    vertices = _vertices(circuit, [outcome for outcome, _ in outcomes])
    rows, columns = _rows(vertices, arrows), _columns(vertices)
    top = rows[_LOGITS]
    places = {
        name: (
            _LEFT + columns.index(vertex.position) * _ACROSS + _WIDE / 2,
            _TOP + (top - rows[name]) * _UP + _HIGH / 2 + 6,
        )
        for name, vertex in vertices.items()
    }
    width = _LEFT + _ACROSS * len(columns) + 60
    height = _TOP + _UP * (top + 1)
    root = ET.Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=str(width),
        height=str(height),
        role="group",
    )
    root.set("class", "graph")
    root.set("aria-label", f"graph of {visible(circuit.name)}")
    for place, column in enumerate(columns):
        _text(root, _LEFT + place * _ACROSS + _WIDE / 2, 14, column, "faint")
    colours = role_colours(circuit)
    curves = tuple(_curves(arrows, places))
    for arrow, curve in curves:
        _draw_line(root, arrow, curve)
    for name, vertex in vertices.items():
        _draw_box(root, places[name], vertex, colours.get(name, ""))
    taken = [_Spot(x, y, _WIDE / 2, _HIGH / 2) for x, y in places.values()]
    for arrow, curve in curves:
        taken.append(_draw_label(root, arrow, curve, taken))
    return xml_text(root)


# --- what is drawn ---------------------------------------------------------------------------------


def _arrows(circuit: Circuit, outcome: ClaimOutcome, anchor: str) -> Iterator[Arrow]:
    claim = outcome.claim
    path = dict(claim.term.arguments).get("path")
    if claim.kind not in ("edge", "no edge") or not isinstance(path, Path):
        return
    found = number(outcome.estimate.value, outcome.unit, 0)
    receivers = path.receivers
    inputs = "" if isinstance(receivers, LogitsReceiver) else _inputs(receivers)
    label = " ".join(filter(None, (inputs, found)))
    title = f"{claim.text}: {outcome.verdict}"
    ends = _key(circuit, path.senders), _key(circuit, receivers)
    yield Arrow(*ends, label, str(outcome.verdict), title, anchor, claim.kind == "edge")


def _key(circuit: Circuit, end: Nodes | Receivers | LogitsReceiver) -> str:
    """A role by its name; other nodes with their positions, for a head may stand at several."""
    if isinstance(end, LogitsReceiver) or any(role.name == end.label for role in circuit.roles):
        return end.label
    return f"{end.label} at {_positions(end)}"


def _positions(nodes: Nodes | Receivers) -> str:
    return ", ".join(sorted({str(node.position) for node in nodes.nodes}))


def _inputs(receivers: Receivers) -> str:
    return "".join(dict.fromkeys(letter for _, letter in receivers.reads()))


def _vertices(circuit: Circuit, outcomes: Sequence[ClaimOutcome]) -> dict[str, _Vertex]:
    """Every role, whatever else edges begin or end at, and the logits; from the first layer to the last."""
    found = {role.name: _vertex(role.name, Nodes(role.name, role.nodes)) for role in circuit.roles}
    for outcome in outcomes:
        path = dict(outcome.claim.term.arguments).get("path")
        if outcome.claim.kind in ("edge", "no edge") and isinstance(path, Path):
            for end in (path.senders, path.receivers):
                if not isinstance(end, LogitsReceiver):
                    found.setdefault(_key(circuit, end), _vertex(_key(circuit, end), end))
    ordered = sorted(found.values(), key=lambda vertex: vertex.depth)
    return {vertex.name: vertex for vertex in ordered} | {_LOGITS: _Vertex(_LOGITS, "END", None, "")}


def _vertex(name: str, nodes: Nodes | Receivers) -> _Vertex:
    layers = [node.component.layer for node in nodes.nodes]
    positions = _positions(nodes)
    listed = " ".join(dict.fromkeys(str(node.component) for node in nodes.nodes))
    return _Vertex(name, positions or "empty", (min(layers), max(layers)) if layers else (0, 0), listed)


def _columns(vertices: Mapping[str, _Vertex]) -> list[str]:
    """The positions, ``all`` first and END last, others as their first layers come."""
    found = list(dict.fromkeys(vertex.position for vertex in vertices.values()))
    return sorted(found, key=lambda position: (position == "END", position != "all"))


def _rows(vertices: Mapping[str, _Vertex], arrows: Sequence[Arrow]) -> dict[str, int]:
    """The row of each box, from below: above whatever feeds it, and above a box of its column that stands there."""
    rank = {name: place for place, name in enumerate(vertices)}
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(vertices)
    graph.add_edges_from((a.sender, a.receiver) for a in arrows if rank[a.sender] < rank[a.receiver])
    rows: dict[str, int] = {}
    taken: set[tuple[int, str]] = set()
    for name, vertex in vertices.items():
        row = max((rows[sender] + 1 for sender in graph.predecessors(name)), default=0)
        while (row, vertex.position) in taken:
            row += 1
        rows[name] = row
        taken.add((row, vertex.position))
    rows[_LOGITS] = max((row for name, row in rows.items() if name != _LOGITS), default=-1) + 1
    return rows


# --- drawing ---------------------------------------------------------------------------------------


def _draw_box(root: ET.Element, centre: tuple[float, float], vertex: _Vertex, fill: str) -> None:
    """A role's box in its colour; one of anything else ("") in the page's own."""
    x, y = centre
    ink = {"style": f"fill: {text_on(fill)}"} if fill else {}
    group = ET.SubElement(root, "g")
    ET.SubElement(group, "title").text = visible(f"{vertex.name} at {vertex.position}: {vertex.nodes}".rstrip(": "))
    shape = {"x": f"{x - _WIDE / 2:g}", "y": f"{y - _HIGH / 2:g}", "width": f"{_WIDE}", "height": f"{_HIGH}", "rx": "8"}
    ground = {"style": f"fill: {fill}"} if fill else {}
    ET.SubElement(group, "rect", shape | ground | {"class": "box"})
    name = visible(vertex.name).removesuffix(f" at {vertex.position}")
    middle = y + 4 if vertex.layers is None else y - 3
    title = ET.SubElement(group, "text", {"x": f"{x:g}", "y": f"{middle:g}", "class": "name"} | ink)
    title.text = name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"
    if vertex.layers is not None:
        first, last = vertex.layers
        below = ET.SubElement(group, "text", {"x": f"{x:g}", "y": f"{y + 12:g}", "class": "small"} | ink)
        below.text = f"layer {first}" if first == last else f"layers {first} to {last}"


@dataclass(frozen=True)
class _Curve:
    """A cubic Bezier curve, by its four points."""

    xs: tuple[float, float, float, float]
    ys: tuple[float, float, float, float]

    def at(self, t: float) -> tuple[float, float]:
        s = 1 - t
        weights = (s**3, 3 * s * s * t, 3 * s * t * t, t**3)
        x, y = (sum(w * c for w, c in zip(weights, some, strict=True)) for some in (self.xs, self.ys))
        return x, y

    @property
    def path(self) -> str:
        first, *rest = (f"{x:g} {y:g}" for x, y in zip(self.xs, self.ys, strict=True))
        return f"M {first} C {', '.join(rest)}"


@dataclass(frozen=True)
class _Spot:
    """A box by its middle and half its size."""

    x: float
    y: float
    wide: float
    high: float

    def touches(self, other: _Spot) -> bool:
        across, up = abs(self.x - other.x), abs(self.y - other.y)
        return across < self.wide + other.wide + 2 and up < self.high + other.high + 2


def _curves(arrows: Sequence[Arrow], places: Mapping[str, tuple[float, float]]) -> Iterator[tuple[Arrow, _Curve]]:
    """From box to box. Arrows between the same two stand apart; one within a column bends past the boxes between."""
    together: dict[tuple[str, str], int] = {}
    for arrow in arrows:
        ends = (arrow.sender, arrow.receiver)
        nth = together[ends] = together.get(ends, -1) + 1
        start, end = (places[name] for name in ends)
        down = 1 if start[1] > end[1] else -1
        shift = 26 * ((nth + 1) // 2) * (1 if nth % 2 else -1)
        x1, y1 = start[0] + shift, start[1] - down * _HIGH / 2
        x2, y2 = end[0] + shift, end[1] + down * _HIGH / 2
        bend = 0.0 if abs(start[0] - end[0]) > 1 or abs(start[1] - end[1]) <= _UP else _WIDE * 0.72
        middle = (y1 + y2) / 2
        yield arrow, _Curve((x1, x1 + bend, x2 + bend, x2), (y1, middle, middle, y2))


def _link(root: ET.Element, arrow: Arrow) -> ET.Element:
    link = ET.SubElement(root, "a", {"href": f"#{arrow.anchor}", "class": f"arrow {arrow.verdict}"})
    ET.SubElement(link, "title").text = visible(arrow.title)
    return link


def _draw_line(root: ET.Element, arrow: Arrow, curve: _Curve) -> None:
    link = _link(root, arrow)
    link.set("tabindex", "-1")  # its label takes the keys
    ET.SubElement(link, "path", {"d": curve.path, "class": "hit"})
    ET.SubElement(link, "path", {"d": curve.path, "class": "line" if arrow.stated else "line denied"})
    x, y = curve.xs[3], curve.ys[3]
    back = 9 if curve.ys[0] > y else -9
    ET.SubElement(
        link, "path", {"d": f"M {x - 5:g} {y + back:g} L {x:g} {y:g} L {x + 5:g} {y + back:g}", "class": "head"}
    )


def _draw_label(root: ET.Element, arrow: Arrow, curve: _Curve, taken: Sequence[_Spot]) -> _Spot:
    """The label on its arrow, where it covers no box and no other label; in the middle where there is no such place."""
    half = 5 + 3.4 * len(arrow.label)
    spots = [_Spot(*curve.at(t), half, 9) for t in _ALONG]
    spot = next((each for each in spots if not any(each.touches(other) for other in taken)), spots[0])
    link = _link(root, arrow)
    chip = {"x": f"{spot.x - half:g}", "y": f"{spot.y - 9:g}", "width": f"{2 * half:g}", "height": "18", "rx": "9"}
    ET.SubElement(link, "rect", chip | {"class": "chip"})
    text = ET.SubElement(link, "text", {"x": f"{spot.x:g}", "y": f"{spot.y + 4:g}", "class": "label"})
    text.text = visible(arrow.label)
    return spot


_ALONG = tuple(step / 40 for step in sorted(range(6, 35), key=lambda step: abs(step - 20)))
"""Where a label is tried along its arrow, from the middle outwards."""


def _text(root: ET.Element, x: float, y: float, text: str, kind: str) -> None:
    ET.SubElement(root, "text", {"x": f"{x:g}", "y": f"{y:g}", "class": kind}).text = visible(f"at {text}")

"""Pictures of circuits as standalone SVG: layers from bottom to top, heads from left to right."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

from circuitdsl.compare.edges import Edge, role_edges
from circuitdsl.compare.structure import Structure
from circuitdsl.language.circuit import Circuit, Component, Head, Mlp, Role
from circuitdsl.report.palette import IDLE, LEFT, RIGHT, SHARED, role_colours, text_on
from circuitdsl.report.words import p_said, plural

CELL, GAP = 26, 8  # pixels of a head's square, and between squares
BOX = 210  # width of a role's box
FONT = "ui-sans-serif, system-ui, 'Helvetica Neue', Arial, sans-serif"
INK, FAINT = "#20242a", "#6b7480"

Point = tuple[float, float]


@dataclass(frozen=True)
class _Frame:
    """Where a grid of layers by heads stands. Layer 0 is at the bottom."""

    left: float
    top: float
    layers: int
    heads: int

    def centre(self, layer: float, column: float) -> Point:
        step = CELL + GAP
        return self.left + column * step + CELL / 2, self.top + (self.layers - 1 - layer) * step + CELL / 2

    @property
    def width(self) -> float:
        return self.heads * (CELL + GAP)

    @property
    def height(self) -> float:
        return self.layers * (CELL + GAP)


def circuit_svg(circuit: Circuit) -> str:
    """A circuit twice: which heads play which roles, layer by head, and how the roles feed each other."""
    colours = role_colours(circuit)
    geometry = circuit.geometry
    has_mlps = any(isinstance(node.component, Mlp) for node in circuit.nodes)
    frame = _Frame(70, 120, geometry.n_layers, geometry.n_heads + (1 if has_mlps else 0))
    graph = _Graph(circuit, frame.left + frame.width + 70, 96)
    height = max(frame.top + frame.height + 70, graph.top + graph.height + 40 + 18 * len(graph.left_out))
    root = _root(max(900, graph.left + graph.width + 40), height, circuit.name)
    _text(root, 24, 34, circuit.name, size=20, weight="600")
    _text(root, 24, 58, circuit.about or f"{circuit.model}, {circuit.task}", colour=FAINT)
    _text(root, 24, 78, f"{circuit.model}, {circuit.task}", size=11, colour=FAINT)
    _rulers(root, frame, geometry.n_heads, has_mlps)
    _cells(root, frame, geometry.n_heads)
    for component, roles in _roles_by_component(circuit).items():
        place = _place(frame, component, geometry.n_heads)
        if place is not None:
            _striped(root, place, [colours[role] for role in roles], str(component))
    _arrowhead(root)
    for (sender, receiver), labels in graph.edges().items():
        _arrow(root, graph.place(sender), graph.place(receiver), " ".join(labels), colours.get(sender, FAINT))
    _box(root, graph.place("logits"), "logits", "#ffffff")
    for role in circuit.roles:
        places = ", ".join(sorted({str(node.position) for node in role.nodes}))
        _box(root, graph.place(role.name), f"{role.name} at {places}", colours[role.name])
    for i, edge in enumerate(graph.left_out):
        _text(root, graph.left, graph.top + graph.height + 18 * i, f"also {edge}", size=11, colour=FAINT)
    return _written(root)


@dataclass(frozen=True)
class _Graph:
    """Where the roles' boxes stand: higher layers higher, in two columns so that edges have room."""

    circuit: Circuit
    left: float
    top: float

    width = 2 * BOX + 60

    @property
    def height(self) -> float:
        return 64 * (len(self.order) + 1)

    @property
    def order(self) -> list[str]:
        """Roles from the first layer to the last."""
        return [role.name for role in sorted(self.circuit.roles, key=_mean_layer)]

    def place(self, vertex: str) -> Point:
        """The middle of a vertex: a role, or anything else at the top (the logits)."""
        if vertex not in self.order:
            return self.left + self.width / 2, self.top
        rank = self.order.index(vertex)
        column = rank % 2
        return self.left + BOX / 2 + column * (BOX + 60), self.top + 64 * (len(self.order) - rank)

    def edges(self) -> dict[tuple[str, str], list[str]]:
        """Labels (inputs) of the edges between roles, and to the logits."""
        found: dict[tuple[str, str], list[str]] = {}
        for edge in filter(self._has, role_edges(self.circuit)):
            found.setdefault((edge.sender, edge.receiver), []).extend(edge.input)
        return found

    @property
    def left_out(self) -> tuple[str, ...]:
        """Edges of single heads, for which there is no box."""
        return tuple(str(edge) for edge in role_edges(self.circuit) if not self._has(edge))

    def _has(self, edge: Edge) -> bool:
        return {edge.sender, edge.receiver} <= {*self.order, "logits"}


def _mean_layer(role: Role) -> float:
    layers = [node.component.layer for node in role.nodes if isinstance(node.component, Head | Mlp)]
    return sum(layers) / len(layers) if layers else -1.0


def _roles_by_component(circuit: Circuit) -> dict[Component, list[str]]:
    found: dict[Component, list[str]] = {}
    for role in circuit.roles:
        for node in role.nodes:
            names = found.setdefault(node.component, [])
            if role.name not in names:
                names.append(role.name)
    return found


def comparison_svg(left: Circuit, right: Circuit, structure: Structure) -> str:
    """Two circuits as grids side by side: shared heads in one colour, each side's own in another."""
    ours, theirs = set(left.heads), set(right.heads)
    first = _Frame(60, 120, left.geometry.n_layers, left.geometry.n_heads)
    second = _Frame(first.left + first.width + 90, 120, right.geometry.n_layers, right.geometry.n_heads)
    height = max(first.top + first.height, second.top + second.height) + 110
    root = _root(max(900, second.left + second.width + 40), height, f"{left.name} and {right.name}")
    _text(root, 24, 34, f"{left.name} and {right.name}", size=20, weight="600")
    _text(root, 24, 58, _headline(structure), colour=FAINT)
    for circuit, frame, own, heads, others in (
        (left, first, LEFT, ours, theirs),
        (right, second, RIGHT, theirs, ours),
    ):
        _text(root, frame.left, frame.top - 26, circuit.name, weight="600")
        _rulers(root, frame, circuit.geometry.n_heads, False)
        _cells(root, frame, circuit.geometry.n_heads)
        for head in sorted(heads):
            _square(root, frame.centre(head.layer, head.index), SHARED if head in others else own, str(head))
    entries = (("in both", SHARED), (f"{left.name} only", LEFT), (f"{right.name} only", RIGHT), ("in neither", IDLE))
    x = first.left
    for label, colour in entries:
        ET.SubElement(root, "rect", x=f"{x}", y=f"{height - 46:g}", width="14", height="14", rx="3", fill=colour)
        _text(root, x + 20, height - 34, label)
        x += 50 + 7.5 * len(label)
    return _written(root)


def _headline(structure: Structure) -> str:
    heads, chance = structure.heads, structure.heads_chance
    share = "undefined" if heads.of_smaller is None else f"{100 * heads.of_smaller:.0f}%"
    told = f"{plural(len(heads.shared), 'head')} in both: {share} of the smaller circuit"
    return f"{told}; chance gives {chance.expected:.1f}, {p_said(chance.p_value)}" if chance else told


# --- parts of a picture ----------------------------------------------------------------------------


def _root(width: float, height: float, title: str) -> ET.Element:
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width:g}",
            "height": f"{height:g}",
            "font-family": FONT,
            "font-size": "13",
            "role": "img",
            "style": "max-width: 100%; height: auto",
        },
    )
    ET.SubElement(root, "title").text = title
    ET.SubElement(root, "rect", width="100%", height="100%", fill="#ffffff")
    return root


def _text(
    root: ET.Element,
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    colour: str = INK,
    weight: str = "400",
    anchor: str = "start",
) -> None:
    attributes = {"x": f"{x:g}", "y": f"{y:g}", "font-size": f"{size}", "fill": colour, "font-weight": weight}
    ET.SubElement(root, "text", attributes | {"text-anchor": anchor}).text = text


def _rulers(root: ET.Element, frame: _Frame, heads: int, mlps: bool) -> None:
    for layer in range(frame.layers):
        x, y = frame.centre(layer, 0)
        _text(root, x - CELL / 2 - 10, y + 4, str(layer), size=11, colour=FAINT, anchor="end")
    for index in range(heads):
        x, y = frame.centre(0, index)
        _text(root, x, y + CELL / 2 + 16, str(index), size=11, colour=FAINT, anchor="middle")
    if mlps:
        x, y = frame.centre(0, heads)
        _text(root, x, y + CELL / 2 + 16, "mlp", size=11, colour=FAINT, anchor="middle")
    x, y = frame.centre(0, (heads - 1) / 2)
    _text(root, x, y + CELL / 2 + 34, "head", size=11, colour=FAINT, anchor="middle")
    _text(root, frame.left - 46, frame.top - 10, "layer", size=11, colour=FAINT)


def _cells(root: ET.Element, frame: _Frame, heads: int) -> None:
    for layer in range(frame.layers):
        for index in range(heads):
            _rounded(root, frame.centre(layer, index), IDLE)


def _rounded(root: ET.Element, centre: Point, colour: str) -> None:
    x, y = centre[0] - CELL / 2, centre[1] - CELL / 2
    ET.SubElement(
        root, "rect", x=f"{x:g}", y=f"{y:g}", width=f"{CELL}", height=f"{CELL}", rx="6", fill=colour, stroke="#ffffff"
    )


def _square(root: ET.Element, centre: Point, colour: str, label: str) -> None:
    _rounded(root, centre, colour)
    _cell_label(root, centre, label, colour)


def _cell_label(root: ET.Element, centre: Point, label: str, colour: str) -> None:
    """Text that fits a square, up to five characters (``11.10``)."""
    size = 10 if len(label) <= 4 else 8
    _text(root, centre[0], centre[1] + 4, label, size=size, colour=text_on(colour), weight="600", anchor="middle")


def _striped(root: ET.Element, centre: Point, colours: list[str], label: str) -> None:
    """A square with a stripe for each role that its component plays."""
    x, y = centre[0] - CELL / 2, centre[1] - CELL / 2
    width = CELL / len(colours)
    for i, colour in enumerate(colours):
        shape = {"x": f"{x + i * width:g}", "y": f"{y:g}", "width": f"{width:g}", "height": f"{CELL}"}
        ET.SubElement(root, "rect", shape, fill=colour, rx="6" if len(colours) == 1 else "2")
    _cell_label(root, centre, label.replace("mlp ", "m"), colours[0])


def _place(frame: _Frame, component: Component, heads: int) -> Point | None:
    match component:
        case Head(layer=layer, index=index):
            return frame.centre(layer, index)
        case Mlp(layer=layer):
            return frame.centre(layer, heads)
        case _:
            return None


def _box(root: ET.Element, centre: Point, label: str, fill: str) -> None:
    shape = {"x": f"{centre[0] - BOX / 2:g}", "y": f"{centre[1] - 14:g}", "width": f"{BOX}", "height": "28", "rx": "7"}
    ET.SubElement(root, "rect", shape, fill=fill, stroke=INK)
    shown = label if len(label) <= 30 else f"{label[:29]}…"
    _text(root, centre[0], centre[1] + 4, shown, size=12, colour=text_on(fill), weight="600", anchor="middle")


def _arrowhead(root: ET.Element) -> None:
    marker = ET.SubElement(
        ET.SubElement(root, "defs"),
        "marker",
        {"id": "arrow", "viewBox": "0 0 10 10", "refX": "9", "refY": "5", "orient": "auto-start-reverse"},
        markerWidth="7",
        markerHeight="7",
    )
    ET.SubElement(marker, "path", d="M 0 0 L 10 5 L 0 10 z", fill=INK)


def _arrow(root: ET.Element, start: Point, end: Point, label: str, colour: str) -> None:
    """An arrow from the edge of one box to the edge of another, labelled with the inputs that it feeds."""
    up = -14 if end[1] < start[1] else 14
    x1, y1, x2, y2 = start[0], start[1] + up, end[0], end[1] - up
    # An edge within one column bends outwards, past the boxes between.
    bend = 0.0 if abs(x1 - x2) > 1 else (BOX * 0.75)
    middle = (y1 + y2) / 2
    curve = f"M {x1:g} {y1:g} C {x1 + bend:g} {middle:g}, {x2 + bend:g} {middle:g}, {x2:g} {y2:g}"
    ET.SubElement(
        root, "path", {"d": curve, "stroke-width": "2", "marker-end": "url(#arrow)"}, fill="none", stroke=colour
    )
    if label:
        # Near the receiver, so that the labels of edges that cross half way do not cover each other.
        x, y = _on_curve(0.7, x1, x1 + bend, x2 + bend, x2), _on_curve(0.7, y1, middle, middle, y2)
        half = 4 + 4 * len(label)
        shape = {"x": f"{x - half:g}", "y": f"{y - 9:g}", "width": f"{2 * half}", "height": "18", "rx": "9"}
        ET.SubElement(root, "rect", shape, fill="#ffffff", stroke=FAINT)
        _text(root, x, y + 4, label, size=11, weight="600", anchor="middle")


def _on_curve(t: float, *points: float) -> float:
    """A coordinate of a cubic Bezier curve at ``t`` from 0 to 1."""
    a, b, c, d = points
    s = 1 - t
    return s**3 * a + 3 * s * s * t * b + 3 * s * t * t * c + t**3 * d


def _written(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"

"""Pictures of circuits as standalone SVG: layers from bottom to top, heads from left to right."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

from circuitdsl.compare.edges import Edge, role_edges
from circuitdsl.components import Component, Head, Mlp, Neuron, OfDictionary
from circuitdsl.language.circuit import Circuit, Role
from circuitdsl.report.palette import role_colours, text_on
from circuitdsl.report.pictures.parts import (
    CELL,
    FAINT,
    INK,
    Frame,
    Point,
    arrowhead,
    canvas,
    cell_label,
    cells,
    on_curve,
    rulers,
    write,
)
from circuitdsl.report.xml import xml_text

BOX = 210  # width of a role's box


def circuit_svg(circuit: Circuit) -> str:
    """A circuit twice: which heads play which roles, layer by head, and how the roles feed each other."""
    colours = role_colours(circuit)
    geometry = circuit.geometry
    has_mlps = any(_is_of_mlp(node.component) for node in circuit.nodes)
    frame = Frame(70, 120, geometry.n_layers, geometry.n_heads + (1 if has_mlps else 0))
    graph = _Graph(circuit, frame.left + frame.width + 70, 96)
    height = max(frame.top + frame.height + 70, graph.top + graph.height + 40 + 18 * len(graph.left_out))
    root = canvas(max(900, graph.left + graph.width + 40), height, circuit.name)
    write(root, 24, 34, circuit.name, size=20, weight="600")
    write(root, 24, 58, circuit.about or f"{circuit.model}, {circuit.task}", colour=FAINT)
    write(root, 24, 78, f"{circuit.model}, {circuit.task}", size=11, colour=FAINT)
    rulers(root, frame, geometry.n_heads, has_mlps)
    cells(root, frame, geometry.n_heads)
    for place, (label, roles) in _drawn(circuit, frame).items():
        _striped(root, place, [colours[role] for role in roles], label)
    arrowhead(root, "arrow", INK)
    for (sender, receiver), labels in graph.edges().items():
        _arrow(root, graph.place(sender), graph.place(receiver), " ".join(labels), colours.get(sender, FAINT))
    _box(root, graph.place("logits"), "logits", "#ffffff")
    for role in circuit.roles:
        places = ", ".join(sorted({str(node.position) for node in role.nodes}))
        _box(root, graph.place(role.name), f"{role.name} at {places}", colours[role.name])
    for i, edge in enumerate(graph.left_out):
        write(root, graph.left, graph.top + graph.height + 18 * i, f"also {edge}", size=11, colour=FAINT)
    return xml_text(root)


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
            found.setdefault((edge.sender, edge.receiver), []).extend([edge.input] if edge.input else [])
        return found

    @property
    def left_out(self) -> tuple[str, ...]:
        """Edges of single heads, for which there is no box."""
        return tuple(str(edge) for edge in role_edges(self.circuit) if not self._has(edge))

    def _has(self, edge: Edge) -> bool:
        return {edge.sender, edge.receiver} <= {*self.order, "logits"}


def _mean_layer(role: Role) -> float:
    layers = [node.component.layer for node in role.nodes if node.component.layer >= 0]
    return sum(layers) / len(layers) if layers else -1.0


def _drawn(circuit: Circuit, frame: Frame) -> dict[Point, tuple[str, list[str]]]:
    """What stands in each square of the grid: a label, and the roles. Neurons, and features of
    what an MLP writes, stand where the MLP does; those of attention and of the stream have no square."""
    found: dict[Point, tuple[str, list[str]]] = {}
    for role in circuit.roles:
        for component in (node.component for node in role.nodes):
            place = _place(frame, component, circuit.geometry.n_heads)
            if place is not None:
                _, roles = found.setdefault(place, (_label(component), []))
                if role.name not in roles:
                    roles.append(role.name)
    return found


def _label(component: Component) -> str:
    return str(component) if isinstance(component, Head) else f"m{component.layer}"


# --- parts of a picture ----------------------------------------------------------------------------


def _striped(root: ET.Element, centre: Point, colours: list[str], label: str) -> None:
    """A square with a stripe for each role that its component plays."""
    x, y = centre[0] - CELL / 2, centre[1] - CELL / 2
    width = CELL / len(colours)
    for i, colour in enumerate(colours):
        shape = {"x": f"{x + i * width:g}", "y": f"{y:g}", "width": f"{width:g}", "height": f"{CELL}"}
        ET.SubElement(root, "rect", shape, fill=colour, rx="6" if len(colours) == 1 else "2")
    cell_label(root, centre, label, colours[0])


def _is_of_mlp(component: Component) -> bool:
    """Whether it is an MLP, a neuron, or a part of what an MLP writes."""
    if isinstance(component, OfDictionary):
        return component.dictionary.point == "mlp_out"
    return isinstance(component, Mlp | Neuron)


def _place(frame: Frame, component: Component, heads: int) -> Point | None:
    match component:
        case Head(layer=layer, index=index):
            return frame.centre(layer, index)
        case _:
            return frame.centre(component.layer, heads) if _is_of_mlp(component) else None


def _box(root: ET.Element, centre: Point, label: str, fill: str) -> None:
    shape = {"x": f"{centre[0] - BOX / 2:g}", "y": f"{centre[1] - 14:g}", "width": f"{BOX}", "height": "28", "rx": "7"}
    ET.SubElement(root, "rect", shape, fill=fill, stroke=INK)
    shown = label if len(label) <= 30 else f"{label[:29]}…"
    write(root, centre[0], centre[1] + 4, shown, size=12, colour=text_on(fill), weight="600", anchor="middle")


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
        x, y = on_curve(0.7, x1, x1 + bend, x2 + bend, x2), on_curve(0.7, y1, middle, middle, y2)
        half = 4 + 4 * len(label)
        shape = {"x": f"{x - half:g}", "y": f"{y - 9:g}", "width": f"{2 * half}", "height": "18", "rx": "9"}
        ET.SubElement(root, "rect", shape, fill="#ffffff", stroke=FAINT)
        write(root, x, y + 4, label, size=11, weight="600", anchor="middle")

"""Pictures of circuits as standalone SVG: layers from bottom to top, heads from left to right."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from circuitdsl.compare.structure import Structure
from circuitdsl.language.circuit import Circuit, Head, Mlp, Node, Path, Receivers
from circuitdsl.report.palette import IDLE, LEFT, RIGHT, SHARED, role_colours, text_on

CELL, GAP = 26, 8  # pixels of a head's square, and between squares
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
    """A circuit: its heads in their roles' colours, its edges as curves that name the input, its roles as a legend."""
    colours = role_colours(circuit)
    geometry = circuit.geometry
    has_mlps = any(isinstance(node.component, Mlp) for node in circuit.nodes)
    frame = _Frame(70, 110, geometry.n_layers, geometry.n_heads + (1 if has_mlps else 0))
    legend = frame.left + frame.width + 50
    height = max(frame.top + frame.height + 60, 130 + 22 * (len(circuit.roles) + len(tuple(circuit.edge_claims())) + 3))
    root = _root(max(900, legend + 320), height, f"{circuit.name}: {circuit.about}" if circuit.about else circuit.name)
    _text(root, 24, 34, circuit.name, size=20, weight="600")
    _text(root, 24, 58, circuit.about or f"{circuit.model}, {circuit.task}", colour=FAINT)
    _rulers(root, frame, geometry.n_heads, has_mlps)
    _cells(root, frame, geometry.n_heads)
    logits = (frame.left + frame.width / 2, frame.top - 28)
    _box(root, logits, 64, "logits")
    for claim in circuit.edge_claims():
        path = dict(claim.term.arguments)["path"]
        assert isinstance(path, Path)
        _edge(root, path, frame, logits, colours)
    for role in circuit.roles:
        for node in role.nodes:
            _node(root, frame, node, colours[role.name], geometry.n_heads)
    _legend(root, legend, circuit, colours)
    return _written(root)


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
    for i, (label, colour) in enumerate(entries):
        x = 60 + 200 * i
        ET.SubElement(root, "rect", x=f"{x}", y=f"{height - 46:g}", width="14", height="14", rx="3", fill=colour)
        _text(root, x + 20, height - 34, label)
    return _written(root)


def _headline(structure: Structure) -> str:
    heads, chance = structure.heads, structure.heads_chance
    share = "undefined" if heads.of_smaller is None else f"{100 * heads.of_smaller:.0f}%"
    told = f"{len(heads.shared)} heads in both: {share} of the smaller circuit"
    return f"{told}; chance gives {chance.expected:.1f}, p = {chance.p_value:.2g}" if chance else told


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
    _text(root, centre[0], centre[1] + 4, label, size=10, colour=text_on(colour), weight="600", anchor="middle")


def _node(root: ET.Element, frame: _Frame, node: Node, colour: str, heads: int) -> None:
    place = _place(frame, node, heads)
    if place is not None:
        label = str(node.component) if isinstance(node.component, Head) else "m"
        _square(root, place, colour, label)


def _place(frame: _Frame, node: Node, heads: int) -> Point | None:
    match node.component:
        case Head(layer=layer, index=index):
            return frame.centre(layer, index)
        case Mlp(layer=layer):
            return frame.centre(layer, heads)
        case _:
            return None


def _box(root: ET.Element, centre: Point, width: float, label: str) -> None:
    ET.SubElement(
        root,
        "rect",
        {
            "x": f"{centre[0] - width / 2:g}",
            "y": f"{centre[1] - 13:g}",
            "width": f"{width:g}",
            "height": "26",
            "rx": "6",
        },
        fill="#ffffff",
        stroke=INK,
    )
    _text(root, centre[0], centre[1] + 4, label, size=12, weight="600", anchor="middle")


def _edge(root: ET.Element, path: Path, frame: _Frame, logits: Point, colours: dict[str, str]) -> None:
    """A curve from the middle of the senders to the middle of the receivers, labelled with the input."""
    heads = frame.heads
    start = _middle(_place(frame, node, heads) for node in path.senders.nodes)
    receivers = path.receivers
    if isinstance(receivers, Receivers):
        end, label = _middle(_place(frame, node, heads) for node in receivers.nodes), receivers.inputs
    else:
        end, label = (logits[0], logits[1] + 13), ""
    if start is None or end is None:
        return
    bend = 0.18 * (end[1] - start[1])
    middle = ((start[0] + end[0]) / 2 + bend, (start[1] + end[1]) / 2)
    ET.SubElement(
        root,
        "path",
        {
            "d": f"M {start[0]:g} {start[1]:g} Q {middle[0]:g} {middle[1]:g} {end[0]:g} {end[1]:g}",
            "fill": "none",
            "stroke": colours.get(path.senders.label, FAINT),
            "stroke-width": "2.5",
            "opacity": "0.75",
        },
    )
    if label:
        x, y = (start[0] + 2 * middle[0] + end[0]) / 4, (start[1] + 2 * middle[1] + end[1]) / 4
        ET.SubElement(root, "circle", cx=f"{x:g}", cy=f"{y:g}", r="8", fill="#ffffff", stroke=FAINT)
        _text(root, x, y + 4, label, size=10, weight="600", anchor="middle")


def _middle(points: Iterable[Point | None]) -> Point | None:
    known = [point for point in points if point is not None]
    if not known:
        return None
    return sum(x for x, _ in known) / len(known), sum(y for _, y in known) / len(known)


def _legend(root: ET.Element, x: float, circuit: Circuit, colours: dict[str, str]) -> None:
    y = 110.0
    for role in circuit.roles:
        places = sorted({str(node.position) for node in role.nodes})
        fill = colours[role.name]
        ET.SubElement(root, "rect", x=f"{x:g}", y=f"{y - 12:g}", width="14", height="14", rx="3", fill=fill)
        _text(root, x + 22, y, f"{role.name} at {', '.join(places)}")
        y += 22
    y += 16
    for line in _edges_in_words(circuit):
        _text(root, x, y, line, size=12, colour=FAINT)
        y += 22


def _edges_in_words(circuit: Circuit) -> Iterator[str]:
    for claim in circuit.edge_claims():
        path = dict(claim.term.arguments)["path"]
        assert isinstance(path, Path)
        receivers = path.receivers
        dotted = f".{receivers.inputs}" if isinstance(receivers, Receivers) and receivers.inputs else ""
        yield f"{path.senders.label} → {receivers.label}{dotted}"


def _written(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"

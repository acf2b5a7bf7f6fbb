"""What pictures are made of: a page, texts, grids of layers by heads, arrowheads. Layer 0 is at the bottom."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

from circuitdsl.report.palette import IDLE, text_on

CELL, GAP = 26, 8  # pixels of a head's square, and between squares
FONT = "ui-sans-serif, system-ui, 'Helvetica Neue', Arial, sans-serif"
INK, FAINT = "#20242a", "#6b7480"

Point = tuple[float, float]


@dataclass(frozen=True)
class Frame:
    """Where a grid of layers by heads stands. Layer 0 is at the bottom."""

    left: float
    top: float
    layers: int
    heads: int
    gap: float = GAP

    def centre(self, layer: float, column: float) -> Point:
        step = CELL + self.gap
        return self.left + column * step + CELL / 2, self.top + (self.layers - 1 - layer) * step + CELL / 2

    @property
    def width(self) -> float:
        return self.heads * (CELL + self.gap)

    @property
    def height(self) -> float:
        return self.layers * (CELL + self.gap)


def canvas(width: float, height: float, title: str) -> ET.Element:
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


def write(
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


def rulers(root: ET.Element, frame: Frame, heads: int, mlps: bool) -> None:
    for layer in range(frame.layers):
        x, y = frame.centre(layer, 0)
        write(root, x - CELL / 2 - 10, y + 4, str(layer), size=11, colour=FAINT, anchor="end")
    for index in range(heads):
        x, y = frame.centre(0, index)
        write(root, x, y + CELL / 2 + 16, str(index), size=11, colour=FAINT, anchor="middle")
    if mlps:
        x, y = frame.centre(0, heads)
        write(root, x, y + CELL / 2 + 16, "mlp", size=11, colour=FAINT, anchor="middle")
    x, y = frame.centre(0, (heads - 1) / 2)
    write(root, x, y + CELL / 2 + 34, "head", size=11, colour=FAINT, anchor="middle")
    write(root, frame.left - 46, frame.top - 10, "layer", size=11, colour=FAINT)


def cells(root: ET.Element, frame: Frame, heads: int) -> None:
    for layer in range(frame.layers):
        for index in range(heads):
            rounded(root, frame.centre(layer, index), IDLE)


def rounded(root: ET.Element, centre: Point, colour: str, outline: str = "") -> None:
    x, y = centre[0] - CELL / 2, centre[1] - CELL / 2
    shape = {"x": f"{x:g}", "y": f"{y:g}", "width": f"{CELL}", "height": f"{CELL}", "rx": "6", "fill": colour}
    line = {"stroke": outline, "stroke-width": "2"} if outline else {"stroke": "#ffffff"}
    ET.SubElement(root, "rect", shape | line)


def head_square(root: ET.Element, centre: Point, colour: str, label: str, outline: str = "") -> None:
    rounded(root, centre, colour, outline)
    cell_label(root, centre, label, colour)


def cell_label(root: ET.Element, centre: Point, label: str, colour: str) -> None:
    """Text that fits a square, up to five characters (``11.10``)."""
    size = 10 if len(label) <= 4 else 8
    write(root, centre[0], centre[1] + 4, label, size=size, colour=text_on(colour), weight="600", anchor="middle")


def arrowhead(root: ET.Element, name: str, colour: str, size: int = 7) -> None:
    """Defines an arrowhead, ``size`` times as large as a line is wide, for ``marker-end``: ``url(#name)``."""
    marker = ET.SubElement(
        ET.SubElement(root, "defs"),
        "marker",
        {"id": name, "viewBox": "0 0 10 10", "refX": "9", "refY": "5", "orient": "auto-start-reverse"},
        markerWidth=f"{size}",
        markerHeight=f"{size}",
    )
    ET.SubElement(marker, "path", d="M 0 0 L 10 5 L 0 10 z", fill=colour)


def on_curve(t: float, *points: float) -> float:
    """A coordinate of a cubic Bezier curve at ``t`` from 0 to 1."""
    a, b, c, d = points
    s = 1 - t
    return s**3 * a + 3 * s * s * t * b + 3 * s * t * t * c + t**3 * d

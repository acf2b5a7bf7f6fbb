"""The growth of costs as a standalone SVG: one panel a case and axis, both scales logarithmic."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log2, log10

from benchmarks.cases import CASES
from benchmarks.growth import LINES, Point, along
from circuitdsl.report.palette import LEFT, RIGHT, SHARED

WIDTH, HEIGHT = 190, 190  # of a panel's plot
ACROSS, DOWN = 36, 76  # between panels
LEFT_MARGIN, TOP = 92, 92
INK, FAINT, RULE = "#20242a", "#6b7480", "#e3e6ea"
STYLES = {
    "plain": (RIGHT, "", "plain engine (extrapolated)"),
    "fast": (SHARED, "", "fast engine"),
    "forward": (FAINT, "6 3", "one plain forward pass"),
    "floor": (LEFT, "2 3", "arithmetic floor"),
}


@dataclass(frozen=True)
class _Panel:
    """Where the values of one panel stand."""

    left: float
    top: float
    sizes: Sequence[int]
    low: int  # powers of ten at the bottom and at the top
    high: int

    def x(self, size: float) -> float:
        first, last = log2(self.sizes[0]), log2(self.sizes[-1])
        return self.left + WIDTH * (log2(size) - first) / (last - first)

    def y(self, cost: float) -> float:
        return self.top + HEIGHT * (self.high - log10(cost)) / (self.high - self.low)


def growth_svg(points: Sequence[Point], title: str) -> str:
    """All points as a picture; ``title`` says what stays the same."""
    cases, axes = (list(dict.fromkeys(getattr(point, key) for point in points)) for key in ("case", "axis"))
    costs = [getattr(point, line) for point in points for line in LINES]
    low, high = floor(log10(min(costs))), ceil(log10(max(costs)))
    width = LEFT_MARGIN + len(axes) * (WIDTH + ACROSS)
    height = TOP + len(cases) * (HEIGHT + DOWN)
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width} {height}",
            "width": str(width),
            "height": str(height),
            "font-family": "system-ui, sans-serif",
            "font-size": "12",
        },
    )
    ET.SubElement(root, "title").text = title
    ET.SubElement(root, "rect", width="100%", height="100%", fill="#ffffff")
    _text(root, 24, 26, title, INK)
    _legend(root)
    for row, case in enumerate(cases):
        top = TOP + row * (HEIGHT + DOWN)
        _text(root, LEFT_MARGIN, top - 10, f"{case}: {CASES[case].about}", INK)
        for column, axis in enumerate(axes):
            some = along(points, case, axis)
            left = LEFT_MARGIN + column * (WIDTH + ACROSS)
            panel = _Panel(left, top, [point.size for point in some], low, high)
            _axes(root, panel, axis, labelled=column == 0)
            _lines(root, panel, some)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _legend(root: ET.Element) -> None:
    x = float(LEFT_MARGIN)
    for colour, dashes, name in STYLES.values():
        _line(root, (x, 48), (x + 24, 48), colour, dashes, 2)
        _text(root, x + 30, 52, name, INK)
        x += 62 + 6.4 * len(name)


def _axes(root: ET.Element, panel: _Panel, axis: str, labelled: bool) -> None:
    for power in range(panel.low, panel.high + 1):
        y = panel.y(10.0**power)
        _line(root, (panel.left, y), (panel.left + WIDTH, y), RULE)
        if labelled:
            _text(root, panel.left - 8, y + 4, _operations(power), FAINT, "end")
    for size in panel.sizes:
        _text(root, panel.x(size), panel.top + HEIGHT + 16, str(size), FAINT, "middle")
    _text(root, panel.left + WIDTH / 2, panel.top + HEIGHT + 34, axis, INK, "middle")


def _operations(power: int) -> str:
    """A power of ten of floating-point operations: 10 GFLOP."""
    prefix = ("", "k", "M", "G", "T", "P")[power // 3]
    return f"{10 ** (power % 3)} {prefix}FLOP"


def _lines(root: ET.Element, panel: _Panel, points: Sequence[Point]) -> None:
    for name, (colour, dashes, _) in STYLES.items():
        places = [(panel.x(point.size), panel.y(getattr(point, name))) for point in points]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        line = ET.SubElement(root, "polyline", points=drawn, fill="none", stroke=colour)
        line.set("stroke-width", "2")
        if dashes:
            line.set("stroke-dasharray", dashes)
            continue
        for x, y in places:
            ET.SubElement(root, "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="3", fill=colour)


def _line(
    root: ET.Element,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    dashes: str = "",
    width: float = 1,
) -> None:
    (x1, y1), (x2, y2) = start, end
    line = ET.SubElement(root, "line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", stroke=colour)
    line.set("stroke-width", str(width))
    if dashes:
        line.set("stroke-dasharray", dashes)


def _text(root: ET.Element, x: float, y: float, text: str, colour: str, anchor: str = "start") -> None:
    element = ET.SubElement(root, "text", x=f"{x:.1f}", y=f"{y:.1f}", fill=colour)
    element.set("text-anchor", anchor)
    element.text = text

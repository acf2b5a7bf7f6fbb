"""Overlap curves as one standalone SVG: a panel each, the overlap over the number of heads taken."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence

from circuitdsl.compare.curve import Curve
from circuitdsl.report.palette import LEFT, RIGHT, SHARED
from circuitdsl.report.words import CURVE_KINDS
from circuitdsl.report.xml import xml_text

WIDTH, HEIGHT, MARGIN = 560, 300, 56
INK, FAINT = "#20242a", "#6b7480"


def curves_svg(curves: Sequence[Curve]) -> str:
    """Curves of the same two circuits below each other, at least one: each overlap with its band of resampled prompts,
    its ceiling and its chance over the number of heads taken."""
    width, height = WIDTH + 2 * MARGIN + 60, HEIGHT + 2 * MARGIN
    root = ET.Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height * len(curves)}",
        width=str(width),
        height=str(height * len(curves)),
        role="img",
        style="max-width: 100%; height: auto",
        attrib={"font-family": "system-ui, sans-serif", "font-size": "12"},
    )
    ET.SubElement(root, "title").text = f"Overlap of {curves[0].left} and {curves[0].right} at every threshold"
    ET.SubElement(root, "rect", width="100%", height="100%", fill="#ffffff")
    for i, curve in enumerate(curves):
        _panel(ET.SubElement(root, "g", transform=f"translate(0 {height * i})"), curve)
    return xml_text(root)


def _panel(root: ET.Element, curve: Curve) -> None:
    _label(root, MARGIN, 28, f"{curve.left} and {curve.right}: overlap by {CURVE_KINDS[curve.kind]}", INK)
    _axes(root, curve)
    points = curve.points
    counts, most = [point.count for point in points], points[-1].count

    def path(shares: Iterable[float]) -> list[str]:
        return [f"{_x(count, most):.1f},{_y(share):.1f}" for count, share in zip(counts, shares, strict=True)]

    band = [*path(point.high for point in points), *reversed(path(point.low for point in points))]
    ET.SubElement(root, "polygon", points=" ".join(band), fill=SHARED, opacity="0.18")
    drawn = (
        ("ceiling", [point.ceiling for point in points], LEFT, "6 3"),
        ("chance", [point.chance for point in points], RIGHT, "2 3"),
        ("overlap", [point.overlap for point in points], SHARED, ""),
    )
    for i, (name, shares, colour, dashes) in enumerate(drawn):
        dashed = {"stroke-dasharray": dashes} if dashes else {}
        stroke = {"fill": "none", "stroke": colour, "stroke-width": "2", **dashed}
        ET.SubElement(root, "polyline", {"points": " ".join(path(shares)), **stroke})
        x, y = MARGIN + WIDTH + 8, MARGIN + 18 * i
        ET.SubElement(root, "polyline", {"points": f"{x},{y} {x + 22},{y}", **stroke})
        _label(root, x + 28, y + 4, name, colour)
    if curve.quoted is not None:
        for count in curve.arises:
            x, y = f"{_x(count, most):.1f}", f"{_y(curve.quoted):.1f}"
            ET.SubElement(root, "circle", cx=x, cy=y, r="4", fill=INK)


def _x(count: int, most: int) -> float:
    return MARGIN + WIDTH * (count - 1) / max(1, most - 1)


def _y(share: float) -> float:
    return MARGIN + HEIGHT * (1 - share)


def _axes(root: ET.Element, curve: Curve) -> None:
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = f"{_y(share):.1f}"
        ET.SubElement(root, "line", x1=str(MARGIN), x2=str(MARGIN + WIDTH), y1=y, y2=y, stroke="#e3e6ea")
        _label(root, MARGIN - 8, _y(share) + 4, f"{share:.0%}", FAINT, "end")
    most = curve.points[-1].count
    for count in sorted({1, *(round(1 + i * (most - 1) / 4) for i in range(1, 5))}):
        _label(root, _x(count, most), MARGIN + HEIGHT + 18, str(count), FAINT, "middle")
    under = "strongest heads taken on each task" + (", of each stage" if curve.kind == "stages" else "")
    _label(root, MARGIN + WIDTH / 2, MARGIN + HEIGHT + 38, under, FAINT, "middle")
    if curve.quoted is not None:
        y = f"{_y(curve.quoted):.1f}"
        ET.SubElement(root, "line", x1=str(MARGIN), x2=str(MARGIN + WIDTH), y1=y, y2=y, stroke=INK, opacity="0.5")
        _label(root, MARGIN + 4, _y(curve.quoted) - 5, f"quoted: {curve.quoted:.0%}", INK)


def _label(root: ET.Element, x: float, y: float, text: str, colour: str, anchor: str = "start") -> None:
    element = ET.SubElement(root, "text", x=f"{x:.1f}", y=f"{y:.1f}", fill=colour)
    element.set("text-anchor", anchor)
    element.text = text

"""How two circuits share their work, for people: the overlap curves, and what each part does on both tasks.

All of it is read from ``compare.reuse.Reuse.to_dict()``, so that a report read back from JSON looks the same.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from circuitdsl.judge.outcome import Figure
from circuitdsl.report.palette import LEFT, RIGHT, SHARED
from circuitdsl.report.words import figure, number, p_said, p_value, plural

LEVELS = "▁▂▃▄▅▆▇█"
COLUMNS = 60  # of the longest sparkline

KINDS = {
    "direct": "direct effect on the logits",
    "knockout": "knockout",
    "stages": "path patching, stage by stage",
}

SIDES = ("left", "right")

FUNCTION_EXPLAINED = (
    "kept alone: how much of the task's metric is left with all other heads ablated; 100% is all of it, 0% none",
    "knocked out: by how much of itself the metric changes with these heads ablated and all others left alone",
)

CURVES_EXPLAINED = (
    "Which heads a circuit has depends on how strong a head must be: each task takes its strongest, ever more of them",
    "overlap: the share of the smaller set of heads that is in both; resampled: where it lies on resampled prompts",
    "ceiling: the overlap of a task with itself, its heads found twice on resampled prompts (the less certain task's)",
    "chance: the overlap of heads drawn at random in the same layers; p: how likely these share as many or more",
)

WORDS = {
    "double": "a double dissociation: each circuit's knockout hurts its own task more than the other one's",
    "left only": "dissociation one way: only {left}'s knockout hurts its own task more than the other one's",
    "right only": "dissociation one way: only {right}'s knockout hurts its own task more than the other one's",
    "none": "no dissociation: neither circuit's knockout hurts its own task more than the other one's",
    "undecided": "whether they dissociate is undecided on these prompts",
}


def reuse_summary(reuse: Mapping[str, Any]) -> RenderableType:
    """The table of function and all curves, where they were measured."""
    blocks: list[RenderableType] = []
    if "function" in reuse:
        blocks += [function_summary(reuse), Text()]
    curves = reuse.get("curves", ())
    if curves:
        blocks += [*(Text(line, style="dim") for line in CURVES_EXPLAINED), Text()]
    for curve in curves:
        blocks += [curve_summary(curve), Text()]
    return Group(*blocks)


# --- function --------------------------------------------------------------------------------------


def function_summary(reuse: Mapping[str, Any]) -> RenderableType:
    """Each part on both tasks, kept alone and knocked out, and the dissociation."""
    function, left, right = reuse["function"], reuse["left"], reuse["right"]
    return Group(
        Text("What each part does on both tasks", style="bold"),
        *(Text(line, style="dim") for line in FUNCTION_EXPLAINED),
        *(_on_task(function, side, task, left, right) for side, task in zip(SIDES, function["tasks"], strict=True)),
        *_dissociated(function["dissociation"], left, right),
        *(Text(f"note: {note}", style="dim") for note in function["notes"]),
    )


def _dissociated(found: Mapping[str, Any], left: str, right: str) -> Iterator[RenderableType]:
    said = _dissociation(found, left, right)
    yield Text(f"Conclusion: {next(said)}")
    yield from (Text(line, style="dim") for line in said)


def _on_task(function: Mapping[str, Any], side: str, task: str, left: str, right: str) -> RenderableType:
    names = {"left": left, "right": right, "left only": f"only {left}", "right only": f"only {right}"}
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for column in (f"on {task}", "heads", "kept alone", "knocked out"):
        table.add_column(column, justify="left" if column.startswith("on ") else "right", no_wrap=True)
    for cell in function["cells"]:
        if cell["task"] == side:
            table.add_row(names.get(cell["part"], cell["part"]), *_cell(cell))
    return table


def _cell(cell: Mapping[str, Any]) -> Iterator[str]:
    yield str(cell["heads"])
    for name in ("faithfulness", "knockout"):
        yield figure(Figure(**cell[name]), "share", 0)


def _dissociation(found: Mapping[str, Any], left: str, right: str) -> Iterator[str]:
    yield WORDS[found["kind"]].format(left=left, right=right)
    yield (
        f"{left} hurts its own task more by {figure(Figure(**found['left']), 'share')}, "
        f"{right} its own by {figure(Figure(**found['right']), 'share')}"
    )
    if found["pairs"]:
        random = found["random"]
        low, high = (number(random[end], "share") for end in ("low", "high"))
        yield (
            f"the smaller of {plural(found['pairs'], 'random pair')} with as many heads in each layer: "
            f"{number(random['value'], 'share')} on average, nine in ten from {low} to {high}, "
            f"{p_said(found['p_value'])}"
        )
    if found["note"]:
        yield found["note"]


# --- curves ----------------------------------------------------------------------------------------


def curve_summary(curve: Mapping[str, Any]) -> RenderableType:
    """One curve: a line of blocks each for overlap, chance and ceiling, and the figures at a few thresholds."""
    points = curve["points"]
    lines = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for key, style in (("overlap", SHARED), ("ceiling", "dim"), ("chance", "dim")):
        lines.add_row(Text(key, style=style), Text(sparkline([point[key] for point in points]), style=style))
    return Group(
        Text(f"Overlap at every threshold, by {KINDS[curve['kind']]}", style="bold"),
        lines,
        _thresholds(curve),
        *(Text(line, style="dim") for line in _remarks(curve)),
    )


def sparkline(shares: Sequence[float], columns: int = COLUMNS) -> str:
    """Shares from 0 to 1 as a line of blocks, each the mean of as many neighbours as fit the line in ``columns``."""
    width = min(columns, len(shares))
    edges = [round(i * len(shares) / width) for i in range(width + 1)] if width else []
    means = [sum(shares[a:b]) / (b - a) for a, b in pairwise(edges)]
    return "".join(LEVELS[min(len(LEVELS) - 1, int(mean * len(LEVELS)))] for mean in means)


def _thresholds(curve: Mapping[str, Any]) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("top heads", "of all", "left", "right", "both", "overlap", "resampled", "ceiling", "chance", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for point in landmarks(curve):
        table.add_row(
            str(point["count"]) + ("*" if point["count"] in curve["arises"] else ""),
            number(point["share"], "share"),
            str(point["left"]),
            str(point["right"]),
            str(point["shared"]),
            number(point["overlap"], "share", 0),
            f"{number(point['low'], 'share', 0).removesuffix('%')} to {number(point['high'], 'share', 0)}",
            number(point["ceiling"], "share", 0),
            number(point["chance"], "share", 0),
            p_value(point["p_value"]),
        )
    return table


def landmarks(curve: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The points that a table shows: at 1, 2, 5, 10, 20 and 50 per cent of all heads, where the quoted share first and
    last arises, and at the end."""
    points = curve["points"]
    wanted = {max(1, round(share * curve["heads"])) for share in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)}
    wanted |= {*curve["arises"][:1], *curve["arises"][-1:], points[-1]["count"]}
    return [point for point in points if point["count"] in wanted]


def _remarks(curve: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"rank correlation of all {plural(curve['heads'], 'head')}' effects (Spearman): "
        f"{figure(Figure(**curve['correlation']), '')}"
    )
    if curve["quoted"] is not None:
        quoted = number(curve["quoted"], "share", 0)
        counts = curve["arises"]
        where = f"at the top {_listed(counts)}*" if counts else "at no threshold"
        yield f"an overlap of {quoted}, the share to look for, arises {where}"
    for note in curve["notes"]:
        yield f"note: {note}"


def _listed(counts: Sequence[int]) -> str:
    shown = ", ".join(map(str, counts[:6]))
    return shown if len(counts) <= 6 else f"{shown}, ... {counts[-1]}"


# --- picture ---------------------------------------------------------------------------------------

WIDTH, HEIGHT, MARGIN = 560, 300, 56
INK, FAINT = "#20242a", "#6b7480"


def curves_svg(curves: Sequence[Mapping[str, Any]]) -> str:
    """Curves as one standalone picture, below each other: each overlap with its band of resampled prompts, its ceiling
    and its chance over the number of heads taken."""
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
    ET.SubElement(root, "title").text = f"Overlap of {curves[0]['left']} and {curves[0]['right']} at every threshold"
    ET.SubElement(root, "rect", width="100%", height="100%", fill="#ffffff")
    for i, curve in enumerate(curves):
        _panel(ET.SubElement(root, "g", transform=f"translate(0 {height * i})"), curve)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _panel(root: ET.Element, curve: Mapping[str, Any]) -> None:
    _label(root, MARGIN, 28, f"{curve['left']} and {curve['right']}: overlap by {KINDS[curve['kind']]}", INK)
    _axes(root, curve)
    points, most = curve["points"], curve["points"][-1]["count"]
    band = [*_path(points, "high", most), *reversed(_path(points, "low", most))]
    ET.SubElement(root, "polygon", points=" ".join(band), fill=SHARED, opacity="0.18")
    drawn = (("ceiling", LEFT, "6 3"), ("chance", RIGHT, "2 3"), ("overlap", SHARED, ""))
    for i, (key, colour, dashes) in enumerate(drawn):
        dashed = {"stroke-dasharray": dashes} if dashes else {}
        stroke = {"fill": "none", "stroke": colour, "stroke-width": "2", **dashed}
        ET.SubElement(root, "polyline", {"points": " ".join(_path(points, key, most)), **stroke})
        x, y = MARGIN + WIDTH + 8, MARGIN + 18 * i
        ET.SubElement(root, "polyline", {"points": f"{x},{y} {x + 22},{y}", **stroke})
        _label(root, x + 28, y + 4, key, colour)
    for count in curve["arises"]:
        ET.SubElement(root, "circle", cx=f"{_x(count, most):.1f}", cy=f"{_y(curve['quoted']):.1f}", r="4", fill=INK)


def _x(count: int, most: int) -> float:
    return MARGIN + WIDTH * (count - 1) / max(1, most - 1)


def _y(share: float) -> float:
    return MARGIN + HEIGHT * (1 - share)


def _path(points: Sequence[Mapping[str, Any]], key: str, most: int) -> list[str]:
    return [f"{_x(point['count'], most):.1f},{_y(point[key]):.1f}" for point in points]


def _axes(root: ET.Element, curve: Mapping[str, Any]) -> None:
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = f"{_y(share):.1f}"
        ET.SubElement(root, "line", x1=str(MARGIN), x2=str(MARGIN + WIDTH), y1=y, y2=y, stroke="#e3e6ea")
        _label(root, MARGIN - 8, _y(share) + 4, f"{share:.0%}", FAINT, "end")
    most = curve["points"][-1]["count"]
    for count in sorted({1, *(round(1 + i * (most - 1) / 4) for i in range(1, 5))}):
        _label(root, _x(count, most), MARGIN + HEIGHT + 18, str(count), FAINT, "middle")
    under = "strongest heads taken on each task" + (", of each stage" if curve["kind"] == "stages" else "")
    _label(root, MARGIN + WIDTH / 2, MARGIN + HEIGHT + 38, under, FAINT, "middle")
    if curve["quoted"] is not None:
        y = f"{_y(curve['quoted']):.1f}"
        ET.SubElement(root, "line", x1=str(MARGIN), x2=str(MARGIN + WIDTH), y1=y, y2=y, stroke=INK, opacity="0.5")
        _label(root, MARGIN + 4, _y(curve["quoted"]) - 5, f"quoted: {curve['quoted']:.0%}", INK)


def _label(root: ET.Element, x: float, y: float, text: str, colour: str, anchor: str = "start") -> None:
    element = ET.SubElement(root, "text", x=f"{x:.1f}", y=f"{y:.1f}", fill=colour)
    element.set("text-anchor", anchor)
    element.text = text

"""Pictures of the results as standalone SVG: coverage, p-values, and which effects are detected."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence

from benchmarks.truth.counts import LEVELS
from benchmarks.truth.results import Results
from benchmarks.truth.trials import COUNTS, EDGES
from circuitdsl.report.palette import LEFT, RIGHT, SHARED
from circuitdsl.report.pictures.parts import FAINT, INK, canvas, write

COLOURS = (LEFT, SHARED, RIGHT, "#cc79a7", "#8c6d31", "#56b4e9")
RULE = "#e3e6ea"
LEAST = 0.5  # coverage at the left end; what is below stands there
ROW = 18
SIDE = 360  # of the square plots


def coverage_svg(results: Results) -> str:
    """A row a measurement: how often the interval held the truth, a dot for each count of prompts."""
    measures, looks = results.measures(), results.looks()
    left, width, top = 210, 460, 86
    height = ROW * len(measures)
    root = canvas(left + width + 40, top + height + 50, "Coverage of intervals of 95%")
    write(root, 20, 28, "How often an interval of 95% holds the truth", size=16)
    _legend(root, {_named(each): COLOURS[i] for i, each in enumerate(looks)}, left, 52)

    def x(share: float) -> float:
        return left + width * (max(share, LEAST) - LEAST) / (1 - LEAST)

    for share in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0):
        _line(root, (x(share), top), (x(share), top + height), INK if share == 0.95 else RULE)
        write(root, x(share), top + height + 18, f"{share:.0%}", size=11, colour=FAINT, anchor="middle")
    for row, measure in enumerate(measures):
        y = top + ROW * (row + 0.5)
        write(root, left - 12, y + 4, measure, size=12, anchor="end")
        for i, each in enumerate(looks):
            counts = results.all_of(measure, each)
            if counts.judged:
                dot = {"cx": f"{x(counts.covered / counts.judged):.1f}", "cy": f"{y:.1f}", "r": "4"}
                ET.SubElement(root, "circle", dot | {"fill": COLOURS[i], "opacity": "0.8"})
    return _text(root)


def p_values_svg(results: Results) -> str:
    """How often a p-value of a claim that is false by a hair is at most so much, a line a measurement and count."""
    looks = results.looks()
    root, x, y = _square("P-values of claims that are false by a hair", LEVELS, LEVELS, "at most", "share of samples")
    _legend(root, {_named(each): COLOURS[i] for i, each in enumerate(looks)}, 80, 52)
    _line(root, (x(LEVELS[0]), y(LEVELS[0])), (x(LEVELS[-1]), y(LEVELS[-1])), INK)
    for i, each in enumerate(looks):
        for measure in results.measures():
            counts = results.all_of(measure, each)
            for found in (counts.p_at_least, counts.p_at_most):
                shares = [max(number / max(1, counts.p_values), LEVELS[0]) for number in found]
                points = [(x(level), y(min(share, 1.0))) for level, share in zip(LEVELS, shares, strict=True)]
                _path(root, points, COLOURS[i], 0.5)
    return _text(root)


def detection_svg(results: Results) -> str:
    """Which share of true effects are found, by their size."""
    root, x, y = _square(
        "True heads and edges whose claim holds", EDGES, (), "effect, at least this share of F", "share that holds"
    )
    _legend(root, {f"{count} prompts": COLOURS[i] for i, count in enumerate(COUNTS)}, 80, 52)
    for i, count in enumerate(COUNTS):
        points: list[tuple[float, float]] = []
        for size in EDGES:
            held, of = detected(results, count, size)
            if of:
                points.append((x(size), y(held / of)))
        _path(root, points, COLOURS[i], 1.0)
    return _text(root)


def detected(results: Results, count: int, size: float) -> tuple[int, int]:
    """Of true claims of heads and edges whose effect is of a class: those that hold, and all."""
    held = of = 0
    for kind in ("member", "edge"):
        for verdict in results.names("relay", count, "detected", f"{size:g}", kind):
            number = results.tally("relay", count, "detected", f"{size:g}", kind, verdict)
            of += number
            held += number if verdict == "holds" else 0
    return held, of


# --- parts -------------------------------------------------------------------------------------------

Scale = Callable[[float], float]


def _square(
    title: str, across: Sequence[float], up: Sequence[float], under: str, beside: str
) -> tuple[ET.Element, Scale, Scale]:
    """A plot whose x is logarithmic; y too if it has marks of its own, else from 0 to 1."""
    left, top = 80, 76
    root = canvas(left + SIDE + 120, top + SIDE + 60, title)
    write(root, 20, 28, title, size=16)

    def x(value: float) -> float:
        return left + SIDE * math.log(value / across[0]) / math.log(across[-1] / across[0])

    def y(value: float) -> float:
        share = math.log(value / up[0]) / math.log(1 / up[0]) if up else value
        return top + SIDE * (1 - share)

    for value in across:
        _line(root, (x(value), top), (x(value), top + SIDE), RULE)
        write(root, x(value), top + SIDE + 18, f"{value:g}", size=11, colour=FAINT, anchor="middle")
    for value in (*up, 1.0) if up else (0, 0.25, 0.5, 0.75, 1):
        _line(root, (left, y(value)), (left + SIDE, y(value)), RULE)
        write(root, left - 8, y(value) + 4, f"{value:g}", size=11, colour=FAINT, anchor="end")
    write(root, left + SIDE / 2, top + SIDE + 40, under, size=12, colour=FAINT, anchor="middle")
    write(root, left, top - 8, beside, size=12, colour=FAINT)
    return root, x, y


def _legend(root: ET.Element, named: Mapping[str, str], left: float, y: float) -> None:
    for name, colour in named.items():
        ET.SubElement(root, "circle", {"cx": f"{left:g}", "cy": f"{y - 4:g}", "r": "4", "fill": colour})
        write(root, left + 9, y, name, size=12)
        left += 24 + 7 * len(name)


def _line(root: ET.Element, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    ends = {"x1": f"{start[0]:.1f}", "y1": f"{start[1]:.1f}", "x2": f"{end[0]:.1f}", "y2": f"{end[1]:.1f}"}
    ET.SubElement(root, "line", ends | {"stroke": colour})


def _path(root: ET.Element, points: Sequence[tuple[float, float]], colour: str, opacity: float) -> None:
    stroke = {"fill": "none", "stroke": colour, "stroke-width": "2", "opacity": f"{opacity:g}"}
    ET.SubElement(root, "polyline", {"points": " ".join(f"{x:.1f},{y:.1f}" for x, y in points)} | stroke)


def _named(looks: str) -> str:
    return f"{looks.replace('-', ' to ')} prompts"


def _text(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"

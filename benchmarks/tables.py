"""Results as Markdown tables, which read as well in a terminal as on a page."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.growth import LINES, Point, along, exponents
from benchmarks.sweep import Row

COLUMNS = (
    "case",
    "prompts",
    "experiments",
    "one forward, s",
    "plain engine",
    "TransformerLens's helper",
    "path_patching",
    "EAP-IG",
    "fast engine",
    "floor",
    "plain / fast",
    "fast / floor",
    "difference",
    "memory, MB",
)
UNITS = "Costs but the first are in plain forward passes of the same prompts in the same process."


def sweep_table(rows: Sequence[Row]) -> str:
    """The cases of one shape."""
    return table(COLUMNS, [_cells(row) for row in rows])


def _cells(row: Row) -> list[str]:
    differences = [row.difference, row.path_patching_difference or 0.0]
    return [
        f"{row.case}: {row.about}",
        f"{row.prompts}",
        f"{row.experiments}",
        f"{row.forward:.3g}",
        f"{row.plain:.0f}",
        _whole(row.helper),
        _whole(row.path_patching),
        _whole(row.eap_ig),
        f"{row.fast:.2f}",
        f"{row.floor:.2f}",
        f"{row.ratios['plain / fast']:.1f}",
        f"{row.ratios['fast / floor']:.2f}",
        f"{max(differences):.1e}",
        "" if row.memory is None else f"{row.memory / 1e6:.0f}",
    ]


def _whole(cost: float | None) -> str:
    return "" if cost is None else f"{cost:.0f}"


def growth_table(points: Sequence[Point]) -> str:
    """With which power of its size each cost grows, over the last three sizes of every axis."""
    rows = []
    for case, axis in dict.fromkeys((point.case, point.axis) for point in points):
        some = along(points, case, axis)
        powers = exponents(some)
        rows.append([case, axis, f"{some[0].size} to {some[-1].size}"] + [f"{powers[line]:.2f}" for line in LINES])
    return table(("case", "axis", "sizes", "plain engine", "fast engine", "one forward", "floor"), rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are as wide as their cells."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(head), "| " + " | ".join("-" * width for width in widths) + " |", *map(line, rows)])

"""Matrices of an atlas: a square for two circuits, or for a circuit on a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from circuitdsl.judge.estimates import Estimate
from circuitdsl.outcome import Atlas, AtlasCell, AtlasFunction
from circuitdsl.report.charts.drawing import EDGE, FALLS, NOTHING, RISES, altair, data
from circuitdsl.report.words import estimate, number, p_said
from circuitdsl.visible import visible

_STEP = 50  # pixels from one square to the next
LEVEL = 0.05  # of p-values, corrected for the pairs


@dataclass(frozen=True)
class Cell:
    """A square: its rows and columns are circuits by their places in the atlas."""

    row: int
    column: int
    value: float
    label: str
    said: str
    strong: bool = False


@dataclass(frozen=True)
class Matrix:
    title: str
    about: str
    cells: tuple[Cell, ...]


def matrices(atlas: Atlas) -> tuple[Matrix, ...]:
    """What is shared, and, where it was measured, what each circuit does alone and knocked out on every task."""
    said = "of the smaller circuit's heads, how many the other has too; dark edge: more than by chance, pairs corrected"
    found = [Matrix("Heads in both", said, tuple(_shared(atlas)))]
    if (function := atlas.function) is not None:
        said = "rows: whose heads; columns: on whose task; how much of the metric is left"
        found.append(Matrix("Kept alone", said, tuple(_measured(atlas, function, lambda cell: cell.faithfulness))))
        said = "rows: whose heads; columns: on whose task; blue: the metric falls, orange: it rises"
        found.append(Matrix("Knocked out", said, tuple(_measured(atlas, function, lambda cell: cell.knockout))))
    return tuple(found)


def _shared(atlas: Atlas) -> Iterator[Cell]:
    for row in atlas.order:
        for column in atlas.order:
            if row == column:
                continue
            pair = atlas.pair(row, column)
            share = number(pair.heads.of_smaller, "share", 0)
            said = f"{len(pair.heads.shared)} heads, {share}"
            if pair.chance is not None:
                said += f"; by chance {number(pair.chance_share, 'share', 0)}, {p_said(pair.p_holm)}"
            strong = pair.p_holm is not None and pair.p_holm < LEVEL
            yield Cell(row, column, pair.heads.of_smaller or 0.0, share, said, strong)


def _measured(atlas: Atlas, function: AtlasFunction, figure: Callable[[AtlasCell], Estimate]) -> Iterator[Cell]:
    for row in atlas.order:
        for column in atlas.order:
            cell = function.cell(row, column)
            found = figure(cell)
            if found.value is None:
                yield Cell(row, column, 0.0, "-", cell.note)
            else:
                shown = max(-1.0, min(1.0, found.value))
                yield Cell(row, column, shown, number(found.value, "share", 0), estimate(found, "share"))


def atlas_chart(atlas: Atlas) -> Any:
    """All matrices, one under the other; circuits that are alike stand together."""
    return altair().vconcat(*(matrix(each, atlas) for each in matrices(atlas)))


def matrix(shown: Matrix, atlas: Atlas) -> Any:
    alt = altair()
    names = [visible(atlas.names[place]) for place in atlas.order]  # as the rows have them
    rows = data(
        {
            "row": atlas.names[cell.row],
            "column": atlas.names[cell.column],
            "value": cell.value,
            "label": cell.label,
            "figure": cell.said,
            "strong": cell.strong,
        }
        for cell in shown.cells
    )
    x = alt.X("column:N", sort=names, title=None, axis=alt.Axis(orient="top", labelAngle=-30, labelLimit=200))
    y = alt.Y("row:N", sort=names, title=None, axis=alt.Axis(labelLimit=260))
    base = alt.Chart(rows).encode(x=x, y=y, tooltip=[alt.Tooltip(f"{name}:N") for name in ("row", "column", "figure")])
    squares = base.mark_rect(cornerRadius=4).encode(
        color=alt.Color(
            "value:Q",
            scale=alt.Scale(domain=[-1, 0, 1], range=[FALLS, NOTHING, RISES], clamp=True, interpolate="rgb"),
            legend=None,
        ),
        stroke=alt.condition("datum.strong", alt.value(EDGE), alt.value("transparent")),
        strokeWidth=alt.value(2),
    )
    dark = "datum.value < -0.5"  # white is easier to read on blue alone
    labels = base.mark_text(fontSize=12).encode(
        text="label:N", color=alt.condition(dark, alt.value("#ffffff"), alt.value("#111111"))
    )
    size = _STEP * len(names)
    title = alt.TitleParams(shown.title, subtitle=shown.about, anchor="start")
    return alt.layer(squares, labels).properties(width=size, height=size, title=title)

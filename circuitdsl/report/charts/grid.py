"""Figures of heads, layer by head: a square each, MLPs in a column of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from circuitdsl.components import ALL, Geometry, Head, Mlp, Node
from circuitdsl.outcome import HeadOutcome, SeriesOutcome, SweepReport
from circuitdsl.report.charts.drawing import EDGE, FALLS, NOTHING, RISES, altair, data
from circuitdsl.report.words import estimate, number

_STEP = 22  # pixels from one square to the next
_MLP = "mlp"


@dataclass(frozen=True)
class Square:
    """A head's or an MLP's figure: ``column`` is a head's number or "mlp". ``strong``: it is drawn with a dark edge."""

    layer: int
    column: str
    node: str
    value: float | None
    said: str
    strong: bool = False


@dataclass(frozen=True)
class Grid:
    """What one chart shows, with its title and what a person has to know of its colours."""

    title: str
    about: str
    squares: tuple[Square, ...]
    unit: str


def grid(shown: Grid, geometry: Geometry) -> Any:
    """Blue squares fall, orange ones rise, pale ones are near nothing; those without a figure are grey."""
    alt = altair()
    columns = [str(index) for index in range(geometry.n_heads)]
    columns += [_MLP] if any(square.column == _MLP for square in shown.squares) else []
    most = max((abs(square.value) for square in shown.squares if square.value is not None), default=0.0) or 1.0
    all_heads = data({"layer": layer, "head": head} for layer in range(geometry.n_layers) for head in columns)
    rows = data(
        {
            "layer": square.layer,
            "head": square.column,
            "node": square.node,
            "value": square.value,
            "figure": square.said,
            "strong": square.strong,
        }
        for square in shown.squares
        if square.value is not None
    )
    x = alt.X("head:O", sort=columns, title="head", axis=alt.Axis(labelAngle=0, ticks=False, domain=False))
    y = alt.Y("layer:O", sort="descending", title="layer", axis=alt.Axis(ticks=False, domain=False))
    colour = alt.Color(
        "value:Q",
        scale=alt.Scale(domain=[-most, 0, most], range=[FALLS, NOTHING, RISES], interpolate="rgb"),
        legend=alt.Legend(title=None, format="%" if shown.unit == "share" else "~g", gradientLength=110),
    )
    idle = alt.Chart(all_heads).mark_rect(color="#9aa3ad", opacity=0.22, cornerRadius=3).encode(x=x, y=y)
    filled = (
        alt.Chart(rows)
        .mark_rect(cornerRadius=3)
        .encode(
            x=x,
            y=y,
            color=colour,
            stroke=alt.condition("datum.strong", alt.value(EDGE), alt.value("transparent")),
            strokeWidth=alt.value(2),
            tooltip=[alt.Tooltip("node:N"), alt.Tooltip("figure:N")],
        )
    )
    size = {"width": _STEP * len(columns), "height": _STEP * geometry.n_layers}
    title = alt.TitleParams(shown.title, subtitle=shown.about, anchor="start")
    return alt.layer(idle, filled).properties(**size, title=title)


def of_heads(heads: Sequence[HeadOutcome], about: str) -> Grid:
    """The knockout effects of a circuit's heads; a head that is listed at several positions shows its largest."""
    strongest: dict[str, HeadOutcome] = {}
    for head in heads:
        known = strongest.get(head.head)
        if known is None or abs(head.estimate.value or 0.0) > abs(known.estimate.value or 0.0):
            strongest[head.head] = head
    squares = tuple(
        Square(layer, column, f"{head.head} at {head.position}", head.estimate.value, estimate(head.estimate, "share"))
        for head in strongest.values()
        for layer, column in _place(head.head)
    )
    return Grid("Each knocked out alone", about, squares, "share")


def _place(written: str) -> Iterable[tuple[int, str]]:
    """The square of a component as reports spell it: ``9.6``, ``mlp 5``; none of anything else."""
    layer, _, index = written.partition(".")
    if layer.isdigit() and index.isdigit():
        return [(int(layer), index)]
    kind, _, place = written.partition(" ")
    return [(int(place), _MLP)] if kind == _MLP and place.isdigit() else []


def of_sweep(report: SweepReport) -> tuple[Grid, ...]:
    """A grid for each term and position of its senders; a dark edge is beyond the floor."""
    found: list[Grid] = []
    for series in report.series:
        drawn = [sender for sender in series.senders if isinstance(sender.node.component, Head | Mlp)]
        for position in sorted({str(sender.node.position) for sender in drawn}):
            squares = tuple(
                Square(
                    *_square_of(sender.node),
                    str(sender.node),
                    sender.estimate.value,
                    estimate(sender.estimate, series.unit) if sender.estimate.value is not None else sender.note,
                    sender.finding == "beyond",
                )
                for sender in drawn
                if str(sender.node.position) == position
            )
            found.append(Grid(str(series.term), _about(series, position, squares), squares, series.unit))
    return tuple(found)


def _about(series: SeriesOutcome, position: str, squares: Iterable[Square]) -> str:
    """What a grid says under its term. Effects of senders have positions and a floor, what heads do has neither."""
    most = max((abs(square.value or 0.0) for square in squares), default=0.0)
    largest = f"largest {number(most, series.unit)}"
    if all(sender.finding in ("measured", "not measured") for sender in series.senders):
        return largest
    where = "all positions" if position == str(ALL) else position
    return f"senders at {where}; {largest}; dark edge: beyond the floor"


def _square_of(node: Node) -> tuple[int, str]:
    component = node.component
    return component.layer, str(component.index) if isinstance(component, Head) else _MLP


def sweep_chart(report: SweepReport) -> Any:
    """All grids of a sweep, one under the other."""
    drawn = (grid(each, report.circuit.geometry) for each in of_sweep(report))
    return altair().vconcat(*drawn).resolve_scale(color="independent")

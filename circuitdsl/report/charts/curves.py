"""Overlap curves: the overlap over the number of heads taken, with chance below it and the ceiling above."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from circuitdsl.compare.curve import Curve
from circuitdsl.report.charts.drawing import EDGE, altair, data
from circuitdsl.report.palette import LEFT, RIGHT, SHARED
from circuitdsl.report.words import CURVE_KINDS

_LINES = {"overlap": (SHARED, [1, 0]), "ceiling": (LEFT, [6, 3]), "chance": (RIGHT, [2, 3])}


def curves(drawn: Sequence[Curve]) -> Any:
    """Curves of the same two circuits, one under the other, at least one."""
    return altair().vconcat(*map(_panel, drawn))


def _panel(curve: Curve) -> Any:
    alt = altair()
    taken = "strongest heads taken on each task" + (", of each stage" if curve.kind == "stages" else "")
    x = alt.X("count:Q", title=taken, axis=alt.Axis(grid=False, tickMinStep=1), scale=alt.Scale(nice=False, zero=False))
    y = alt.Y("share:Q", title="overlap", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1]))
    legend = alt.Legend(title=None, orient="right")  # one legend shows both colour and dashes
    colours, dashes = (list(each) for each in zip(*_LINES.values(), strict=True))
    colour = alt.Color("line:N", scale=alt.Scale(domain=list(_LINES), range=colours), legend=legend)
    dash = alt.StrokeDash("line:N", scale=alt.Scale(domain=list(_LINES), range=dashes), legend=legend)
    points = data({"count": p.count, "low": p.low, "high": p.high} for p in curve.points)
    band = alt.Chart(points).mark_area(color=SHARED, opacity=0.18).encode(x=x, y=alt.Y("low:Q"), y2="high:Q")
    tooltip = [alt.Tooltip("line:N"), alt.Tooltip("count:Q"), alt.Tooltip("share:Q", format=".1%")]
    lines = (
        alt.Chart(data(_rows(curve)))
        .mark_line(strokeWidth=2)
        .encode(x=x, y=y, color=colour, strokeDash=dash, tooltip=tooltip)
    )
    title = f"{curve.left} and {curve.right}: overlap by {CURVE_KINDS[curve.kind]}"
    return alt.layer(band, lines, *_quoted(curve)).properties(width=520, height=260, title=title)


def _rows(curve: Curve) -> Iterator[dict[str, object]]:
    for point in curve.points:
        for line in _LINES:
            yield {"count": point.count, "line": line, "share": getattr(point, line)}


def _quoted(curve: Curve) -> Iterator[Any]:
    """A line at the overlap that is quoted, and points where the curve comes to it."""
    if curve.quoted is None:
        return
    alt = altair()
    yield alt.Chart(data([{"share": curve.quoted}])).mark_rule(color=EDGE, opacity=0.5).encode(y="share:Q")
    if curve.arises:
        rows = data({"count": count, "share": curve.quoted} for count in curve.arises)
        yield alt.Chart(rows).mark_point(filled=True, color=EDGE, size=50).encode(x="count:Q", y="share:Q")

"""Claims over models or over steps of training: a small chart a claim, with intervals and what is wanted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from circuitdsl.outcome import Panel, PanelClaim
from circuitdsl.outcome.drift import Standing
from circuitdsl.report.charts.drawing import FAINT, altair, data
from circuitdsl.report.charts.intervals import COLOURS
from circuitdsl.report.marks import WORDS
from circuitdsl.report.words import estimate
from circuitdsl.visible import visible

_ACROSS = 3  # charts side by side
_MARGIN = 0.06  # of a chart's height, beyond its outermost figures


def panel_chart(panel: Panel, claims: Sequence[PanelClaim] | None = None) -> Any:
    """A chart for each claim that has a figure, of ``claims`` or of all, those first that changed.

    Points are values, bars their intervals, dashed lines what the claim wants. Steps are an axis of numbers; models
    without steps stand in their order.
    """
    drawn = [
        _chart(claim, panel)
        for claim in (panel.changed_first if claims is None else claims)
        if any(each is not None and each.estimate.value is not None for each in claim.standings)
    ]
    return altair().concat(*drawn, columns=_ACROSS).resolve_scale(color="shared")


def _chart(claim: PanelClaim, panel: Panel) -> Any:
    alt = altair()
    unit = claim.first.unit
    low, high = _domain(claim)
    rows = data(_rows(claim, panel, low, high))
    x = _models(panel)
    axis = alt.Axis(tickCount=5, **({"format": "%"} if unit == "share" else {}))
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)

    def y(field: str) -> Any:
        return alt.Y(f"{field}:Q", scale=scale, axis=axis, title=None)

    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=[WORDS[verdict] for verdict in COLOURS], range=list(COLOURS.values())),
        legend=alt.Legend(title=None, orient="top", direction="horizontal"),
    )
    tooltip = [alt.Tooltip(f"{name}:N") for name in ("model", "verdict", "measured")]
    base = alt.Chart(rows).encode(x=x, tooltip=tooltip)
    wanted = [
        base.transform_filter(f"datum.{end} != null").mark_line(color=FAINT, strokeDash=[4, 3]).encode(y=y(end))
        for end in ("least", "most")
    ]
    line = base.mark_line(color=FAINT, strokeWidth=1, opacity=0.6).encode(y=y("value"))
    ends = base.transform_filter("datum.low != null").mark_rule(strokeWidth=2).encode(y=y("low"), y2="high:Q")
    point = base.mark_point(filled=True, size=30, opacity=1).encode(y=y("value"), color=colour)
    said = visible(claim.first.text.removeprefix("expect "))
    title = alt.TitleParams(said, subtitle=visible(claim.first.block), anchor="start", fontSize=11, limit=270)
    layers = (*wanted, *([line] if panel.by_step else []), ends.encode(color=colour), point)
    return alt.layer(*layers).properties(width=240, height=110, title=title)


def _models(panel: Panel) -> Any:
    alt = altair()
    if panel.by_step:
        return alt.X("step:Q", title="step", axis=alt.Axis(grid=False, tickCount=6), scale=alt.Scale(nice=False))
    return alt.X("model:N", sort=None, title=None, axis=alt.Axis(labelAngle=-40, labelLimit=120))


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _domain(claim: PanelClaim) -> tuple[float, float]:
    """From the lowest to the highest of all figures and bounds, and as far beyond as ends of intervals lie.

    As far as figures spread, or twice the length of half of the intervals: where a model barely does the task, one
    interval may be a thousand times as long as the others. It is cut there, as one without an end is.
    """
    known = [each for each in claim.standings if each is not None]
    figures = [each.estimate.value for each in known]
    figures += [end for each in known if each.bound for end in (each.bound.low, each.bound.high)]
    core = [value for value in figures if value is not None and math.isfinite(value)]
    intervals = [
        (each.low, each.high)
        for each in (one.estimate for one in known)
        if each.low is not None and each.high is not None
    ]
    lengths = [high - low for low, high in intervals if math.isfinite(high - low)]
    spread = max(core) - min(core)
    reach = max(spread, 2 * median(lengths) if lengths else 0.0)
    least, most = min(core) - reach, max(core) + reach
    ends = (end for interval in intervals for end in interval if math.isfinite(end))
    shown = [*core, *(min(max(end, least), most) for end in ends)]
    margin = _MARGIN * (max(shown) - min(shown) or 1.0)
    return min(shown) - margin, max(shown) + margin


def _rows(claim: PanelClaim, panel: Panel, low: float, high: float) -> Iterator[dict[str, object]]:
    for column, standing in zip(panel.columns, claim.standings, strict=True):
        if standing is not None and standing.estimate.value is not None:
            yield {"model": column.label, "step": column.model.step, **_row(standing, low, high)}


def _row(standing: Standing, low: float, high: float) -> dict[str, object]:
    found, bound = standing.estimate, standing.bound
    interval = found.low is not None and found.high is not None
    return {
        "value": found.value,
        "low": min(max(found.low, low), high) if interval and found.low is not None else None,
        "high": min(max(found.high, low), high) if interval and found.high is not None else None,
        "least": bound.low if bound and _finite(bound.low) else None,
        "most": bound.high if bound and _finite(bound.high) else None,
        "verdict": WORDS[standing.verdict],
        "measured": estimate(found, standing.unit),
    }

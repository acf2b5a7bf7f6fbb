"""Claims with their intervals, against what they want: a row each, a panel for each unit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Bound
from circuitdsl.outcome import ClaimOutcome
from circuitdsl.report.charts.drawing import FAINT, altair, data
from circuitdsl.report.marks import WORDS
from circuitdsl.report.words import bound, measured

COLOURS: Mapping[Verdict, str] = {
    Verdict.HOLDS: "#23915a",
    Verdict.FAILS: "#d03b3b",
    Verdict.UNDECIDED: "#c98a12",
    Verdict.ERROR: "#9b4fc0",
}
_TITLES = {"share": "share", "logits": "logits", "nats": "nats", "metric": "unit of the metric", "score": "score"}
_MARGIN = 0.06  # of a panel's width, beyond its outermost figures


def intervals(outcomes: Iterable[ClaimOutcome]) -> Any:
    """All claims that have a figure. What is wanted is shaded; a tick is the control that a claim compares with."""
    panels: dict[str, list[ClaimOutcome]] = {}
    for outcome in outcomes:
        known = [] if outcome.estimate.value is None else [outcome]
        panels.setdefault(outcome.unit, []).extend(known)
    drawn = (_panel(unit, known) for unit, known in panels.items() if known)
    return altair().vconcat(*drawn).resolve_scale(x="independent")


def _panel(unit: str, outcomes: Sequence[ClaimOutcome]) -> Any:
    alt = altair()
    low, high = _domain(outcomes)
    rows = data(_row(outcome, label, low, high) for outcome, label in zip(outcomes, _labels(outcomes), strict=True))
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    axis = alt.Axis(format="%" if unit == "share" else "~g", title=_TITLES[unit], orient="bottom")
    x = alt.X("value:Q", scale=scale, axis=axis)
    y = alt.Y("claim:N", sort=None, title=None, axis=alt.Axis(labelLimit=380, ticks=False, domain=False))
    verdicts = [WORDS[verdict] for verdict in COLOURS]
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=verdicts, range=list(COLOURS.values())),
        legend=alt.Legend(title=None, orient="top", direction="horizontal"),
    )
    tooltip = [alt.Tooltip(f"{name}:N") for name in ("claim", "verdict", "measured", "wanted")]
    base = alt.Chart(rows).encode(y=y, tooltip=tooltip)
    wanted = (
        base.transform_filter("datum.from != null")
        .mark_bar(opacity=0.14, color=FAINT, height=15)
        .encode(x=alt.X("from:Q", scale=scale, axis=axis), x2="to:Q")
    )
    second = (
        base.transform_filter("datum.from2 != null")
        .mark_bar(opacity=0.14, color=FAINT, height=15)
        .encode(x=alt.X("from2:Q", scale=scale, axis=axis), x2="to2:Q")
    )
    control = base.transform_filter("datum.control != null").mark_tick(color=FAINT, thickness=2, size=14)
    ends = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q", color=colour)
    point = base.mark_point(filled=True, size=46, opacity=1).encode(x=x, color=colour)
    layers = (wanted, second, control.encode(x=alt.X("control:Q", scale=scale, axis=axis)), ends, point)
    return alt.layer(*layers).properties(width=360, height=alt.Step(18))


def _domain(outcomes: Sequence[ClaimOutcome]) -> tuple[float, float]:
    """From the lowest to the highest of all figures, ends and finite bounds."""
    seen = [0.0]
    for outcome in outcomes:
        estimate, control = outcome.estimate, outcome.control
        seen += [end for end in (estimate.value, estimate.low, estimate.high) if end is not None]
        seen += [control.value] if control is not None and control.value is not None else []
        if isinstance(outcome.claim.bound, Bound):
            seen += [end for end in (outcome.claim.bound.low, outcome.claim.bound.high) if end is not None]
    finite = [value for value in seen if math.isfinite(value)]
    margin = _MARGIN * (max(finite) - min(finite) or 1.0)
    return min(finite) - margin, max(finite) + margin


def _labels(outcomes: Sequence[ClaimOutcome]) -> list[str]:
    """Each claim as it is written, after its line; those that are alike are numbered, since a row has one label."""
    seen: Counter[str] = Counter()
    labels: list[str] = []
    for outcome in outcomes:
        label = f"{outcome.claim.line}  {outcome.claim.text}"
        seen[label] += 1
        labels.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return labels


def _row(outcome: ClaimOutcome, label: str, low: float, high: float) -> dict[str, object]:
    ranges = _wanted(outcome, low, high)
    first, second = (*ranges, (None, None), (None, None))[:2]
    estimate = outcome.estimate
    return {
        "claim": label,
        "verdict": WORDS[outcome.verdict],
        "value": estimate.value,
        "low": _within(estimate.low, low, high, estimate.value),
        "high": _within(estimate.high, low, high, estimate.value),
        "measured": measured(outcome),
        "wanted": bound(outcome.claim.bound, outcome.unit, outcome.control),
        "from": first[0],
        "to": first[1],
        "from2": second[0],
        "to2": second[1],
        "control": None if outcome.control is None else outcome.control.value,
    }


def _within(end: float | None, low: float, high: float, otherwise: float | None) -> float | None:
    return otherwise if end is None else min(max(end, low), high)


def _wanted(outcome: ClaimOutcome, low: float, high: float) -> tuple[tuple[float, float], ...]:
    """Where the figure is wanted, as far as the panel shows: a range, or two; none for a control without a figure."""
    wanted = outcome.claim.bound
    if not isinstance(wanted, Bound):
        value = outcome.control.value if outcome.control is not None else None
        if value is None:
            return ()
        return ((value, high),) if wanted.op == ">" else ((low, value),)
    least = low if wanted.low is None else wanted.low
    most = high if wanted.high is None else wanted.high
    return ((low, least), (most, high)) if wanted.op == "outside" else ((least, most),)

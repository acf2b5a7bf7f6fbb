"""Where heads look on one prompt: a row a head, a column a token."""

from __future__ import annotations

from typing import Any

from circuitdsl.outcome import SinglePrompt
from circuitdsl.report.charts.drawing import FAINT, altair, data
from circuitdsl.report.words import number

ATTENDED = "#2f7fc8"
"""It stands out from light and from dark grounds."""

_WIDE, _HIGH = 26, 18  # pixels of a square


def token_labels(prompt: SinglePrompt) -> tuple[str, ...]:
    """Every token with its index, so that no two are alike, and the positions that it is."""
    names: dict[int, list[str]] = {}
    for name, indices in prompt.positions.items():
        for index in indices:
            names.setdefault(index, []).append(name)
    return tuple(
        f"{index} {_shown(token)}" + (f" [{' '.join(names[index])}]" if index in names else "")
        for index, token in enumerate(prompt.tokens)
    )


def _shown(token: str) -> str:
    """A token as it stands in the text; white space alone is made visible."""
    return token.replace("\n", "⏎").strip() or repr(token)


def look_labels(prompt: SinglePrompt) -> tuple[str, ...]:
    """Every head that looks, with where it looks from and its roles."""
    return tuple(f"{' '.join(look.roles)} {look.head} at {look.query}".strip() for look in prompt.looks)


def attention(prompt: SinglePrompt) -> Any:
    """The fuller a square, the more of its attention a head pays to the token."""
    alt = altair()
    tokens, heads = token_labels(prompt), look_labels(prompt)
    first = min(look.first for look in prompt.looks)
    rows = data(
        {"head": head, "token": tokens[look.first + place], "paid": round(paid, 4), "figure": number(paid, "share")}
        for head, look in zip(heads, prompt.looks, strict=True)
        for place, paid in enumerate(look.paid)
    )
    columns = [row["token"] for row in data({"token": token} for token in tokens[first:]).values]
    named = [row["head"] for row in data({"head": head} for head in heads).values]
    axis = alt.Axis(labelAngle=-60, labelLimit=140, ticks=False, domain=False)
    x = alt.X("token:O", sort=columns, title=None, axis=axis)
    y = alt.Y("head:O", sort=named, title=None, axis=alt.Axis(labelLimit=220, ticks=False, domain=False))
    shade = alt.FillOpacity("paid:Q", scale=alt.Scale(domain=[0, 1], range=[0, 1]), legend=None)
    tooltip = [alt.Tooltip("head:N"), alt.Tooltip("token:N"), alt.Tooltip("figure:N")]
    mark = {"cornerRadius": 2, "fill": ATTENDED, "stroke": FAINT, "strokeWidth": 1, "strokeOpacity": 0.25}
    chart = alt.Chart(rows).mark_rect(**mark).encode(x=x, y=y, fillOpacity=shade, tooltip=tooltip)
    return chart.properties(width=_WIDE * len(columns), height=_HIGH * len(named))

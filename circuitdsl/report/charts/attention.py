"""Where heads look on one prompt: a row a head, a column a token."""

from __future__ import annotations

from typing import Any

from circuitdsl.outcome import SinglePrompt
from circuitdsl.report.charts.drawing import FAINT, altair, data

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
    """The fuller a square, the more of its attention a head pays to the token.

    A row of the data is a head, and has what it pays as numbers: a row a square would be ten times as long on a page.
    """
    alt = altair()
    first = min(look.first for look in prompt.looks)
    tokens = data({"place": place, "token": token} for place, token in enumerate(token_labels(prompt)))
    columns = [row["token"] for row in tokens.values[first:]]
    heads = data(
        {
            "head": head,
            "place": list(range(look.first, look.first + len(look.paid))),
            "paid": [round(paid, 3) for paid in look.paid],
        }
        for head, look in zip(look_labels(prompt), prompt.looks, strict=True)
    )
    named = [row["head"] for row in heads.values]
    axis = alt.Axis(labelAngle=-60, labelLimit=140, ticks=False, domain=False)
    x = alt.X("token:O", sort=columns, title=None, axis=axis)
    y = alt.Y("head:O", sort=named, title=None, axis=alt.Axis(labelLimit=220, ticks=False, domain=False))
    shade = alt.FillOpacity("paid:Q", scale=alt.Scale(domain=[0, 1], range=[0, 1]), legend=None)
    tooltip = [alt.Tooltip("head:N"), alt.Tooltip("token:N"), alt.Tooltip("paid:Q", format=".1%")]
    mark = {"cornerRadius": 2, "fill": ATTENDED, "stroke": FAINT, "strokeWidth": 1, "strokeOpacity": 0.25}
    chart = alt.Chart(heads).mark_rect(**mark).encode(x=x, y=y, fillOpacity=shade, tooltip=tooltip)
    chart = chart.transform_flatten(["place", "paid"])
    chart = chart.transform_lookup("place", from_=alt.LookupData(tokens, key="place", fields=["token"]))
    return chart.properties(width=_WIDE * len(columns), height=_HIGH * len(named))

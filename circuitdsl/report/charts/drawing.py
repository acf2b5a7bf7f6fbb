"""Altair, which not everybody has, and charts as SVG and as the JSON that a page draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from circuitdsl.errors import InputError
from circuitdsl.visible import visible

if TYPE_CHECKING:
    from altair import InlineData, TopLevelMixin

FALLS, NOTHING, RISES = "#2166ac", "#f4f2ee", "#d95f0e"
"""Of figures that have a sign."""
EDGE, FAINT = "#20242a", "#8a929c"

REMEDY = 'pip install "circuitdsl[report]"'


def altair() -> Any:
    """The library. Raises InputError where it is not installed."""
    try:
        import altair
    except ImportError as error:
        raise InputError("charts are drawn by Altair, which is not installed", REMEDY) from error
    return altair


def data(rows: Iterable[Mapping[str, object]]) -> InlineData:
    """Rows as the data of a chart, all text in them made visible."""
    shown = [{k: visible(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows]
    return altair().InlineData(values=shown)


def spec(chart: TopLevelMixin) -> dict[str, Any]:
    """A chart as Vega-Lite, for a page to draw with its own colours of axes."""
    return chart.to_dict() | {"config": {"view": {"stroke": None}}}


def svg(chart: TopLevelMixin) -> str:
    """A chart as standalone SVG on white. Raises InputError where vl-convert is not installed."""
    drawn = spec(chart) | {"background": "#ffffff"}
    return vl_convert().vegalite_to_svg(drawn, vl_version=_version())


@cache
def javascript() -> str:
    """Vega, Vega-Lite and vega-embed as one script, which sets ``vegaEmbed``: a second of work, always the same."""
    return vl_convert().javascript_bundle()


def vl_convert() -> Any:
    """The library. Raises InputError where it is not installed."""
    try:
        import vl_convert
    except ImportError as error:
        raise InputError("charts are converted by vl-convert, which is not installed", REMEDY) from error
    return vl_convert


def _version() -> str:
    return ".".join(altair().SCHEMA_VERSION.removeprefix("v").split(".")[:2])

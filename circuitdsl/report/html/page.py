"""A page as one HTML file: no network, light and dark, for phones and paper, with keys and with a reader of screens."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from circuitdsl.errors import InputError
from circuitdsl.outcome import Atlas, CircuitDiff, Panel, Report, SweepReport
from circuitdsl.report.charts.drawing import altair, javascript, vl_convert
from circuitdsl.report.html.blocks import Chart, Page
from circuitdsl.visible import visible_lines

Paged = Atlas | CircuitDiff | Panel | Report | SweepReport
"""What has a page."""


def html(what: object) -> str:
    """The page of a report, a panel, a comparison, an atlas or a sweep. Raises InputError for what has none, and where
    what it is made by is not installed."""
    return written(page(what))


def need_makers() -> None:
    """Raise InputError where what pages are made by is not installed."""
    altair()
    vl_convert()
    _templates()


def page(what: object) -> Page:
    """What the page says. Raises InputError for what has none."""
    match what:
        case Report():
            from circuitdsl.report.html.reports import report_page

            return report_page(what)
        case Panel():
            from circuitdsl.report.html.panel import panel_page

            return panel_page(what)
        case SweepReport():
            from circuitdsl.report.html.reports import sweep_page

            return sweep_page(what)
        case CircuitDiff():
            from circuitdsl.report.html.pairs import diff_page

            return diff_page(what)
        case Atlas():
            from circuitdsl.report.html.pairs import atlas_page

            return atlas_page(what)
        case _:
            name = type(what).__name__.lower()
            raise InputError(f"there is no page of a {name}", "show it as text, or as JSON")


def written(page: Page) -> str:
    """A page as text. All text in it is made visible and escaped; scripts and styles are ours alone."""
    blocks = (block for section in page.sections for part in section.subsections for block in part.blocks)
    drawn = any(isinstance(block, Chart) for block in blocks)
    template = _templates().get_template("page.html.jinja")
    return template.render(
        page=page,
        style=_file("style.css"),
        script=_file("script.js"),
        vega=javascript().replace("</script", "<\\/script") if drawn else "",
    )


@cache
def _templates() -> Any:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise InputError(
            "pages are made by Jinja2, which is not installed", 'pip install "circuitdsl[report]"'
        ) from error
    return Environment(
        loader=PackageLoader("circuitdsl.report.html", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible_lines(value) if type(value) is str else value,
    )


def _file(name: str) -> str:
    return (resources.files("circuitdsl.report.html") / "templates" / name).read_text(encoding="utf-8")

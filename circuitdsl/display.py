"""Things that draw themselves: a page where they are printed, a page with its picture in a notebook, elsewhere a line.

Circuits, plans and reports know nothing of pages. Whatever draws them is an entry point of the group
``circuitdsl.displays``, found by name when something is drawn (report/displays.py).
"""

from __future__ import annotations

from typing import Any

from circuitdsl.plugins import installed, load


class Displayed:
    """A base of dataclasses that are made with ``repr=False``."""

    def __str__(self) -> str:
        """The page of text that the command line prints, 100 columns wide and without colours."""
        return drawn("page", self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {drawn('line', self)}>"

    def _repr_html_(self) -> str:
        """For a cell of a notebook: the page with its colours, and the picture where there is one."""
        return drawn("html", self)

    def chart(self) -> Any:
        """The figures as an Altair chart. Raises InputError for what has none, and where Altair is not installed."""
        return drawn("chart", self)

    def svg(self) -> str:
        """The picture as SVG. Raises InputError for what has none."""
        return drawn("svg", self)


def drawn(how: str, what: object) -> Any:
    """Something as a ``page``, a ``line``, ``html``, ``svg`` or a ``chart``."""
    return load(installed("displays")[how])(what)

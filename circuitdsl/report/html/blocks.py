"""What pages are made of: sections of prose, facts, tables and pictures, each picture with a table behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Link:
    """A text that leads to a place of the page."""

    text: str
    to: str


Cell = str | Link


@dataclass(frozen=True)
class Row:
    """``verdict`` colours it; ``anchor`` is what links lead to; ``more`` stands under it, a line each."""

    cells: tuple[Cell, ...]
    verdict: str = ""
    anchor: str = ""
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """``folded``: it is opened by whoever wants it, under its caption."""

    kind: Literal["table"] = "table"
    caption: str = ""
    head: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    folded: bool = False


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite specification, and what it shows in words. ``behind`` has its figures."""

    spec: dict[str, Any]
    said: str
    behind: Table | None = None
    kind: Literal["chart"] = "chart"


@dataclass(frozen=True)
class Picture:
    """An SVG of our own, and what it shows in words. ``behind`` has its figures."""

    svg: str
    said: str
    behind: Table | None = None
    kind: Literal["picture"] = "picture"


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    pairs: tuple[tuple[str, str], ...]
    kind: Literal["facts"] = "facts"


@dataclass(frozen=True)
class Prose:
    """Paragraphs; ``note``: of less weight."""

    lines: tuple[str, ...]
    note: bool = False
    kind: Literal["prose"] = "prose"


@dataclass(frozen=True)
class Code:
    """Commands or text that is to be copied as it stands."""

    text: str
    kind: Literal["code"] = "code"


Block = Table | Chart | Picture | Facts | Prose | Code


@dataclass(frozen=True)
class Subsection:
    """Blocks under a heading of their own."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Section:
    """``verdict``: the worst of its claims, "" where nothing is claimed."""

    anchor: str
    title: str
    subsections: tuple[Subsection, ...]
    about: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Page:
    """``said`` is the result in a sentence, ``verdict`` its colour."""

    title: str
    said: str
    sections: tuple[Section, ...]
    verdict: str = ""

"""An atlas as standalone SVG: a square a pair of circuits, and a circuit on a task; those that are alike together."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from circuitdsl.judge.estimates import Estimate
from circuitdsl.outcome import Atlas, AtlasCell, AtlasFunction
from circuitdsl.report.palette import IDLE, text_on
from circuitdsl.report.pictures.parts import FAINT, INK, canvas, write
from circuitdsl.report.words import estimate, number, p_said
from circuitdsl.report.xml import xml_text

_CELL, _STEP = 48, 50  # pixels of a square, and from one to the next
_LETTER = 7.2  # pixels that a letter of a name takes
_TOP, _HEAD, _FOOT = 64, 78, 34
_MORE, _LESS = (217, 95, 14), (33, 102, 172)


@dataclass(frozen=True)
class _Square:
    """What is drawn of a row and a column: its colour's strength from -1 to 1, its text, its title; a dark edge."""

    strength: float
    label: str
    title: str
    edge: bool = False


Squares = Callable[[int, int], _Square | None]
"""The square of a row and a column, by the circuits' places; None for none."""


def atlas_svg(atlas: Atlas) -> str:
    """All matrices, one under the other. A square's title says its figure with its interval."""
    names = atlas.names
    left = 60 + _LETTER * max(map(len, names))
    size = len(names) * _STEP
    panels = tuple(_panels(atlas))
    each = _HEAD + size + _FOOT
    root = canvas(max(760, left + size + 40), _TOP + len(panels) * each, "atlas")
    models = ", ".join(dict.fromkeys(circuit.model for circuit in atlas.circuits))
    write(root, 24, 34, f"{len(names)} circuits of {models}", size=20, weight="600")
    for number_, (title, said, squares) in enumerate(panels):
        top = _TOP + number_ * each
        write(root, 24, top + 16, title, weight="600")
        write(root, 24, top + 34, said, size=11, colour=FAINT)
        _draw(root, left, top + _HEAD, atlas, squares)
    return xml_text(root)


def _panels(atlas: Atlas) -> Iterator[tuple[str, str, Squares]]:
    said = "of the smaller circuit's heads, how many the other has too; dark edge: more than by chance, pairs corrected"
    yield "Heads in both", said, lambda row, column: _shared(atlas, row, column)
    if (function := atlas.function) is not None:
        said = "rows: whose heads; columns: on whose task; how much of the metric is left"
        yield "Kept alone", said, _measured(function, lambda cell: cell.faithfulness)
        said = "rows: whose heads; columns: on whose task; blue: the metric falls, orange: it rises"
        yield "Knocked out", said, _measured(function, lambda cell: cell.knockout)


def _shared(atlas: Atlas, row: int, column: int) -> _Square | None:
    if row == column:
        return None
    pair = atlas.pair(row, column)
    share = number(pair.heads.of_smaller, "share", 0)
    title = f"{atlas.names[row]}, {atlas.names[column]}: {len(pair.heads.shared)} heads, {share}"
    if pair.chance is not None:
        title += f"; by chance {number(pair.chance_share, 'share', 0)}, {p_said(pair.p_holm)}"
    return _Square(pair.heads.of_smaller or 0.0, share, title, pair.p_holm is not None and pair.p_holm < 0.05)


def _measured(function: AtlasFunction, figure: Callable[[AtlasCell], Estimate]) -> Squares:
    def square(row: int, column: int) -> _Square:
        cell = function.cell(row, column)
        found = figure(cell)
        if found.value is None:
            return _Square(0.0, "-", cell.note)
        return _Square(max(-1.0, min(1.0, found.value)), number(found.value, "share", 0), estimate(found, "share"))

    return square


def _draw(root: ET.Element, left: float, top: float, atlas: Atlas, squares: Squares) -> None:
    for line, row in enumerate(atlas.order):
        y = top + line * _STEP
        write(root, left - 12, y + _CELL / 2 + 4, f"{atlas.names[row]}  {line + 1}", size=12, anchor="end")
        write(root, left + line * _STEP + _CELL / 2, top - 10, str(line + 1), size=12, colour=FAINT, anchor="middle")
        for place, column in enumerate(atlas.order):
            square = squares(row, column)
            if square is not None:
                _square(root, left + place * _STEP, y, square)


def _square(root: ET.Element, x: float, y: float, square: _Square) -> None:
    fill = _colour(square.strength)
    edge = {"stroke": INK, "stroke-width": "2"} if square.edge else {"stroke": IDLE}
    shape = {"x": f"{x:g}", "y": f"{y:g}", "width": f"{_CELL}", "height": f"{_CELL}", "rx": "4", "fill": fill}
    drawn = ET.SubElement(root, "rect", shape | edge)
    ET.SubElement(drawn, "title").text = square.title
    colour = text_on(fill)
    write(root, x + _CELL / 2, y + _CELL / 2 + 4, square.label, size=12, colour=colour, anchor="middle")


def _colour(strength: float) -> str:
    """White at nothing."""
    to = _LESS if strength < 0 else _MORE
    return "#" + "".join(f"{round(255 + (end - 255) * abs(strength)):02x}" for end in to)

"""Where the boxes and the arrows of a graph stand: rows from the bottom up, each arrow leading to a higher row.

The method is Sugiyama, Tagawa and Toda's (1981): rows by longest paths, a point in every row that an arrow passes so
that it finds its way between the boxes, an order within rows by the mean of the neighbours, and places as close to the
neighbours' as the boxes' widths allow (least squares, an isotonic regression).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import isotonic_regression

PASS = 30.0  # pixels that an arrow takes between boxes
BETWEEN = 26.0  # pixels between the boxes of a row
SWEEPS = 12

Point = tuple[float, float]
Arrow = tuple[str, str]


@dataclass(frozen=True)
class Layout:
    """``centres`` of boxes, and for every arrow, in the order given, the points that it leads through: the edge of the
    sender's box, the lower and upper edge of every row that it passes, the edge of the receiver's box."""

    centres: Mapping[str, Point]
    routes: tuple[tuple[Point, ...], ...]
    width: float
    height: float


@dataclass(frozen=True)
class _Slot:
    """What takes a place in a row: a box, or an arrow on its way through (``arrow`` is its number)."""

    row: int
    box: str = ""
    arrow: int = -1


def layout(sizes: Mapping[str, tuple[float, float]], arrows: Sequence[Arrow], row_gap: float) -> Layout:
    """Boxes of these sizes (width, height), named from the first to be computed to the last, and arrows between them.

    The graph should have no cycles: arrows that lead back, or to their own box, take no part in finding the rows.
    Rows are ``row_gap`` apart; no box overlaps another and no arrow that leads up crosses a box.
    """
    order = {name: place for place, name in enumerate(sizes)}
    row_of = _rows(order, [arrow for arrow in arrows if order[arrow[0]] < order[arrow[1]]])
    chains = [
        (
            _Slot(row_of[sender], sender),
            *(_Slot(row, arrow=number) for row in range(row_of[sender] + 1, row_of[receiver])),
            _Slot(row_of[receiver], receiver),
        )
        for number, (sender, receiver) in enumerate(arrows)
    ]
    steps = [step for chain in chains if chain[0].row < chain[-1].row for step in pairwise(chain)]
    slots = dict.fromkeys([_Slot(row_of[name], name) for name in sizes] + [slot for chain in chains for slot in chain])
    rows = [[slot for slot in slots if slot.row == row] for row in range(max(row_of.values(), default=-1) + 1)]
    widths = {slot: sizes[slot.box][0] if slot.box else PASS for slot in slots}
    across = _across(_ordered(rows, steps), widths, steps)
    heights = [max((sizes[slot.box][1] for slot in row if slot.box), default=0.0) for row in rows]
    tops = _tops(heights, row_gap)
    middle = {name: tops[row] + heights[row] / 2 for name, row in row_of.items()}
    centres = {name: (across[_Slot(row_of[name], name)], middle[name]) for name in sizes}
    ports = _ports(chains, across, sizes)
    routes = []
    for number, (sender, receiver) in enumerate(arrows):
        passed = [
            point
            for slot in chains[number][1:-1]
            for point in ((across[slot], tops[slot.row] + heights[slot.row]), (across[slot], tops[slot.row]))
        ]
        start = (centres[sender][0] + ports[number, 0], middle[sender] - sizes[sender][1] / 2)
        end = (centres[receiver][0] + ports[number, 1], middle[receiver] + sizes[receiver][1] / 2)
        routes.append((start, *passed, end))
    right = max((across[slot] + widths[slot] / 2 for slot in slots), default=0.0)
    return Layout(centres, tuple(routes), right, sum(heights) + row_gap * max(0, len(heights) - 1))


def _rows(order: Mapping[str, int], arrows: Sequence[Arrow]) -> dict[str, int]:
    """The row of each box: one above the highest sender; what nothing feeds stands just below its lowest receiver."""
    rows = dict.fromkeys(order, 0)
    for name in order:
        rows[name] = max((rows[sender] + 1 for sender, receiver in arrows if receiver == name), default=0)
    fed = {receiver for _, receiver in arrows}
    for name in order:
        if name not in fed:
            rows[name] = min((rows[receiver] - 1 for sender, receiver in arrows if sender == name), default=0)
    return rows


def _tops(heights: Sequence[float], gap: float) -> list[float]:
    """The upper edge of each row; the last row is at the top, at 0."""
    return [sum(heights[row + 1 :]) + gap * (len(heights) - 1 - row) for row in range(len(heights))]


def _neighbours(steps: Iterable[tuple[_Slot, _Slot]]) -> tuple[dict[_Slot, list[_Slot]], dict[_Slot, list[_Slot]]]:
    below: dict[_Slot, list[_Slot]] = {}
    above: dict[_Slot, list[_Slot]] = {}
    for sender, receiver in steps:
        below.setdefault(receiver, []).append(sender)
        above.setdefault(sender, []).append(receiver)
    return below, above


def _ordered(rows: list[list[_Slot]], steps: Sequence[tuple[_Slot, _Slot]]) -> list[list[_Slot]]:
    """The rows in the order, of all that the sweeps come to, in which the fewest arrows cross."""
    below, above = _neighbours(steps)
    best, fewest = rows, _crossings(rows, steps)
    for sweep in range(SWEEPS):
        upwards = sweep % 2 == 0
        beside = below if upwards else above
        rows = [list(row) for row in rows]
        for row in rows if upwards else reversed(rows):
            place = {slot: i / max(1, len(each) - 1) for each in rows for i, slot in enumerate(each)}
            row.sort(key=lambda slot: np.mean([place[other] for other in beside.get(slot, [slot])]))
        crossings = _crossings(rows, steps)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _crossings(rows: Sequence[Sequence[_Slot]], steps: Sequence[tuple[_Slot, _Slot]]) -> int:
    place = {slot: i for row in rows for i, slot in enumerate(row)}
    ends = [(sender.row, place[sender], place[receiver]) for sender, receiver in steps]
    return sum(a[0] == b[0] and (a[1] - b[1]) * (a[2] - b[2]) < 0 for i, a in enumerate(ends) for b in ends[:i])


def _across(
    rows: Sequence[Sequence[_Slot]], widths: Mapping[_Slot, float], steps: Sequence[tuple[_Slot, _Slot]]
) -> dict[_Slot, float]:
    """The middle of each slot, from 0: rows packed at first, then each slot drawn towards its neighbours' mean."""
    below, above = _neighbours(steps)
    offsets, across = {}, {}
    widest = max((sum(widths[slot] + BETWEEN for slot in row) for row in rows), default=0.0)
    for row in rows:
        ends = np.cumsum([widths[slot] + BETWEEN for slot in row])
        offsets |= {slot: float(end) - widths[slot] / 2 for slot, end in zip(row, ends, strict=True)}
        across |= {slot: offsets[slot] + (widest - ends[-1]) / 2 for slot in row}
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 else reversed(rows):
            if row:
                wanted = [_wanted(slot, across, (*below.get(slot, ()), *above.get(slot, ()))) for slot in row]
                free = isotonic_regression([x - offsets[slot] for x, slot in zip(wanted, row, strict=True)]).x
                across |= {slot: float(x) + offsets[slot] for x, slot in zip(free, row, strict=True)}
    leftmost = min((across[slot] - widths[slot] / 2 for slot in across), default=0.0)
    return {slot: x - leftmost for slot, x in across.items()}


def _wanted(slot: _Slot, across: Mapping[_Slot, float], beside: Sequence[_Slot]) -> float:
    return float(np.mean([across[other] for other in beside])) if beside else across[slot]


def _ports(
    chains: Sequence[Sequence[_Slot]], across: Mapping[_Slot, float], sizes: Mapping[str, tuple[float, float]]
) -> dict[tuple[int, int], float]:
    """Where arrows begin and end, from the middle of the box: (arrow, 0 for its start and 1 for its end) -> offset.

    The arrows of one edge of a box share it evenly, in the order of where they come from or lead to.
    """
    found = {}
    for end in (0, 1):
        at: dict[str, list[int]] = {}
        for number, chain in enumerate(chains):
            at.setdefault(chain[-end].box, []).append(number)
        for box, numbers in at.items():
            numbers.sort(key=lambda number: across[chains[number][1 - 3 * end]])
            for place, number in enumerate(numbers, start=1):
                found[number, end] = sizes[box][0] * (place / (len(numbers) + 1) - 0.5)
    return found

"""How the cost of a sweep grows with prompts, layers, heads and length, one at a time, on small models.

Costs are in floating-point operations: CPU seconds times the rate of matrix products measured beside them, so that
points of different sizes can be compared and the floor needs no clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log2

from benchmarks.models import Shape, prompts_of, shaped
from benchmarks.sweep import row_of

CASES = ("a", "b")
LINES = ("plain", "fast", "forward", "floor")


@dataclass(frozen=True)
class Grid:
    """A model and prompts to start from, and the sizes that each axis takes while the others stay."""

    shape: Shape
    prompts: int
    length: int
    sizes: Mapping[str, Sequence[int]]


GRIDS = {
    "tiny": Grid(Shape(2, 2, 16, 64), 2, 8, {"prompts": (2, 4), "layers": (2, 4), "heads": (2, 4), "length": (8, 16)}),
    "usual": Grid(
        Shape(8, 8, 256, 2048),
        16,
        16,
        {
            "prompts": (8, 16, 32, 64, 128),
            "layers": (2, 4, 8, 16, 32),
            "heads": (4, 8, 16, 32),
            "length": (8, 16, 32, 64, 128),
        },
    ),
}


@dataclass(frozen=True)
class Point:
    """The cost of a case's sweep at one size, in floating-point operations at the rate of matrix products.

    ``forward`` is one plain forward pass of its prompts; ``plain`` is extrapolated from a sample.
    """

    case: str
    axis: str
    size: int
    experiments: int
    plain: float
    fast: float
    forward: float
    floor: float


def points(grid: Grid) -> Iterator[Point]:
    """Every case along every axis."""
    for case in CASES:
        for axis, sizes in grid.sizes.items():
            for size in sizes:
                yield _point(grid, case, axis, size)


def _point(grid: Grid, case: str, axis: str, size: int) -> Point:
    shape = replace(grid.shape, **{axis: size}) if axis in ("layers", "heads") else grid.shape
    count = size if axis == "prompts" else grid.prompts
    length = size if axis == "length" else grid.length
    row, _ = row_of(case, shaped(shape, "growth"), prompts_of(count, length, shape.vocabulary))
    unit = row.forward * row.rate
    return Point(case, axis, size, row.experiments, row.plain * unit, row.fast * unit, unit, row.floor * unit)


def exponents(some: Sequence[Point]) -> dict[str, float]:
    """The power of the size with which each cost grows over the last three sizes of one axis."""
    before, *_, last = some[-3:]
    doublings = log2(last.size / before.size)
    return {line: log2(getattr(last, line) / getattr(before, line)) / doublings for line in LINES}


def along(some: Sequence[Point], case: str, axis: str) -> list[Point]:
    """The points of a case along an axis."""
    return [point for point in some if (point.case, point.axis) == (case, axis)]

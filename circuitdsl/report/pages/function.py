"""How two circuits share their work, for people: what each part does on both tasks, and the overlap curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from rich.console import Group, RenderableType
from rich.table import Table

from circuitdsl.compare.curve import Curve, Point
from circuitdsl.measures.comparisons import SIDES, Side
from circuitdsl.outcome import Cell, Dissociation, Function, FunctionalComparison
from circuitdsl.outcome.function import Dissociated
from circuitdsl.report.palette import SHARED
from circuitdsl.report.text import Text
from circuitdsl.report.words import CURVE_KINDS, estimate, number, p_said, p_value, plural

LEVELS = "▁▂▃▄▅▆▇█"
COLUMNS = 60  # of the longest sparkline

FUNCTION_EXPLAINED = (
    "kept alone: how much of the task's metric is left with all other heads ablated; 100% is all of it, 0% none",
    "knocked out: by how much of itself the metric changes with these heads ablated and all others left alone",
)

CURVES_EXPLAINED = (
    "Which heads a circuit has depends on how strong a head must be: each task takes its strongest, ever more of them",
    "overlap: the share of the smaller set of heads that is in both; resampled: where it lies on resampled prompts",
    "ceiling: the overlap of a task with itself, its heads found twice on resampled prompts (the less certain task's)",
    "chance: the overlap of heads drawn at random in the same layers; p: how likely these share as many or more",
)

WORDS: Mapping[Dissociated, str] = {
    "double": "a double dissociation: each circuit's knockout hurts its own task more than the other one's",
    "left only": "dissociation one way: only {left}'s knockout hurts its own task more than the other one's",
    "right only": "dissociation one way: only {right}'s knockout hurts its own task more than the other one's",
    "none": "no dissociation: neither circuit's knockout hurts its own task more than the other one's",
    "undecided": "whether they dissociate is undecided on these prompts",
}


def functional_summary(functional: FunctionalComparison) -> RenderableType:
    """The table of function and all curves."""
    blocks: list[RenderableType] = [function_summary(functional.function), Text()]
    if functional.curves:
        blocks += [*(Text(line, style="dim") for line in CURVES_EXPLAINED), Text()]
    for curve in functional.curves:
        blocks += [curve_summary(curve), Text()]
    return Group(*blocks)


# --- function --------------------------------------------------------------------------------------


def function_summary(function: Function) -> RenderableType:
    """Each part on both tasks, kept alone and knocked out, and the dissociation."""
    return Group(
        Text("What each part does on both tasks", style="bold"),
        *(Text(line, style="dim") for line in FUNCTION_EXPLAINED),
        *(_on_task(function, side, task) for side, task in zip(SIDES, function.tasks, strict=True)),
        *_dissociated(function),
        *(Text(f"note: {note}", style="dim") for note in function.notes),
    )


def _dissociated(function: Function) -> Iterator[RenderableType]:
    said = _dissociation(function.dissociation, function.left, function.right)
    yield Text(f"Conclusion: {next(said)}")
    yield from (Text(line, style="dim") for line in said)


def _on_task(function: Function, side: Side, task: str) -> RenderableType:
    left, right = function.left, function.right
    names = {"left": left, "right": right, "left only": f"only {left}", "right only": f"only {right}"}
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for column in (f"on {task}", "heads", "kept alone", "knocked out"):
        table.add_column(column, justify="left" if column.startswith("on ") else "right", no_wrap=True)
    for cell in function.cells:
        if cell.task == side:
            table.add_row(names.get(cell.part, cell.part), *_cell(cell))
    return table


def _cell(cell: Cell) -> Iterator[str]:
    yield str(cell.heads)
    yield estimate(cell.faithfulness, "share", 0)
    yield estimate(cell.knockout, "share", 0)


def _dissociation(found: Dissociation, left: str, right: str) -> Iterator[str]:
    yield WORDS[found.kind].format(left=left, right=right)
    yield (
        f"{left} hurts its own task more by {estimate(found.left, 'share')}, "
        f"{right} its own by {estimate(found.right, 'share')}"
    )
    if found.pairs:
        random = found.random
        low, high = (number(end, "share") for end in (random.low, random.high))
        yield (
            f"the smaller of {plural(found.pairs, 'random pair')} with as many heads in each layer: "
            f"{number(random.value, 'share')} on average, nine in ten from {low} to {high}, "
            f"{p_said(found.p_value)}"
        )
    if found.note:
        yield found.note


# --- curves ----------------------------------------------------------------------------------------


def curve_summary(curve: Curve) -> RenderableType:
    """One curve: a line of blocks each for overlap, chance and ceiling, and the figures at a few thresholds."""
    points = curve.points
    lines = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for name, shares, style in (
        ("overlap", [point.overlap for point in points], SHARED),
        ("ceiling", [point.ceiling for point in points], "dim"),
        ("chance", [point.chance for point in points], "dim"),
    ):
        lines.add_row(Text(name, style=style), Text(sparkline(shares), style=style))
    return Group(
        Text(f"Overlap at every threshold, by {CURVE_KINDS[curve.kind]}", style="bold"),
        lines,
        _thresholds(curve),
        *(Text(line, style="dim") for line in _remarks(curve)),
    )


def sparkline(shares: Sequence[float], columns: int = COLUMNS) -> str:
    """Shares from 0 to 1 as a line of blocks, each the mean of as many neighbours as fit the line in ``columns``."""
    width = min(columns, len(shares))
    edges = [round(i * len(shares) / width) for i in range(width + 1)] if width else []
    means = [sum(shares[a:b]) / (b - a) for a, b in pairwise(edges)]
    return "".join(LEVELS[min(len(LEVELS) - 1, int(mean * len(LEVELS)))] for mean in means)


def _thresholds(curve: Curve) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("top heads", "of all", "left", "right", "both", "overlap", "resampled", "ceiling", "chance", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for point in landmarks(curve):
        table.add_row(
            str(point.count) + ("*" if point.count in curve.arises else ""),
            number(point.share, "share"),
            str(point.left),
            str(point.right),
            str(point.shared),
            number(point.overlap, "share", 0),
            f"{number(point.low, 'share', 0).removesuffix('%')} to {number(point.high, 'share', 0)}",
            number(point.ceiling, "share", 0),
            number(point.chance, "share", 0),
            p_value(point.p_value),
        )
    return table


def landmarks(curve: Curve) -> tuple[Point, ...]:
    """The points that a table shows: at 1, 2, 5, 10, 20 and 50 per cent of all heads, where the quoted share first and
    last arises, and at the end."""
    wanted = {max(1, round(share * curve.heads)) for share in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)}
    wanted |= {*curve.arises[:1], *curve.arises[-1:], curve.points[-1].count}
    return tuple(point for point in curve.points if point.count in wanted)


def _remarks(curve: Curve) -> Iterator[str]:
    yield (
        f"rank correlation of all {plural(curve.heads, 'head')}' effects (Spearman): {estimate(curve.correlation, '')}"
    )
    if curve.quoted is not None:
        quoted = number(curve.quoted, "share", 0)
        where = f"at the top {_listed(curve.arises)}*" if curve.arises else "at no threshold"
        yield f"an overlap of {quoted}, the share to look for, arises {where}"
    for note in curve.notes:
        yield f"note: {note}"


def _listed(counts: Sequence[int]) -> str:
    shown = ", ".join(map(str, counts[:6]))
    return shown if len(counts) <= 6 else f"{shown}, ... {counts[-1]}"

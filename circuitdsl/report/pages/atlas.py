"""Any number of circuits side by side, for people: matrices of what they share and of what each does for every task."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table

from circuitdsl.compare.atlas import Pair
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.outcome import Atlas, AtlasCell, AtlasFunction
from circuitdsl.report.output import View
from circuitdsl.report.pages.facts import rule, took
from circuitdsl.report.palette import SHARED
from circuitdsl.report.text import Text
from circuitdsl.report.words import number, p_value, plural, seconds

_SHOWN = 15  # pairs that are shown in any case
_BEYOND = 0.05  # a corrected p-value under this is marked

SHARED_EXPLAINED = (
    "The share of the smaller circuit's heads that the other has too; under it what chance would give, heads drawn at "
    "random in the same layers",
    "*: more than by chance, p < 5% with all pairs corrected for each other (Holm)",
)

KEPT_EXPLAINED = (
    "The heads of each circuit (row) kept alone on each task (column): how much of the task's metric is left; 100% is "
    "all of it"
)

REMOVED_EXPLAINED = (
    "The heads of each circuit (row) knocked out on each task (column): by how much of itself the metric changes"
)


def render_atlas(atlas: Atlas, view: View) -> RenderableType:
    """The whole page; ``view.verbose`` lists every pair."""
    models = ", ".join(dict.fromkeys(circuit.model for circuit in atlas.circuits))
    return Group(
        rule(f"{plural(len(atlas.circuits), 'circuit')} of {models}"),
        Text("Circuits with many heads in common stand side by side", style="dim"),
        Text(),
        _names(atlas),
        Text(),
        Text("What they share", style="bold"),
        *(Text(line, style="dim") for line in SHARED_EXPLAINED),
        _matrix(atlas, lambda row, column: _share(atlas, row, column)),
        Text(),
        *_listed(atlas, view),
        *(_measured(atlas, atlas.function) if atlas.function is not None else ()),
        *(Text(f"note: {note}", style="dim") for note in atlas.notes),
    )


def _names(atlas: Atlas) -> Table:
    table = _table(("", "circuit", "task", "heads"), numbers=("", "heads"))
    for number_, place in enumerate(atlas.order, start=1):
        circuit = atlas.circuits[place]
        table.add_row(str(number_), Text(circuit.name), Text(str(circuit.task)), str(len(circuit.heads)))
    return table


def _table(columns: tuple[str, ...], numbers: tuple[str, ...] = ()) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left")
    return table


def _matrix(atlas: Atlas, cell: Callable[[int, int], RenderableType]) -> Table:
    """A row and a column a circuit, under their numbers; ``cell`` is asked for every row and column by place."""
    headings = tuple(str(each) for each in range(1, len(atlas.order) + 1))
    table = _table(("", *headings), numbers=("", *headings))
    for heading, row in zip(headings, atlas.order, strict=True):
        table.add_row(heading, *(cell(row, column) for column in atlas.order))
    return table


# --- on paper --------------------------------------------------------------------------------------


def _share(atlas: Atlas, row: int, column: int) -> RenderableType:
    if row == column:
        return Text("·", style="dim")
    pair = atlas.pair(row, column)
    beyond = pair.p_holm is not None and pair.p_holm < _BEYOND
    said = number(pair.heads.of_smaller, "share", 0) + ("*" if beyond else " ")
    chance = number(pair.chance_share, "share", 0) + " "
    return Group(Text(said, style=SHARED if beyond else ""), Text(chance, style="dim"))


def _listed(atlas: Atlas, view: View) -> Iterator[RenderableType]:
    """The pairs, those that share most first."""
    ordered = sorted(atlas.pairs, key=lambda pair: (-(pair.heads.of_smaller or 0.0), -len(pair.heads.shared)))
    shown = ordered if view.verbose else ordered[:_SHOWN]
    columns = ("both", "of smaller", "Jaccard", "at most", "chance", "p, corrected", "nodes", "edges")
    table = _table(("pair", *columns), numbers=columns)
    for pair in shown:
        table.add_row(*_row(atlas, pair))
    yield Text("Pair by pair", style="bold")
    said = "at most: the Jaccard that their numbers of heads allow; nodes, edges: shares of the smaller"
    yield Text(said, style="dim")
    yield table
    if len(shown) < len(ordered):
        yield Text(f"and {len(ordered) - len(shown)} more, which --verbose shows", style="dim")


def _row(atlas: Atlas, pair: Pair) -> Iterator[RenderableType]:
    yield Text(f"{atlas.names[pair.left]}, {atlas.names[pair.right]}")
    yield str(len(pair.heads.shared))
    for value in (pair.heads.of_smaller, pair.heads.jaccard, pair.ceiling, pair.chance_share):
        yield number(value, "share", 0)
    yield p_value(pair.p_holm) if pair.p_holm is not None else "-"
    yield number(pair.nodes.of_smaller, "share", 0)
    yield number(pair.edges.of_smaller, "share", 0)


# --- in function -----------------------------------------------------------------------------------


def _measured(atlas: Atlas, function: AtlasFunction) -> Iterator[RenderableType]:
    yield Text()
    sure = f"{number(function.confidence, 'share', 0)} for all intervals of a table together"
    for title, explained, estimate in (
        ("Kept alone", KEPT_EXPLAINED, lambda cell: cell.faithfulness),
        ("Knocked out", REMOVED_EXPLAINED, lambda cell: cell.knockout),
    ):
        yield Text(title, style="bold")
        yield Text(explained, style="dim")
        yield Text(sure, style="dim")
        yield _matrix(atlas, _of(function, estimate))
        yield Text()
    yield from _undone(atlas, function)
    yield from (Text(f"note: {note}", style="dim") for note in function.notes)
    yield Text(f"{took(function)}, in {seconds(function.seconds)}", style="dim")


def _of(function: AtlasFunction, estimate: Callable[[AtlasCell], Estimate]) -> Callable[[int, int], RenderableType]:
    def said(row: int, column: int) -> RenderableType:
        found = estimate(function.cell(row, column))
        if found.value is None:
            return Text("-", style="dim")
        ends = ", ".join(number(end, "share", 0).removesuffix("%") for end in (found.low, found.high))
        own = "bold" if row == column else ""
        return Group(Text(number(found.value, "share", 0), style=own), Text(f"[{ends}]", style="dim"))

    return said


def _undone(atlas: Atlas, function: AtlasFunction) -> Iterator[RenderableType]:
    """Why figures are not given."""
    for place, found in enumerate(function.performance):
        if found.verdict is not Verdict.HOLDS:
            yield Text(f"{atlas.names[place]}: {function.cell(place, place).note}", style="bold yellow")
    for cell in function.cells:
        if cell.note and function.performance[cell.task].verdict is Verdict.HOLDS:
            yield Text(f"{atlas.names[cell.circuit]} on {atlas.names[cell.task]}'s task: {cell.note}", style="yellow")

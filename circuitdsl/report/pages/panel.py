"""The same claims of many models, for people: a sign a model for each claim, those first that changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich import text as rich_text
from rich.console import Group, RenderableType
from rich.table import Table

from circuitdsl.judge.estimates import Verdict
from circuitdsl.outcome import Panel, PanelClaim, PanelColumn
from circuitdsl.outcome.drift import LEVEL, MARGIN, Standing
from circuitdsl.outcome.panel import CHANGES, Trend
from circuitdsl.report.marks import MARKS, STYLES
from circuitdsl.report.output import View
from circuitdsl.report.pages.facts import rule
from circuitdsl.report.text import Flow, Text
from circuitdsl.report.words import estimate, exact, plural, seconds, verdicts

_STRIP = 60
"""Columns of the signs of one claim; where there are more models, they go on below."""
_LACKING = "·"

TITLES: Mapping[Trend, str] = {
    "changed": "What changed: it holds in one and fails in another, or its value moved",
    "open": "Of what it cannot be told: it is undecided in some",
    "same": "What is the same in all",
}

EXPLAINED = (
    "A sign a model, in their order: ✓ holds, ✗ fails, ? undecided, ! could not be measured, · not checked.",
    "A value moved if two of its intervals do not meet, or if on the same prompts it surely changed from the first "
    f"model or to the last by more than {MARGIN:.0%} (of it or of one, whichever is more): without any change this is "
    f"said of any claim in {LEVEL:.0%} of panels at most (Bonferroni).",
    "A verdict is that of `check` on that model alone, at its claim's confidence; it is not corrected for the number "
    "of claims and models, so that a figure close to its bound may turn by chance.",
)


def render_panel(panel: Panel, view: View) -> RenderableType:
    """The page. Figures of every model where ``view`` is verbose; where it is quiet, only what changed."""
    return Group(*_lines(panel, view))


def summary(panel: Panel) -> str:
    """What came of it, in a sentence."""
    turned, moved = (sum(getattr(claim, what) for claim in panel.claims) for what in ("turned", "moved"))
    return (
        f"{plural(len(panel.claims), 'claim')} on {plural(len(panel.columns) - len(panel.errors), 'model')}: {turned} "
        f"true in one and false in another, {moved} with a value that moved; of all figures {verdicts(panel.summary)}"
    )


def place(column: PanelColumn, by_step: bool) -> str:
    """A model as the place on an axis: its step where all have one, else its label."""
    return exact(column.model.step, "") if by_step else column.label


def told(claim: PanelClaim, panel: Panel) -> str:
    """What became of a claim: from its first value to its last, and from which step on it holds."""
    known = [each for each in claim.standings if each is not None and each.estimate.value is not None]
    ends = [known[0], known[-1]] if len(known) > 1 else known
    said = [" -> ".join(estimate(each.estimate, each.unit) for each in ends)] if ends else []
    start = claim.holds_from
    if panel.by_step and claim.change != "same" and start:
        said.append(f"holds from step {place(panel.columns[start], by_step=True)} on")
    said += ["the value moved"] * claim.moved
    return "; ".join(said)


def _lines(panel: Panel, view: View) -> Iterator[RenderableType]:
    yield rule(f"{plural(len(panel.claims), 'claim')} on {plural(len(panel.columns), 'model')}")
    yield Text(f"{'steps' if panel.by_step else 'models'}, in their order:", style="dim")
    yield Flow([place(column, panel.by_step) for column in panel.columns], "dim")
    for label, error in panel.errors:
        yield Text()
        yield Text(f"! {label} was not checked", style=STYLES[Verdict.ERROR])
        for line in (*error.problem.splitlines(), *([f"help: {error.remedy}"] if error.remedy else [])):
            yield Text(f"    {line}")
    yield from (Text(note, style="bold yellow") for note in panel.notes)
    for change in CHANGES[:1] if view.quiet else CHANGES:
        if claims := [claim for claim in panel.claims if claim.change == change]:
            yield Text()
            yield Text(f"{TITLES[change]} ({len(claims)})", style="bold")
            yield _table(claims, panel, view.verbose)
    yield Text()
    yield Text(summary(panel), style="bold")
    yield from (Text(line, style="dim") for line in EXPLAINED)
    cost = panel.cost
    yield Text(
        f"{plural(cost.experiments, 'experiment')} run, {cost.kept:,} known from before, one model open at a time, in "
        f"{seconds(panel.seconds)}",
        style="dim",
    )


def _table(claims: Iterable[PanelClaim], panel: Panel, verbose: bool) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=min(_STRIP, len(panel.columns)), overflow="fold")
    table.add_column(ratio=1)
    block = ""
    for claim in claims:
        if claim.first.block != block:
            block = claim.first.block
            table.add_row("", Text(block, style="dim"))
        lines: list[RenderableType] = [Text(claim.first.text)]
        if verbose:
            lines += [_figure(*each, panel.by_step) for each in zip(panel.columns, claim.standings, strict=True)]
        lines.append(Text(told(claim, panel), style="dim"))
        table.add_row(_strip(claim.standings), Group(*lines))
    return table


def _strip(standings: Sequence[Standing | None]) -> RenderableType:
    signs = (_sign(each) for each in standings)
    return rich_text.Text.assemble(*signs)


def _sign(standing: Standing | None) -> tuple[str, str]:
    return (_LACKING, "dim") if standing is None else (MARKS[standing.verdict], STYLES[standing.verdict])


def _figure(column: PanelColumn, standing: Standing | None, by_step: bool) -> RenderableType:
    if standing is None:
        return Text(f"{_LACKING} {place(column, by_step)}", style="dim")
    note = f"; {standing.note}" if standing.note else ""
    figure = f" {place(column, by_step)}: {estimate(standing.estimate, standing.unit)}{note}"
    return Text.assemble(_sign(standing), (figure, "dim"))

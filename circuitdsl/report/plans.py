"""A plan for people: what will be run, how much of it is shared, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from circuitdsl.plan.plan import Line, Plan
from circuitdsl.report.words import plural

_PURPOSES = {
    "claim": "claims",
    "variant": "claims under varied settings",
    "head": "heads of the circuit, one by one",
    "unlisted": "heads outside the circuit, one by one",
}


def render_plan(plan: Plan, verbose: bool = False) -> RenderableType:
    """The plan by block and purpose, or, with ``verbose``, job by job; then its cost."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("")
    for name in ("jobs", "experiments", "new", "passes"):
        table.add_column(name, justify="right", no_wrap=True)
    for title, lines in _groups(plan.lines):
        table.add_row(Text(title, style="bold" if verbose else ""), *_totals(lines))
        if verbose:
            for line in lines:
                table.add_row(f"  {' '.join(line.job.key[1:])}", "", *_figures(line))
    saved = plan.asked - plan.distinct
    problems = [Text(f"{' '.join(line.job.key)}: {line.note}", style="yellow") for line in plan.lines if _failed(line)]
    return Group(
        table,
        Text(),
        *problems,
        Text(
            f"{plural(plan.distinct, 'distinct experiment')} ({plan.asked:,} asked for, {saved:,} of them shared) "
            f"in {plural(plan.worlds, 'patched world')}"
        ),
        Text(
            f"{plural(plan.passes, 'forward pass', 'forward passes')} over {plural(plan.prompts, 'prompt')} at first",
            style="bold",
        ),
        *([Text(_more(plan), style="dim")] if plan.adaptive else []),
    )


def _more(plan: Plan) -> str:
    return f"{plural(plan.adaptive, 'job')} will ask for more on seeing results; undecided claims draw more prompts"


def _groups(lines: Sequence[Line]) -> list[tuple[str, list[Line]]]:
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(f"{line.job.key[0]}: {_PURPOSES[line.job.purpose]}", []).append(line)
    return list(groups.items())


def _totals(lines: Sequence[Line]) -> tuple[str, ...]:
    return (
        f"{len(lines):,}",
        f"{sum(line.experiments for line in lines):,}",
        f"{sum(line.new for line in lines):,}",
        f"{sum(line.passes for line in lines):,}",
    )


def _figures(line: Line) -> tuple[str, ...]:
    return f"{line.experiments:,}", f"{line.new:,}", f"{line.passes:,}"


def _failed(line: Line) -> bool:
    return line.experiments == 0 and bool(line.note)

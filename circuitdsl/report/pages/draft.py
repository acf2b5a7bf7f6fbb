"""A draft for people: how it was found, what each stage found, and what it did not explain."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table

from circuitdsl.outcome import DraftReport
from circuitdsl.report.output import View
from circuitdsl.report.pages.facts import model_facts, performance_facts, rule, took
from circuitdsl.report.text import Text
from circuitdsl.report.words import estimate, number, plural, seconds

_SHOWN = 10
"""Heads that are not listed, of which so many are shown."""


def render_draft(report: DraftReport, view: View) -> RenderableType:
    """The whole page; the specification itself is a file."""
    first, second = report.prompts
    facts = [*model_facts(report), f"task {report.circuit.task}", f"{first} prompts to find, {second} to judge"]
    method = report.circuit.method
    return Group(
        rule(f"draft of {report.circuit.task}"),
        Text(", ".join(facts), style="dim"),
        Text(f"metric {method.metric}, patches from {', '.join(report.against)}; {report.halves}", style="dim"),
        Text(f"what enters: {report.rule}", style="dim"),
        *performance_facts(report),
        *([Text(f"not drafted: {report.withheld}", style="bold yellow")] if report.withheld else _found(report)),
        Text(),
        *(Text(f"note: {note}", style="dim") for note in report.notes),
        Text(f"{took(report)}, in {seconds(report.seconds)}", style="dim"),
    )


def _found(report: DraftReport) -> Iterator[RenderableType]:
    yield Text()
    for number_, stage in enumerate(report.stages, start=1):
        looked = len(stage.into) - len(stage.idle)
        idle = f", {len(stage.idle)} more receive surely less than the floor" if stage.idle else ""
        together = f"; {stage.together:,} surely do nothing, packed together" if stage.together else ""
        groups = f" and {stage.grouped} that matter together" if stage.grouped else ""
        yield Text(
            f"stage {number_}: {stage.entered} of {plural(stage.senders, 'sender')}{groups} enter, "
            f"into {plural(looked, 'input')}{idle}{together}",
            style="dim",
        )
    if report.unfinished:
        yield Text(f"not finished: {report.unfinished}", style="yellow")
    yield Text()
    if report.roles:
        yield _roles(report)
        yield Text()
    lines = report.confirmed + len(report.refused)
    yield Text(
        f"{report.confirmed} of {plural(lines, 'claim')} hold on the judging prompts and stand in the specification"
        + (f"; the others ({len(report.refused)}) are listed at its end" if report.refused else "")
    )
    yield from _stability(report)
    yield Text()
    yield Text("what it did not explain", style="bold")
    yield from _left(report)


def _roles(report: DraftReport) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("role", "at", "nodes", "named by"):
        table.add_column(name, overflow="fold")
    for role in report.roles:
        nodes = " ".join(str(node.component) for node in role.nodes)
        about = Text("; ".join(role.about) or "nothing clear", style="dim")
        table.add_row(Text(role.name, style="cyan"), str(role.nodes[0].position), nodes, about)
    return table


def _stability(report: DraftReport) -> Iterator[Text]:
    """How many edges are found again on resampled prompts, and which are not."""
    if not report.fed:
        return
    often = [each for each in report.fed if each.again >= 0.9]
    double = [each for each in report.fed if each.at_double >= 0.9]
    total = len(report.fed)
    yield Text(
        f"of {plural(total, 'edge')} {len(often)} are found again on 90% of resampled prompts or more, "
        f"{len(double)} with twice the floor"
    )
    unsure = sorted((each for each in report.fed if each.again < 0.5), key=lambda each: each.again)
    if unsure:
        named = ", ".join(f"{each.sender} -> {each.into} ({100 * each.again:.0f}%)" for each in unsure[:_SHOWN])
        yield Text(f"found again on less than half of them: {named}", style="yellow")


def _left(report: DraftReport) -> Iterator[Text]:
    if report.lacks:
        others = [name for name, _ in report.circuit.task_info.counterfactuals if name not in report.against]
        more = f"; --against all patches from {', '.join(others)} too" if others else ""
        yield Text(
            f"This is not a whole circuit: kept alone, what is listed surely keeps less than half of "
            f"{report.circuit.method.metric}. `circuitdsl draft --refine` looks for what lacks by knockout{more}.",
            style="bold yellow",
        )
    if report.kept.value is None:
        yield Text("faithfulness: not measured, for no node is listed")
    else:
        yield Text(
            f"faithfulness {estimate(report.kept, 'share')}: what the listed nodes keep of "
            f"{report.circuit.method.metric} on the judging prompts, everything else ablated" + _mlps(report)
        )
    if report.unexplained is None:
        yield Text("heads that are not listed: not looked for (--no-unexplained)")
    elif not report.unexplained:
        floor = number(report.circuit.method.floor, "share")
        yield Text(f"no head that is not listed surely changes it by more than {floor} when knocked out everywhere")
    else:
        shown = ", ".join(f"{row.head} {estimate(row.estimate, 'share')}" for row in report.unexplained[:_SHOWN])
        yield Text(f"not listed, and surely change it when knocked out everywhere: {shown}")


def _mlps(report: DraftReport) -> str:
    listed = any(role.name.startswith("mlps_") for role in report.roles)
    return ", MLPs too" if listed else " but the MLPs"

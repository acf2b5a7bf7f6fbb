"""An intervention taken apart, for people: its arms, the prompts it repairs and breaks, and the heads after it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from circuitdsl.judge.outcome import Arm, Downstream, Example, InterventionReport
from circuitdsl.report.words import figure, number, p_said

NAMES = {"none": "the model as it is", "all": "the intervention"}


def intervention_summary(report: InterventionReport) -> RenderableType:
    """Nothing if the intervention was not taken apart."""
    if not report.arms:
        return Group()
    return Group(
        Text(),
        _arms(report),
        *(Text(line, style="dim") for line in _remarks(report)),
        *(block for arm in report.arms if arm.name == "all" for block in _examples(arm)),
        *(block for each in report.downstream for block in (Text(), _downstream(each))),
    )


def _arms(report: InterventionReport) -> Table:
    """Two lines an arm, what it measures and the change that this is, so that 80 columns are enough."""
    actions = report.intervention.actions
    names = NAMES | {action.text: f"action {number} alone" for number, action in enumerate(actions, start=1)}
    table = _table("", report.accuracy, "logit_diff", "repaired", "broken")
    for arm in report.arms:
        name, clean = names.get(arm.name, arm.name), arm.name == "none"
        if arm.accuracy.value is None:
            table.add_row(name, "not measured", "", "", "")
            continue
        counts = ("", "") if clean else (f"{arm.repaired:g}", f"{arm.broken:g}")
        table.add_row(name, figure(arm.accuracy, "share"), figure(arm.logit_diff, "logits"), *counts)
        if not clean:
            changes = figure(arm.accuracy_change, "share"), figure(arm.logit_diff_change, "logits")
            table.add_row(Text("  change", style="dim"), *(Text(change, style="dim") for change in changes), "", "")
    return table


def _remarks(report: InterventionReport) -> Iterator[str]:
    if report.p_value is not None:
        yield (
            "random heads: the same done to others of the same layers, mean of the sets; "
            f"as accurate as the real ones with {p_said(report.p_value)}"
        )
    yield from (f"{arm.name}: {arm.note}" for arm in report.arms if arm.note)
    yield from report.notes


def _examples(arm: Arm) -> Iterator[RenderableType]:
    for name, style, examples in (
        ("repaired", "green", arm.repaired_examples),
        ("broken", "red", arm.broken_examples),
    ):
        for example in examples:
            yield Text.assemble((f"{name:9}", style), (repr(example.prompt), "italic"), (_difference(example), "dim"))


def _difference(example: Example) -> str:
    if example.before is None or example.after is None:
        return ""
    return f"  logit_diff {number(example.before, 'logits')} -> {number(example.after, 'logits')}"


def _downstream(each: Downstream) -> RenderableType:
    """Three lines a head: its attention, what its knockout does to the metric, and its path to the logits."""
    table = _table("", "before", "after", "change")
    for head in each.heads:
        attention = (figure(value, "share") for value in (head.before, head.after, head.change))
        table.add_row(f"{head.head}  {', '.join(head.roles)}", *attention)
        knocked_out = (figure(value, "") for value in (head.effect_before, head.effect_after))
        table.add_row(Text("  knocked out", style="dim"), *(Text(cell, style="dim") for cell in knocked_out), "")
        table.add_row(Text("  on logits", style="dim"), Text(figure(head.importance, ""), style="dim"), "", "")
    about = "; below it the metric's change if the head is knocked out, and if its path to the logits is patched"
    title = Text.assemble((f"attention {each.where}", "bold"), (about, "dim"))
    if each.correlation.value is None:
        return Group(title, table)
    said = f"change of attention against effect on the logits (Spearman): {figure(each.correlation, '')}"
    return Group(title, table, Text(said, style="dim"))


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", overflow="fold")
    return table

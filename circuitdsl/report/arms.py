"""An intervention taken apart, for people: its arms, the prompts it repairs and breaks, and the heads after it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from circuitdsl.judge.outcome import Arm, Downstream, Example, InterventionReport
from circuitdsl.report.words import figure, number, p_value

NAMES = {"none": "the model as it is", "all": "the whole intervention"}


def intervention_summary(report: InterventionReport) -> RenderableType:
    """Nothing if the intervention was not taken apart."""
    if not report.arms:
        return Group()
    return Group(
        _arms(report),
        *(Text(line, style="dim") for line in _remarks(report)),
        *(block for arm in report.arms if arm.name == "all" for block in _examples(arm)),
        *(block for each in report.downstream for block in (Text(), _downstream(each))),
    )


def _arms(report: InterventionReport) -> Table:
    table = _table("", report.accuracy, "change", "logit_diff", "change", "repaired", "broken")
    for arm in report.arms:
        if arm.accuracy.value is None:
            table.add_row(arm.name, "not measured", "", "", "", "", "")
            continue
        clean = arm.name == "none"
        table.add_row(
            NAMES.get(arm.name, arm.name),
            figure(arm.accuracy, "share"),
            "" if clean else figure(arm.accuracy_change, "share"),
            figure(arm.logit_diff, "logits"),
            "" if clean else figure(arm.logit_diff_change, "logits"),
            "" if clean else f"{arm.repaired:g}",
            "" if clean else f"{arm.broken:g}",
        )
    return table


def _remarks(report: InterventionReport) -> Iterator[str]:
    if report.p_value is not None:
        yield (
            "random heads: the same done to others of the same layers, mean of the sets; "
            f"as accurate as the real ones with p = {p_value(report.p_value)}"
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
    table = _table(
        "", f"attention {each.where}", "with it", "change", "lost without the head", "with it", "on the logits"
    )
    for head in each.heads:
        table.add_row(
            f"{head.head}  {', '.join(head.roles)}",
            *(figure(value, "share") for value in (head.before, head.after, head.change)),
            *(figure(value, "") for value in (head.effect_before, head.effect_after, head.importance)),
        )
    if each.correlation.value is None:
        return table
    said = f"change of attention against effect on the logits (Spearman): {figure(each.correlation, '')}"
    return Group(table, Text(said, style="dim"))


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", overflow="fold")
    return table

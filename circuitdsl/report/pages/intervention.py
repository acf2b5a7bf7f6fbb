"""An intervention taken apart, for people: its arms, the prompts it repairs and breaks, and the heads after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.table import Table

from circuitdsl.language.environment import RANDOM_HEADS
from circuitdsl.outcome import Arm, Change, DirectEffect, Downstream, Example, HeadChange, InterventionReport
from circuitdsl.report.text import Flow, Text
from circuitdsl.report.words import estimate, number, on_prompts, p_said, plural

OTHERS = 5
"""So many heads that nobody named are shown at most, of those with a significant change."""

NAMES = {"none": "the model as it is", "all": "the intervention"}


def intervention_summary(report: InterventionReport) -> RenderableType:
    """Nothing if the intervention was not taken apart."""
    if not report.arms:
        return Group()
    return Group(
        Text(),
        *_where(report),
        _arms(report),
        *(Text(line, style="dim") for line in _remarks(report)),
        *(block for arm in report.arms if arm.name == "all" for block in _examples(arm)),
        *(block for each in report.downstream for block in (Text(), _downstream(each))),
        *((_direct(report),) if report.direct else ()),
    )


def _where(report: InterventionReport) -> Iterator[Text]:
    """On how many prompts all of what follows was measured, where claims took more."""
    if where := on_prompts(report.first, report.prompts):
        yield Text(f"What it changes,{where}", style="bold")


def intervention_result(report: InterventionReport) -> RenderableType:
    """What it changes, in a sentence; nothing if the intervention was not taken apart."""
    arms = {arm.name: arm for arm in report.arms}
    if "none" not in arms or "all" not in arms or arms["all"].accuracy.value is None:
        return Group()
    before, after = arms["none"], arms["all"]
    said = [
        f"{report.accuracy}{on_prompts(report.first, report.prompts)} {number(before.accuracy.value, 'share')} before",
        f"{estimate(after.accuracy, 'share')} after",
        f"{after.repaired:g} repaired",
        f"{after.broken:g} broken",
    ]
    if report.p_value is not None:
        said.append(f"{p_said(report.p_value)} (random heads)")
    return Flow(said, "dim")


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
        table.add_row(name, estimate(arm.accuracy, "share"), estimate(arm.logit_diff, "logits"), *counts)
        if not clean:
            changes = estimate(arm.accuracy_change, "share"), estimate(arm.logit_diff_change, "logits")
            table.add_row(Text("  change", style="dim"), *(Text(change, style="dim") for change in changes), "", "")
    return table


def _remarks(report: InterventionReport) -> Iterator[str]:
    if report.p_value is not None:
        sets = next(arm.sets for arm in report.arms if arm.name == RANDOM_HEADS)
        yield (
            f"random heads: the same done to others of the same layers, mean of {sets} sets; "
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


# --- heads after it --------------------------------------------------------------------------------


def _downstream(each: Downstream) -> RenderableType:
    """A line a head, where it looks; below it, of heads that a claim names, what their knockout does to the metric."""
    shown, rest = _shown([(head, head.attention) for head in each.heads])
    table = _table("", "before", "after", "change")
    for head, attention in shown:
        _row(table, head, attention, "share")
        if head.effect_before.value is not None:
            cells = (estimate(value, "") for value in (head.effect_before, head.effect_after))
            table.add_row(Text("  without", style="dim"), *(Text(cell, style="dim") for cell in cells), "")
    knocked_out = any(head.effect_before.value is not None for head, _ in shown)
    about = "; below it the metric's change without the head" if knocked_out else ""
    title = Text.assemble((f"attention {each.where}", "bold"), (about, "dim"))
    lines = (Text(line, style="dim") for line in (*rest, *_correlations(each)))
    return Group(title, *((table,) if shown else ()), *lines)


def _correlations(each: Downstream) -> Iterator[str]:
    ranks = [
        f"{estimate(value, '')} over {heads}"
        for value, heads in ((each.correlation, "the heads of the claims"), (each.correlation_of_all, "all heads"))
        if value.value is not None
    ]
    if ranks:
        yield f"change of attention against effect on the logits (Spearman): {', '.join(ranks)}"


def _direct(report: InterventionReport) -> RenderableType:
    shown, rest = _shown([(head, head.effect) for head in report.direct])
    table = _table("", "before", "under it", "change")
    for head, effect in shown:
        _row(table, head, effect, "")
    about = ": the metric's change if a head's path to the logits is patched"
    title = Text.assemble(("direct effect", "bold"), (about, "dim"))
    return Group(Text(), title, *((table,) if shown else ()), *(Text(line, style="dim") for line in rest))


def _row(table: Table, head: HeadChange | DirectEffect, change: Change, unit: str) -> None:
    estimates = (estimate(value, unit) for value in (change.before, change.after, change.change))
    table.add_row(f"{head.head}  {', '.join(head.roles)}", *estimates)


Row = TypeVar("Row", HeadChange, DirectEffect)


def _shown(rows: Sequence[tuple[Row, Change]]) -> tuple[list[tuple[Row, Change]], list[str]]:
    """The rows of heads that are named, then of others the largest significant changes; and a line about the
    others."""
    named, others = [row for row in rows if row[0].named], [row for row in rows if not row[0].named]
    certain = sorted((row for row in others if row[1].certain), key=lambda row: -abs(row[1].change.value or 0))
    if not others:
        return named, []
    count = f"{len(certain) or 'none'} of {plural(len(others), 'other head' if named else 'head')}"
    verb = "changes" if len(certain) < 2 else "change"
    few = f"the {OTHERS} largest here, " if len(certain) > OTHERS else ""
    return [*named, *certain[:OTHERS]], [f"{count} {verb} significantly (Holm, over {len(rows)}); {few}all in JSON"]


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", overflow="fold", no_wrap=True)  # names fold before figures do
    return table

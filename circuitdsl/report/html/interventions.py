"""An intervention's section of a page: its arms, the prompts it repairs and breaks, and the heads after it."""

from __future__ import annotations

from collections.abc import Iterator

from circuitdsl.outcome import Arm, Change, Example, InterventionReport
from circuitdsl.report.html.blocks import Block, Code, Facts, Prose, Row, Section, Subsection, Table
from circuitdsl.report.html.claims import anchored, claims_part, worst
from circuitdsl.report.pages.intervention import NAMES
from circuitdsl.report.words import estimate, number, on_prompts, p_value, plural


def intervention_section(report: InterventionReport, anchor: str) -> Section:
    done = report.intervention
    facts = (("file", done.file), ("model", report.model), ("prompts", str(report.prompts)))
    actions = "\n".join(action.text for action in done.actions)
    parts = (
        Subsection("", (Facts(facts), Code(actions))),
        *claims_part(anchored(anchor, report.claims)),
        *_arms(report),
        *_examples(report),
        *_downstream(report),
        *_direct(report),
    )
    return Section(anchor, f"intervention {done.name} on {done.on}", parts, done.about, worst(report.claims))


def _arms(report: InterventionReport) -> Iterator[Subsection]:
    if not report.arms:
        return
    names = NAMES | {action.text: f"{action.text} alone" for action in report.intervention.actions}
    head = ("", report.accuracy, "change", "logit_diff", "change", "repaired", "broken")
    blocks: list[Block] = [
        Table(head=head, rows=tuple(_arm(arm, names.get(arm.name, arm.name)) for arm in report.arms))
    ]
    said = [f"{arm.name}: {arm.note}" for arm in report.arms if arm.note]
    if report.p_value is not None:
        said.insert(0, f"random heads are as accurate as the real ones with p {p_value(report.p_value)}")
    if said or report.notes:
        blocks.append(Prose((*said, *report.notes), note=True))
    yield Subsection(f"What it does, in part and by other heads{_where(report)}", tuple(blocks))


def _where(report: InterventionReport) -> str:
    """On how many prompts, where claims took more."""
    where = on_prompts(report.first, report.prompts)
    return f",{where}" if where else ""


def _arm(arm: Arm, name: str) -> Row:
    if arm.accuracy.value is None:
        return Row((name, "not measured", "", "", "", "", ""))
    clean = arm.name == "none"
    changes = ("", "") if clean else (estimate(arm.accuracy_change, "share"), estimate(arm.logit_diff_change, "logits"))
    counts = ("", "") if clean else (f"{arm.repaired:g}", f"{arm.broken:g}")
    figures = (estimate(arm.accuracy, "share"), changes[0], estimate(arm.logit_diff, "logits"), changes[1])
    return Row((name, *figures, *counts))


def _examples(report: InterventionReport) -> Iterator[Subsection]:
    rows = [
        _example(name, example)
        for arm in report.arms
        if arm.name == "all"
        for name, examples in (("repaired", arm.repaired_examples), ("broken", arm.broken_examples))
        for example in examples
    ]
    if rows:
        yield Subsection(
            "Prompts repaired and broken", (Table(head=("", "prompt", "before", "after"), rows=tuple(rows)),)
        )


def _example(name: str, example: Example) -> Row:
    figures = (number(value, "logits") for value in (example.before, example.after))
    return Row((name, example.prompt, *figures), "holds" if name == "repaired" else "fails")


def _downstream(report: InterventionReport) -> Iterator[Subsection]:
    for each in report.downstream:
        rows = tuple(Row((head.head, ", ".join(head.roles), *_change(head.attention, "share"))) for head in each.heads)
        head = ("head", "roles", "before", "after", "change", "p")
        caption = f"{plural(len(rows), 'head')} after it"
        table = Table(caption=caption, head=head, rows=rows, folded=True)
        yield Subsection(f"Attention {each.where}{_where(report)}", (table,))


def _direct(report: InterventionReport) -> Iterator[Subsection]:
    if not report.direct:
        return
    rows = tuple(Row((head.head, ", ".join(head.roles), *_change(head.effect, ""))) for head in report.direct)
    head = ("head", "roles", "before", "under it", "change", "p")
    about = Prose(("The metric's change if a head's path to the logits is patched.",), note=True)
    table = Table(caption=plural(len(rows), "head"), head=head, rows=rows, folded=True)
    yield Subsection(f"Direct effects of the heads after it{_where(report)}", (about, table))


def _change(change: Change, unit: str) -> tuple[str, ...]:
    figures = tuple(estimate(value, unit) for value in (change.before, change.after, change.change))
    return (*figures, p_value(change.p_holm))

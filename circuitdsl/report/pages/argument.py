"""The steps of a report's argument for people: a heading each, what it rests on, and whether that holds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from circuitdsl.judge.estimates import Verdict
from circuitdsl.outcome import Fact, Step
from circuitdsl.report.marks import MARKS, OPEN, STYLES
from circuitdsl.report.text import Text
from circuitdsl.report.words import estimate, p_value, plural

TITLES = {
    "reproduction": "Does each circuit do its task?",
    "overlap": "What do the circuits share?",
    "function": "Does one circuit do the other's work?",
    "attention": "Where do the heads look that both circuits name?",
    "intervention": "What do the interventions change?",
    "downstream": "What changes in the heads after them?",
}


def argument_summary(steps: Sequence[Step]) -> RenderableType:
    """Every kind of step under its question, in order."""
    blocks: list[RenderableType] = []
    for number, (kind, group) in enumerate(groupby(steps, key=lambda step: step.kind), start=1):
        blocks += [Text(f"{number}. {TITLES[kind]}", style="bold"), *map(_step, group), Text()]
    return Group(*blocks[:-1])


def _step(step: Step) -> RenderableType:
    return Group(
        Text.assemble("  ", _mark(_worst(step)), (f" {step.about}", "cyan"), ": ", _counted(step)),
        Padding(_running(step.facts) if step.kind == "intervention" else _listed(step.facts), (0, 0, 0, 4)),
    )


def _running(facts: Sequence[Fact]) -> RenderableType:
    """Facts in running text: of interventions there may be many, and their facts are alike."""
    return Text("; ".join(f"{fact.label} {_written(fact)}" for fact in facts))


def _listed(facts: Sequence[Fact]) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    for fact in facts:
        mark = "  " if fact.verdict is None else Text.assemble(_mark(fact.verdict), " ")
        table.add_row(fact.label, Text.assemble(mark, _written(fact)))
    return table


def _counted(step: Step) -> Text:
    """``45 of 45 claims hold``."""
    if not step.verdicts:
        return Text("nothing claimed", style="dim")
    holding = step.verdicts.count(Verdict.HOLDS)
    words = f"{holding} of {plural(len(step.verdicts), 'claim')} {'holds' if len(step.verdicts) == 1 else 'hold'}"
    return Text(words, style=STYLES[_worst(step) or Verdict.HOLDS])


def _worst(step: Step) -> Verdict | None:
    """The verdict that a person has to look into first; None of a step without claims."""
    if not step.verdicts:
        return None
    return next((verdict for verdict in OPEN if verdict in step.verdicts), Verdict.HOLDS)


def _mark(verdict: Verdict | None) -> Text:
    return Text(" ") if verdict is None else Text(MARKS[verdict], style=STYLES[verdict])


def _written(fact: Fact) -> str:
    match fact.unit:
        case "p":
            return p_value(fact.estimate.value)
        case "heads" | "prompts":
            return "-" if fact.estimate.value is None else f"{fact.estimate.value:g}"
        case unit:
            return estimate(fact.estimate, unit)

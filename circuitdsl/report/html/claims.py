"""Claims on a page: a chart of their intervals, the table behind it, and how they depend on the method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from circuitdsl.outcome import ClaimOutcome, Variant
from circuitdsl.report.charts.drawing import spec
from circuitdsl.report.charts.intervals import intervals
from circuitdsl.report.html.blocks import Block, Chart, Prose, Row, Subsection, Table
from circuitdsl.report.marks import MARKS, OPEN, WORDS
from circuitdsl.report.words import bound, estimate, measured, of_part, p_value, plural

Anchored = tuple[ClaimOutcome, str]
"""A claim and the anchor of its row."""


def anchored(section: str, outcomes: Sequence[ClaimOutcome]) -> tuple[Anchored, ...]:
    return tuple((outcome, f"{section}-claim-{place}") for place, outcome in enumerate(outcomes, start=1))


def claims_part(outcomes: Sequence[Anchored]) -> Iterator[Subsection]:
    """Nothing for a block that claims nothing."""
    if not outcomes:
        return
    blocks: list[Block] = []
    table = Table(
        head=("", "line", "claim", "measured", "wanted", "p", "prompts"),
        rows=tuple(_row(outcome, anchor) for outcome, anchor in outcomes),
    )
    if any(outcome.estimate.value is not None for outcome, _ in outcomes):
        drawn = intervals([outcome for outcome, _ in outcomes])
        said = f"{plural(len(outcomes), 'claim')}: each estimate with its interval; where it is wanted is shaded"
        blocks.append(Chart(spec(drawn), said))
    yield Subsection("Claims", (*blocks, table))
    yield from _sensitivity(outcomes)


def _row(outcome: ClaimOutcome, anchor: str) -> Row:
    more = [outcome.note] if outcome.note else []
    more += [f"{part.label}: {of_part(part, outcome)}" for part in outcome.parts]
    wanted = bound(outcome.claim.bound, outcome.unit, outcome.control)
    cells = (
        f"{MARKS[outcome.verdict]} {WORDS[outcome.verdict]}",
        str(outcome.claim.line),
        outcome.claim.text,
        measured(outcome) if outcome.estimate.value is not None else "not measured",
        wanted,
        p_value(outcome.p_value),
        str(outcome.prompts),
    )
    return Row(cells, str(outcome.verdict), anchor, tuple(more))


def _sensitivity(outcomes: Sequence[Anchored]) -> Iterator[Subsection]:
    """Every claim that was judged again with a setting changed."""
    varied = [(outcome, anchor) for outcome, anchor in outcomes if outcome.variants]
    if not varied:
        return
    settings = list(dict.fromkeys(_setting(v) for outcome, _ in varied for v in outcome.variants))
    rows = []
    for outcome, _ in varied:
        found = {_setting(variant): variant for variant in outcome.variants}
        cells = tuple(_variant(found.get(setting), outcome.unit) for setting in settings)
        verdict = f"{MARKS[outcome.verdict]} {measured(outcome)}"
        changed = any(variant.verdict is not outcome.verdict for variant in outcome.variants)
        rows.append(Row((outcome.claim.text, verdict, *cells), str(outcome.verdict) if changed else ""))
    fewer = {v.prompts for outcome, _ in varied for v in outcome.variants if 0 < v.prompts < outcome.prompts}
    once = f", once, on {plural(max(fewer), 'prompt')}" if fewer else ""
    about = f"Each claim judged again with one setting of the method changed{once}."
    yield Subsection(
        "How the verdicts depend on the method",
        (
            Prose((about, "Rows whose verdict changes are coloured.")),
            Table(head=("claim", "as specified", *settings), rows=tuple(rows)),
        ),
    )


def _setting(variant: Variant) -> str:
    return f"{variant.setting} {variant.setting_value}"


def _variant(variant: Variant | None, unit: str) -> str:
    if variant is None:
        return ""
    return f"{MARKS[variant.verdict]} {estimate(variant.estimate, unit) if variant.estimate.value is not None else ''}"


def worst(outcomes: Sequence[ClaimOutcome]) -> str:
    """The verdict that a person has to look into first; "" where nothing is claimed."""
    found = [outcome.verdict for outcome in outcomes]
    return next((str(verdict) for verdict in OPEN if verdict in found), str(found[0]) if found else "")

"""The pages of reports and of sweeps, and what is to be run to see them again."""

from __future__ import annotations

import shlex

from circuitdsl.measures.registry import measure_infos
from circuitdsl.outcome import Report, SenderOutcome, SeriesOutcome, SweepReport
from circuitdsl.report.charts.drawing import spec
from circuitdsl.report.charts.grid import grid, of_sweep
from circuitdsl.report.html.blocks import Block, Chart, Code, Facts, Link, Page, Prose, Row, Section, Subsection, Table
from circuitdsl.report.html.circuits import circuit_section
from circuitdsl.report.html.claims import worst
from circuitdsl.report.html.interventions import intervention_section
from circuitdsl.report.html.pairs import comparison_section
from circuitdsl.report.marks import MARKS, OPEN, WORDS
from circuitdsl.report.pages.facts import took
from circuitdsl.report.remedies import remedies
from circuitdsl.report.sections import sections
from circuitdsl.report.words import estimate, measured_and_wanted, p_value, plural, seconds, verdicts
from circuitdsl.visible import shown_fingerprint


def report_page(report: Report) -> Page:
    circuits = [each.circuit for each in report.circuits]
    blocks = (
        *(circuit_section(each, f"circuit-{place}") for place, each in enumerate(report.circuits, start=1)),
        *(comparison_section(c, circuits, f"compare-{place}") for place, c in enumerate(report.comparisons, start=1)),
        *(intervention_section(i, f"intervention-{place}") for place, i in enumerate(report.interventions, start=1)),
    )
    found = (_open(report, blocks), *blocks, _again(report))
    names = [section.name for section in sections(report)]
    title = (
        f"circuitdsl report: {names[0]}" if len(names) == 1 else f"circuitdsl report on {plural(len(names), 'block')}"
    )
    return Page(title, verdicts(report.summary), tuple(filter(None, found)), worst(report.outcomes))


def _open(report: Report, blocks: tuple[Section, ...]) -> Section | None:
    """What does not hold, with links to the claims."""
    rows: list[Row] = []
    for section, block in zip(sections(report), blocks, strict=True):
        for place, outcome in enumerate(section.outcomes, start=1):
            if outcome.verdict in OPEN:
                link = Link(outcome.claim.text, f"{block.anchor}-claim-{place}")
                mark = f"{MARKS[outcome.verdict]} {WORDS[outcome.verdict]}"
                where = f"{section.file}:{outcome.claim.line}"
                found = (mark, link, measured_and_wanted(outcome), where)
                tries = tuple(f"try: {each}" for each in remedies(outcome, section.file, section.most))
                rows.append(Row(found, str(outcome.verdict), more=tries))
    if not rows:
        return None
    return Section(
        "open", "What does not hold", (Subsection("", (Table(head=("", "claim", "", "where"), rows=tuple(rows)),)),)
    )


def _again(report: Report) -> Section:
    """How to see it again: the command, the versions, the work that it was."""
    files = dict.fromkeys(section.file for section in sections(report))
    command = shlex.join(["circuitdsl", "check", *files])
    facts = Facts(
        (
            *report.versions.items(),
            ("engine", f"{report.engine}, {report.dtype}, {report.device}"),
            ("work", f"{took(report)}, in {seconds(report.seconds)}"),
        )
    )
    blocks: list[Block] = [Code(command), facts]
    if report.notes:
        blocks.append(Prose(report.notes, note=True))
    blocks.append(
        Prose(
            (
                "Prompts are drawn by the seed in each circuit's method, and the fingerprint above is a hash of the "
                "weights: with the same versions, seed and fingerprint the same figures come.",
            ),
            note=True,
        )
    )
    return Section("again", "How to see it again", (Subsection("", tuple(blocks)),))


def sweep_page(report: SweepReport) -> Page:
    circuit = report.circuit
    unit = measure_infos()[circuit.method.measured.measure].unit
    facts = Facts(
        (
            ("model", report.model),
            ("fingerprint of its weights", shown_fingerprint(report.fingerprint)),
            ("task", str(circuit.task)),
            ("prompts", str(report.prompts)),
            (f"{circuit.method.metric} without any patch", estimate(report.performance.metric, unit)),
            ("work", f"{took(report)}, in {seconds(report.seconds)}"),
        )
    )
    parts = [Subsection("", (facts, *((Prose(report.notes, note=True),) if report.notes else ())))]
    parts += [_series(series, report) for series in report.series]
    section = Section("sweep", f"sweep of {circuit.task} on {report.model}", tuple(parts))
    return Page(f"circuitdsl: sweep of {circuit.task}", _beyond(report), (section,))


def _beyond(report: SweepReport) -> str:
    """How many senders are beyond the floor, in a sentence; "" where no floor is set."""
    senders = [sender for series in report.series for sender in series.senders if sender.finding != "measured"]
    beyond = sum(sender.finding == "beyond" for sender in senders)
    return f"{beyond} of {plural(len(senders), 'sender')} surely beyond the floor." if senders else ""


def _series(series: SeriesOutcome, report: SweepReport) -> Subsection:
    grids = [each for each in of_sweep(report) if each.title == str(series.term)]
    drawn = [Chart(spec(grid(each, report.circuit.geometry)), f"{each.title}, {each.about}") for each in grids]
    table = Table(
        caption=plural(len(series.senders), "sender"),
        head=("sender", "at", "figure", "p (Holm)", ""),
        rows=tuple(_sender(sender, series.unit) for sender in series.senders),
        folded=bool(drawn),
    )
    withheld = (Prose((f"not given: {series.withheld}",)),) if series.withheld else ()
    return Subsection(str(series.term), (*withheld, *drawn, table))


def _sender(sender: SenderOutcome, unit: str) -> Row:
    component, position = str(sender.node.component), str(sender.node.position)
    return Row((component, position, estimate(sender.estimate, unit), p_value(sender.p_holm), sender.note))

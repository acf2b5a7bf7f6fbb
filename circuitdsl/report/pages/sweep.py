"""A sweep for people: whether the model does the task, then each term's senders, strongest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from circuitdsl.outcome import Finding, SenderOutcome, SeriesOutcome, SweepReport
from circuitdsl.report.output import View
from circuitdsl.report.pages.facts import bar, model_facts, performance_facts, reference_fact, rule, took
from circuitdsl.report.text import Text
from circuitdsl.report.words import estimate, number, p_value, plural, seconds

_BAR = 20  # columns of the longest bar
_SHOWN = 15  # senders of a term that are shown in any case

_MARKS: dict[Finding, tuple[str, str]] = {
    "beyond": ("✓", "green"),
    "within": ("·", "dim"),
    "open": ("?", "yellow"),
    "measured": ("", ""),
    "not measured": ("!", "bold magenta"),
}


def render_sweep(report: SweepReport, view: View) -> RenderableType:
    """The whole page; ``view.verbose`` shows every sender."""
    method = report.circuit.method
    facts = [*model_facts(report), f"task {report.circuit.task}", plural(report.prompts, "prompt")]
    patches = f", patches from {method.against}" if method.against else ""
    ablation = f", {', '.join((f'ablation {method.ablate}', *reference_fact(report)))}" if report.reference else ""
    sure = f"confidence {number(report.confidence, 'share', 0)} for all intervals together"
    return Group(
        rule(f"sweep of {report.circuit.task}"),
        Text(", ".join(facts), style="dim"),
        Text(f"metric {method.metric}{patches}{ablation}, {sure}", style="dim"),
        *performance_facts(report),
        *([Text.assemble(("e.g. ", "dim"), (repr(report.example), "dim italic"))] if report.example else []),
        *(part for series in report.series for part in _series(series, report, view)),
        Text(),
        *(Text(f"note: {note}", style="dim") for note in report.notes),
        Text(f"{took(report)}, in {seconds(report.seconds)}", style="dim"),
    )


def _series(series: SeriesOutcome, report: SweepReport, view: View) -> Iterator[RenderableType]:
    yield Text()
    yield Text(str(series.term), style="bold")
    if series.withheld:
        yield Text(f"not given: {series.withheld}", style="bold yellow")
        return
    yield from (Text(line, style="dim") for line in _said(series, report))
    if series.senders:
        shown = series.senders if view.verbose else series.senders[: _enough(series.senders)]
        yield _table(series, shown)
        if len(shown) < len(series.senders):
            yield Text(f"and {len(series.senders) - len(shown)} more, which --verbose shows", style="dim")


def _enough(senders: Sequence[SenderOutcome]) -> int:
    """All that are beyond the floor, and the strongest in any case."""
    return max([_SHOWN, *(place for place, each in enumerate(senders, start=1) if each.finding == "beyond")])


def _said(series: SeriesOutcome, report: SweepReport) -> Iterator[str]:
    """What was found, in numbers; what was left out."""
    counts, total = series.counts, len(series.senders)
    if counts["beyond"] or counts["within"] or counts["open"]:
        floor = number(report.circuit.method.floor, "share")
        metric = report.circuit.method.metric
        yield (
            f"{counts['beyond']} of {plural(total, 'sender')} surely change {metric} by more than {floor} "
            f"(all senders of the sweep corrected for each other: Holm), {counts['within']} surely by less (each for "
            f"itself), {counts['open']} cannot be told"
        )
        if early := _told_early(series.senders, report.prompts):
            yield f"measured on fewer prompts, which told that they change it by less: {early}"
        if counts["beyond"]:
            yield "chosen as the largest of many, these figures are too large on average"
    if counts["not measured"]:
        yield f"{counts['not measured']} of {plural(total, 'sender')} could not be measured: their notes say why"
    if series.left_out:
        yield f"{plural(len(series.left_out), 'sender')} left out: nothing that is to be reached reads what they write"


def _told_early(senders: Sequence[SenderOutcome], prompts: int) -> str:
    """How many senders there are with fewer prompts, by their number."""
    fewer = Counter(sender.prompts for sender in senders if 0 < sender.prompts < prompts)
    return ", ".join(f"{number} on {count}" for count, number in sorted(fewer.items()))


def _table(series: SeriesOutcome, senders: Sequence[SenderOutcome]) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    judged = any(sender.p_holm is not None for sender in senders)
    for name in ("", "sender", "at"):
        table.add_column(name, no_wrap=True)
    table.add_column(series.term.measure, justify="right", no_wrap=True)
    if judged:
        table.add_column("p (Holm)", justify="right", no_wrap=True)
    table.add_column("", ratio=1, overflow="fold")
    most = max((abs(sender.estimate.value or 0.0) for sender in senders), default=0.0)
    for sender in senders:
        table.add_row(
            Text(*_MARKS[sender.finding]),
            Text(str(sender.node.component), style="cyan"),
            str(sender.node.position),
            Text(estimate(sender.estimate, series.unit)),
            *([p_value(sender.p_holm)] if judged else []),
            _beside(sender, most),
        )
    return table


def _beside(sender: SenderOutcome, most: float) -> RenderableType:
    """A bar of its size; what there is to know of the sender in its place where it has no figure."""
    if sender.estimate.value is None:
        return Text(sender.note, style="dim")
    drawn = bar(sender.estimate.value, most, _BAR)
    return Text.assemble(drawn, (f"  {sender.note}" if sender.note else "", "dim"))

"""A report for a person at a terminal: what does not hold comes first and in full, the verdict comes last.

Everything here returns rich renderables; whether colours show is the console's business (a terminal, NO_COLOR).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from circuitdsl.judge.estimates import NOTHING, Verdict
from circuitdsl.language.circuit import Bound, Intervention
from circuitdsl.outcome import (
    CircuitReport,
    ClaimOutcome,
    ComparisonReport,
    HeadOutcome,
    InterventionReport,
    Report,
    Variant,
)
from circuitdsl.report.formats import Format
from circuitdsl.report.marks import MARKS, OPEN, STYLES, WORDS
from circuitdsl.report.output import View
from circuitdsl.report.pages.argument import story_summary
from circuitdsl.report.pages.comparison import structure_summary
from circuitdsl.report.pages.dependence import dependence_summary
from circuitdsl.report.pages.facts import bar, model_facts, performance_facts, reference_fact, rule, took
from circuitdsl.report.pages.intervention import intervention_summary
from circuitdsl.report.sections import Section, sections
from circuitdsl.report.text import Text, stacked
from circuitdsl.report.words import bound, estimate, exact, measured, measured_and_wanted, number, plural, summary


def _rendered(report: Report, view: View) -> str:
    return view.text(render_summary(report) if view.quiet else render(report, view.verbose))


FORMAT = Format("text", "for people: what does not hold first, then every claim with its figure", _rendered)

_BAR = 16  # columns of the longest bar of a heads table


def render(report: Report, verbose: bool = False) -> RenderableType:
    """The whole report; ``verbose`` shows every member claim, every part and every variant of its own."""
    blocks: list[RenderableType] = []
    for circuit in report.circuits:
        blocks += [_circuit(circuit, verbose), Text()]
    for comparison in report.comparisons:
        blocks += [_comparison(comparison, verbose), Text()]
    for intervention in report.interventions:
        blocks += [_intervention(intervention, verbose), Text()]
    if report.argument:
        blocks += [rule("the whole, step by step"), story_summary(report.argument), Text()]
    return Group(*blocks, render_summary(report))


def render_summary(report: Report) -> RenderableType:
    """What does not hold, a line each with its place, and the count."""
    lines = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    lines.add_column(no_wrap=True)
    lines.add_column(ratio=1, overflow="fold")
    for section in sections(report):
        for outcome in section.of(*OPEN):
            lines.add_row(*_summary_row(section, outcome))
    style = next((STYLES[verdict] for verdict in OPEN if report.summary[str(verdict)]), STYLES[Verdict.HOLDS])
    last = Text(summary(report.summary, report.seconds), style=style)
    found = [rule("what does not hold"), lines, Text()] if lines.rows else []
    notes = (Text(f"note: {note}", style="dim") for note in report.notes)
    return Group(*found, *notes, Text(took(report), style="dim"), last)


def _summary_row(section: Section, outcome: ClaimOutcome) -> tuple[RenderableType, RenderableType]:
    place = f"{section.file}:{outcome.claim.line}"
    what = stacked(f"{place}  {outcome.claim.text}", Text(measured_and_wanted(outcome), style="dim"))
    return Text(WORDS[outcome.verdict], style=STYLES[outcome.verdict]), what


# --- blocks ----------------------------------------------------------------------------------------


def _circuit(report: CircuitReport, verbose: bool) -> RenderableType:
    circuit, method = report.circuit, report.circuit.method
    kept = "at their roles' positions" if method.positions == "role" else "at every position"
    sources = f", patches from {method.against}" if method.against else ""
    edges = ", judged as edges" if circuit.of_edges else ""
    sure = f"confidence {number(method.confidence, 'share', 0)}"
    facts = [*model_facts(report), f"task {circuit.task}", _prompts(report.prompts, method.prompts_all)]
    return Group(
        _title(f"circuit {circuit.name}", circuit.file, circuit.about),
        Text(", ".join(facts), style="dim"),
        Text(
            f"metric {method.metric}{sources}, ablation {method.ablate} of heads {kept}{edges}"
            f"{reference_fact(report)}, {sure}",
            style="dim",
        ),
        *performance_facts(report),
        *([Text.assemble(("e.g. ", "dim"), (repr(report.example), "dim italic"))] if report.example else []),
        *_claims(report.claims, verbose),
        *dependence_summary(report.claims),
        *_controls(report),
        *_heads(report),
        *_unexplained(report),
        *(Text(f"note: {note}", style="dim") for note in (*report.notes, *_holm_note(report))),
    )


def _prompts(count: int, every: bool) -> str:
    """How many prompts there were, and whether there are no more."""
    return f"all {plural(count, 'prompt')}" if every else plural(count, "prompt")


def _comparison(report: ComparisonReport, verbose: bool) -> RenderableType:
    pair = report.comparison
    return Group(
        _title(f"compare {pair.left} with {pair.right}", pair.file, pair.about),
        structure_summary(report.structure),
        *_claims(report.claims, verbose),
    )


def _intervention(report: InterventionReport, verbose: bool) -> RenderableType:
    done, exact = report.intervention, any(outcome.exact for outcome in report.claims)
    return Group(
        _title(f"intervention {done.name} on {done.on}", done.file, done.about),
        Text(f"model {report.model}, {_prompts(report.prompts, exact)}", style="dim"),
        *_actions(done),
        *_claims(report.claims, verbose),
        intervention_summary(report),
    )


def _actions(done: Intervention) -> Iterator[Text]:
    """Numbered if there are several, as the arms of the intervention are named."""
    for place, action in enumerate(done.actions, start=1):
        yield Text(f"  {place}. {action.text}" if len(done.actions) > 1 else f"  {action.text}")


def _title(name: str, file: str, about: str) -> RenderableType:
    return Group(rule(name), Text(file, style="dim"), *([Text(about)] if about else []))


# --- claims ----------------------------------------------------------------------------------------


def _claims(outcomes: Sequence[ClaimOutcome], verbose: bool) -> Iterator[RenderableType]:
    """First what does not hold, in full; then a line for each claim, a role's members together."""
    unsettled = [outcome for outcome in outcomes if outcome.verdict in OPEN]
    for first, *others in _said_once(sorted(unsettled, key=lambda outcome: OPEN.index(outcome.verdict)), verbose):
        yield Text()
        yield _expanded(first, others)
    yield Text()
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    table.add_column(no_wrap=True)
    for group in _grouped(outcomes, verbose):
        if len(group) == 1:
            for row in _rows(group[0], verbose):
                table.add_row(*row)
        else:
            table.add_row(*_members_row(group))
    yield table


def _said_once(unsettled: Sequence[ClaimOutcome], verbose: bool) -> list[list[ClaimOutcome]]:
    """Claims one by one, but listed heads of a role that are undecided for the same reason together unless verbose."""
    groups: dict[object, list[ClaimOutcome]] = {}
    for outcome in unsettled:
        together = outcome.claim.kind == "member" and outcome.verdict is Verdict.UNDECIDED and outcome.note
        key = (outcome.claim.role, outcome.note) if together and not verbose else outcome.claim.id
        groups.setdefault(key, []).append(outcome)
    return list(groups.values())


def _expanded(outcome: ClaimOutcome, alike: Sequence[ClaimOutcome] = ()) -> RenderableType:
    """A claim that does not hold: the measured figure, what was wanted, and the figures of its parts.

    ``alike`` are others of its role that do not hold for the same reason.
    """
    style = STYLES[outcome.verdict]
    head = Text.assemble(
        (f"{MARKS[outcome.verdict]} {WORDS[outcome.verdict]}", style),
        (f"  line {outcome.claim.line}  ", "dim"),
        (outcome.claim.text, "bold"),
        (f", and {len(alike)} more of {outcome.claim.role} alike" if alike else "", "dim"),
    )
    why = Text(measured_and_wanted(outcome))
    lines: list[RenderableType] = [why]
    if outcome.verdict is not Verdict.ERROR:
        if outcome.verdict is Verdict.UNDECIDED:
            open_after = f"not decided by {plural(outcome.prompts, 'prompt')}"
            lines.append(
                Text(open_after if outcome.note or not outcome.prompts else f"{open_after}; more may decide it")
            )
        if outcome.note:
            lines.append(Text(outcome.note, style="dim"))
    widest = max((len(part.label) for part in outcome.parts), default=0)
    lines += [
        Text.assemble((f"  {part.label:<{widest}}  ", "cyan"), estimate(part.estimate, outcome.unit))
        for part in outcome.parts
    ]
    return Group(head, Padding(Group(*lines), (0, 0, 0, 2), expand=False))


def _grouped(outcomes: Sequence[ClaimOutcome], verbose: bool) -> Iterator[list[ClaimOutcome]]:
    """Claims one by one, but the member claims of a role (consecutive ones) as one group unless verbose."""
    group: list[ClaimOutcome] = []
    for outcome in outcomes:
        together = bool(group) and not verbose and _member_key(outcome) == _member_key(group[-1]) != ("", "", "")
        if group and not together:
            yield group
            group = []
        group.append(outcome)
    if group:
        yield group


def _member_key(outcome: ClaimOutcome) -> tuple[str, str, str]:
    claim = outcome.claim
    return (claim.role, claim.term.measure, outcome.unit) if claim.kind == "member" else ("", "", "")


def _rows(outcome: ClaimOutcome, verbose: bool) -> Iterator[tuple[RenderableType, ...]]:
    claim = outcome.claim
    yield (_mark(outcome.verdict), str(claim.line), Text(claim.text), _estimate(outcome))
    shown = [v for v in outcome.variants if verbose or v.verdict is not outcome.verdict]
    for variant in shown:
        yield _variant_row(variant, outcome)
    if verbose:
        for part in outcome.parts:
            yield (
                "",
                "",
                Text(f"  {part.label}", style="cyan"),
                Text(estimate(part.estimate, outcome.unit), style="dim"),
            )
        if outcome.note:
            yield ("", "", Text(f"  {outcome.note}", style="dim"), "")


def _variant_row(variant: Variant, outcome: ClaimOutcome) -> tuple[RenderableType, ...]:
    named = f"  with {variant.setting} {variant.setting_value}: {WORDS[variant.verdict]}"
    seen = variant.note if variant.verdict is Verdict.ERROR else estimate(variant.estimate, outcome.unit)
    return (_mark(variant.verdict), "", Text(named, style="dim"), Text(seen, style="dim"))


def _members_row(group: Sequence[ClaimOutcome]) -> tuple[RenderableType, ...]:
    """All member claims of a role in one line: how many hold, and the figure closest to having no effect."""
    holding = sum(outcome.verdict is Verdict.HOLDS for outcome in group)
    worst = next((v for v in OPEN if any(outcome.verdict is v for outcome in group)), Verdict.HOLDS)
    known = [outcome for outcome in group if outcome.estimate.value is not None]
    weakest = min(known, key=lambda outcome: abs(outcome.estimate.value or 0.0), default=None)
    line = str(min(outcome.claim.line for outcome in group))
    wanted = _wanted_of_member(group[0])
    count = f"{holding} of {len(group)} matter"
    text = f"role {group[0].claim.role}: {count} ({group[0].claim.term.measure} {wanted})"
    least = Text.assemble(("least ", "dim"), measured(weakest)) if weakest else Text("-")
    return (_mark(worst), line, Text(text), least)


def _wanted_of_member(outcome: ClaimOutcome) -> str:
    wanted = outcome.claim.bound
    if isinstance(wanted, Bound) and wanted.op == "outside":
        return f"beyond ±{exact(wanted.high, outcome.unit)}"
    return bound(wanted, outcome.unit, outcome.control).replace("at least", ">=")


def _mark(verdict: Verdict) -> Text:
    return Text(MARKS[verdict], style=STYLES[verdict])


def _estimate(outcome: ClaimOutcome) -> Text:
    if outcome.verdict is Verdict.ERROR:
        return Text("not measured", style=STYLES[Verdict.ERROR])
    return Text(measured(outcome))


def _holm_note(report: CircuitReport) -> Iterator[str]:
    """Which verdicts would not stand if all claims of the circuit had to be right at once (Holm)."""
    level = 1 - report.circuit.method.confidence
    holding = (outcome for outcome in report.claims if outcome.verdict is Verdict.HOLDS)
    lost = [outcome for outcome in holding if outcome.p_holm is not None and outcome.p_holm > level]
    if lost:
        lines = ", ".join(dict.fromkeys(str(outcome.claim.line) for outcome in lost))
        yield (
            f"{plural(len(lost), 'claim')} of {len(report.claims)} would not be significant with all corrected "
            f"for each other (Holm): line {lines}"
        )


# --- controls --------------------------------------------------------------------------------------


def _controls(report: CircuitReport) -> Iterator[RenderableType]:
    """Which controls the circuit passed, and which nobody tried."""
    if not report.claims:
        return
    yield Text()
    yield Text("Controls", style="bold")
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold", style="dim")
    for tried in report.controls:
        claim = tried.outcome.claim
        table.add_row(_mark(tried.outcome.verdict), str(claim.line), tried.name, claim.text)
    if report.controls:
        yield table
    if report.untried:
        yield Text(f"not tried: {', '.join(report.untried)}", style="dim")


# --- heads -----------------------------------------------------------------------------------------


def _heads(report: CircuitReport) -> Iterator[RenderableType]:
    if not report.heads:
        return
    yield Text()
    metric = report.circuit.method.metric
    adds = "; and what each adds inside the circuit" if any(head.minimality for head in report.heads) else ""
    yield Text(f"Each knocked out alone: change of {metric}{adds}", style="bold")
    yield _head_table(report.heads, ("head", "at", "role"))


def _unexplained(report: CircuitReport) -> Iterator[RenderableType]:
    if report.unexplained:
        yield Text()
        yield Text(f"Not in the circuit, yet they matter: {report.unexplained_note}", style="bold yellow")
        yield _head_table(report.unexplained, ("head", "at"))
    elif report.unexplained_note:
        yield Text(f"heads outside the circuit: {report.unexplained_note}", style="dim")


def _head_table(heads: Sequence[HeadOutcome], columns: Sequence[str]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    most = max((abs(head.estimate.value or 0.0) for head in heads), default=0.0)
    both = any(head.minimality for head in heads)
    for head in heads:
        cells = {"head": head.head, "at": f"at {head.position}", "role": ", ".join(head.roles)}
        table.add_row(
            "",
            *(Text(cells[column], style="cyan" if column == "head" else "") for column in columns),
            Text(estimate(head.estimate, "share"), justify="right", no_wrap=True),
            *([_adds(head)] if both else []),
            bar(head.estimate.value or 0.0, most, _BAR // 2 if both else _BAR),
        )
    return table


def _adds(head: HeadOutcome) -> Text:
    """What it adds to the circuit."""
    return Text(estimate(head.minimality or NOTHING, "share"), justify="right", no_wrap=True)

"""A report for a person at a terminal: the verdict in a sentence first, what does not hold last and in full.

Everything here returns rich renderables; whether colours show is the console's business (a terminal, NO_COLOR).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from circuitdsl.judge.estimates import NOTHING, Verdict
from circuitdsl.language.circuit import Intervention
from circuitdsl.outcome import (
    CircuitReport,
    ClaimOutcome,
    ComparisonReport,
    HeadOutcome,
    InterventionReport,
    Report,
)
from circuitdsl.report.formats import Format
from circuitdsl.report.marks import MARKS, OPEN, SAID, STYLES, WORDS
from circuitdsl.report.output import View
from circuitdsl.report.pages.argument import argument_summary
from circuitdsl.report.pages.claims import alike, claim_list, nearest, prompts_taken, varied
from circuitdsl.report.pages.comparison import structure_summary
from circuitdsl.report.pages.conclusions import conclusion as shared
from circuitdsl.report.pages.dependence import dependence_summary
from circuitdsl.report.pages.facts import (
    bar,
    model_facts,
    performance_facts,
    reference_fact,
    rule,
    took,
    took_in_short,
)
from circuitdsl.report.pages.intervention import intervention_result, intervention_summary
from circuitdsl.report.remedies import remedies
from circuitdsl.report.sections import Section, sections
from circuitdsl.report.text import Flow, Text
from circuitdsl.report.words import conclusion, estimate, measured_and_wanted, number, of_part, on_prompts, plural
from circuitdsl.visible import shown_fingerprint


def _rendered(report: Report, view: View) -> str:
    return view.text(render_summary(report) if view.quiet else render(report, view.verbose))


FORMAT = Format("text", "for people: the verdict, what holds, and last what does not with what to try next", _rendered)

_BAR = 16  # columns of the longest bar of a heads table
_FEW = 4  # heads outside the circuit that are named in a line


def render(report: Report, verbose: bool = False) -> RenderableType:
    """The verdict in a sentence, block by block what holds, and last what does not and what to try next.

    Every claim stands once: those that hold and are alike in one line, those that do not hold by themselves.
    ``verbose`` shows every claim in its block, every part, every variant and every head too.
    """
    blocks: list[RenderableType] = []
    for circuit in report.circuits:
        blocks += [Text()] * verbose + [_circuit(circuit, verbose)]
    for comparison in report.comparisons:
        blocks += [Text()] * verbose + [_comparison(comparison, verbose)]
    for intervention in report.interventions:
        blocks += [Text()] * verbose + [_intervention(intervention, verbose)]
    if verbose and report.argument:
        blocks += [Text(), rule("the argument, step by step"), argument_summary(report.argument)]
    return Group(_opening(report, verbose), *_legend(report, verbose), *blocks, *_ending(report, verbose))


def render_summary(report: Report) -> RenderableType:
    """The verdict in a sentence and what does not hold."""
    return Group(_opening(report, verbose=False), *_ending(report, verbose=False))


def _opening(report: Report, verbose: bool) -> RenderableType:
    style = next((STYLES[verdict] for verdict in OPEN if report.summary[str(verdict)]), STYLES[Verdict.HOLDS])
    notes = (Text(f"note: {note}", style="dim") for note in report.notes)
    cost = [took(report)] if verbose else [*took_in_short(report)]
    return Group(Text(conclusion(report.summary, report.seconds), style=style), Flow(cost, "dim"), *notes)


_SIGNED = ("effect", "knockout")  # measurements of what the metric does without something


def _legend(report: Report, verbose: bool) -> Iterator[Text]:
    """What a sign means, on a figure of the report, if there is one that has a sign; and how claims are folded."""
    if not verbose and Verdict.HOLDS in (outcome.verdict for outcome in report.outcomes):
        yield Text("(of 7): of 7 alike claims that hold, the one nearest to its bound; -v shows all", style="dim")
    signed = (
        nearest(group)
        for circuit in report.circuits
        for group in alike(circuit.claims)
        if group[0].claim.term.measure in _SIGNED and group[0].claim.kind != "no edge" and group[0].unit == "share"
    )
    figures = (outcome.estimate.value or 0.0 for outcome in signed)
    shown = next((value for value in figures if number(value, "share") != number(0.0, "share")), None)
    if shown is not None:
        moves, does = ("falls", "raises") if shown < 0 else ("rises", "lowers")
        size = number(abs(shown), "share")
        said = f"{number(shown, 'share')}: without this path (or head) the metric {moves} by {size}, so it {does} it"
        yield Text(said, style="dim")


# --- what does not hold ----------------------------------------------------------------------------


def _ending(report: Report, verbose: bool) -> Iterator[RenderableType]:
    """What does not hold, each with its place, its figures and what to try next."""
    found = [(section, group) for section in sections(report) for group in _said_once(section.of(*OPEN), verbose)]
    if found:
        yield Text()
        yield rule("what does not hold, and what to try next")
    for section, group in found:
        yield _open_claim(section, group)


def _said_once(unsettled: Sequence[ClaimOutcome], verbose: bool) -> list[list[ClaimOutcome]]:
    """Claims one by one, but listed heads of a role that are undecided for the same reason together unless verbose."""
    groups: dict[object, list[ClaimOutcome]] = {}
    for outcome in unsettled:
        together = outcome.claim.kind == "member" and outcome.verdict is Verdict.UNDECIDED and outcome.note
        key = (outcome.claim.role, outcome.note) if together and not verbose else outcome.claim.id
        groups.setdefault(key, []).append(outcome)
    return list(groups.values())


def _open_claim(section: Section, alike: Sequence[ClaimOutcome]) -> RenderableType:
    """A claim that does not hold: the measured figure, what was wanted, the figures of its parts, and ways on.

    Others of its role that do not hold for the same reason are counted.
    """
    outcome, *others = alike
    style = STYLES[outcome.verdict]
    head = Text.assemble(
        (f"{MARKS[outcome.verdict]} {WORDS[outcome.verdict]}", style),
        (f"  {section.file}:{outcome.claim.line}  ", "dim"),
        (outcome.claim.text, "bold"),
        (f", and {len(others)} more of {outcome.claim.role} alike" if others else "", "dim"),
    )
    lines: list[RenderableType] = [Text(measured_and_wanted(outcome))]
    if outcome.verdict is Verdict.UNDECIDED and not outcome.untested:
        lines.append(Text(f"not decided by {plural(outcome.prompts, 'prompt')}"))
    if outcome.note and outcome.verdict is not Verdict.ERROR:
        lines.append(Text(outcome.note, style="dim"))
    widest = max((len(part.label) for part in outcome.parts), default=0)
    lines += [Text.assemble((f"  {part.label:<{widest}}  ", "cyan"), of_part(part, outcome)) for part in outcome.parts]
    lines += [
        Text.assemble(("try: ", "dim"), f"{varied(variant, outcome)} it {SAID[variant.verdict][0]}")
        for variant in outcome.variants
        if variant.verdict is not outcome.verdict
    ]
    lines += [Text.assemble(("try: ", "bold"), remedy) for remedy in remedies(outcome, section.file, section.most)]
    return Group(head, Padding(Group(*lines), (0, 0, 0, 2), expand=False))


# --- blocks ----------------------------------------------------------------------------------------


def _circuit(report: CircuitReport, verbose: bool) -> RenderableType:
    circuit = report.circuit
    facts = [
        *model_facts(report, verbose),
        f"task {circuit.task}",
        _prompts(report.prompts, circuit.method.prompts_all),
    ]
    return Group(
        _title(f"circuit {circuit.name}", circuit.file, circuit.about),
        Flow(facts, "dim"),
        *performance_facts(report, report.prompts),
        Flow([*_method(report, verbose)], "dim"),
        *_example(report, verbose),
        claim_list(report.claims, verbose),
        *prompts_taken(report.claims),
        *_elsewhere(report.claims, verbose),
        *dependence_summary(report.claims),
        *(_controls(report) if verbose else _in_short(report)),
        *(_heads(report) if verbose else ()),
        *_unexplained(report, verbose),
        *(Text(f"note: {note}", style="dim") for note in (*report.notes, *_holm_note(report, verbose))),
    )


def _method(report: CircuitReport, verbose: bool) -> Iterator[str]:
    """How it was measured: what figures cannot be read without, with ``verbose`` all of it."""
    method = report.circuit.method
    kept = "at their roles' positions" if method.positions == "role" else "at every position"
    yield f"metric {method.metric}"
    if method.against:
        yield f"patches from {method.against}"
    yield f"ablation {method.ablate}{f' of heads {kept}' if verbose else ''}"
    if verbose and report.circuit.of_edges:
        yield "judged as edges"
    if verbose:
        yield from reference_fact(report)
    yield f"confidence {number(method.confidence, 'share', 0)}"


def _example(report: CircuitReport, verbose: bool) -> Iterator[RenderableType]:
    if verbose and report.example:
        yield Text.assemble(("e.g. ", "dim"), (repr(report.example), "dim italic"))


def _elsewhere(outcomes: Sequence[ClaimOutcome], verbose: bool) -> Iterator[Text]:
    """That claims are missing here, where those that do not hold stand only at the end."""
    if verbose:
        return
    for verdict in OPEN:
        lines = dict.fromkeys(str(outcome.claim.line) for outcome in outcomes if outcome.verdict is verdict)
        if lines:
            count = sum(outcome.verdict is verdict for outcome in outcomes)
            said = f"{MARKS[verdict]} {count} {SAID[verdict][count > 1]}: "
            yield Text(f"{said}line{'s' if len(lines) > 1 else ''} {', '.join(lines)}, at the end", STYLES[verdict])


def _prompts(count: int, every: bool) -> str:
    """How many prompts there were, and whether there are no more."""
    return f"all {plural(count, 'prompt')}" if every else plural(count, "prompt")


def _comparison(report: ComparisonReport, verbose: bool) -> RenderableType:
    pair = report.comparison
    title = _title(f"compare {pair.left} with {pair.right}", pair.file, pair.about)
    found = structure_summary(report.structure) if verbose else Text(next(shared(report.structure)))
    return Group(title, found, *_claims(report.claims, verbose))


def _claims(outcomes: Sequence[ClaimOutcome], verbose: bool) -> Iterator[RenderableType]:
    """Claims, which are few, and with ``verbose`` on how many prompts they were decided."""
    yield claim_list(outcomes, verbose)
    if verbose:
        yield from prompts_taken(outcomes)
    yield from _elsewhere(outcomes, verbose)


def _intervention(report: InterventionReport, verbose: bool) -> RenderableType:
    done, exact = report.intervention, any(outcome.exact for outcome in report.claims)
    fingerprint = f", fingerprint {shown_fingerprint(report.fingerprint)}" if report.fingerprint else ""
    return Group(
        _title(f"intervention {done.name} on {done.on}", done.file, done.about),
        Flow([f"model {report.model}{fingerprint}", _prompts(report.prompts, exact)], "dim"),
        *(_actions(done) if verbose else (Text("; ".join(action.text for action in done.actions)),)),
        *_claims(report.claims, verbose),
        intervention_summary(report) if verbose else intervention_result(report),
    )


def _actions(done: Intervention) -> Iterator[Text]:
    """Numbered if there are several, as the arms of the intervention are named."""
    for place, action in enumerate(done.actions, start=1):
        yield Text(f"  {place}. {action.text}" if len(done.actions) > 1 else f"  {action.text}")


def _title(name: str, file: str, about: str) -> RenderableType:
    return Group(rule(f"{name}, {file}"), *([Text(about)] if about else []))


def _holm_note(report: CircuitReport, verbose: bool) -> Iterator[str]:
    """Which verdicts would not stand if all claims of the circuit had to be right at once (Holm)."""
    level = 1 - report.circuit.method.confidence
    holding = (outcome for outcome in report.claims if outcome.verdict is Verdict.HOLDS)
    lost = [outcome for outcome in holding if outcome.p_holm is not None and outcome.p_holm > level]
    if lost and verbose:
        lines = ", ".join(dict.fromkeys(str(outcome.claim.line) for outcome in lost))
        yield (
            f"{plural(len(lost), 'claim')} of {len(report.claims)} would not be significant with all corrected "
            f"for each other (Holm): line {lines}"
        )
    elif lost:
        count = f"{len(lost)} of {len(report.claims)}"
        yield f"not significant with all claims corrected for each other (Holm): {count} (-v)"


# --- controls --------------------------------------------------------------------------------------


def _controls(report: CircuitReport) -> Iterator[RenderableType]:
    """Which controls the circuit passed, and which nobody tried."""
    if not report.claims:
        return
    tried = [f"{MARKS[each.outcome.verdict]} {each.name} (line {each.outcome.claim.line})" for each in report.controls]
    untried = [f"not tried: {', '.join(report.untried)}"] if report.untried else []
    yield Text(f"controls: {'; '.join((', '.join(tried) or 'none', *untried))}", style="dim")


def _in_short(report: CircuitReport) -> Iterator[RenderableType]:
    """Which controls the circuit passed, and whether heads were found that it does not list."""
    said = []
    if report.claims:
        tried = ", ".join(f"{MARKS[each.outcome.verdict]} {each.name}" for each in report.controls)
        said.append(f"controls: {tried or 'none tried'}, {len(report.untried)} more are known (-v)")
    if report.search is not None and not report.unexplained:
        (_, heads), *_ = report.search.looks
        said.append(f"no other head was found to matter, of {heads} looked at")
    elif report.unexplained_note and not report.unexplained:
        said.append(f"heads outside the circuit: {report.unexplained_note}")
    yield Flow(said, "dim", "; ")


# --- heads -----------------------------------------------------------------------------------------


def _heads(report: CircuitReport) -> Iterator[RenderableType]:
    if not report.heads:
        return
    yield Text()
    metric = report.circuit.method.metric
    adds = "; and what each adds inside the circuit" if any(head.minimality for head in report.heads) else ""
    where = on_prompts(report.first, report.prompts)
    yield Text(f"Each knocked out alone{where}: change of {metric}{adds}", style="bold")
    yield _head_table(report.heads, ("head", "at", "role"))


def _unexplained(report: CircuitReport, verbose: bool) -> Iterator[RenderableType]:
    if report.unexplained and verbose:
        yield Text()
        yield Text(f"Not in the circuit, yet they matter: {report.unexplained_note}", style="bold yellow")
        yield _head_table(report.unexplained, ("head", "at"))
    elif report.unexplained:
        strongest = sorted(report.unexplained, key=lambda head: -abs(head.estimate.value or 0.0))
        named = ", ".join(f"{head.head} {estimate(head.estimate, 'share')}" for head in strongest[:_FEW])
        more = f" and {len(strongest) - _FEW} more (-v)" if len(strongest) > _FEW else ""
        yield Text(f"not in the circuit, yet they matter when knocked out: {named}{more}", style="yellow")
    elif report.unexplained_note and verbose:
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

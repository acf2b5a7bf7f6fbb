"""A refinement for people: the change as a diff, each part of it with its evidence, and what was not changed."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType

from circuitdsl.outcome import ClaimChange, Proposal, RefinementReport
from circuitdsl.report.output import View
from circuitdsl.report.pages.facts import model_facts, performance_facts, rule, took
from circuitdsl.report.text import Text, stacked
from circuitdsl.report.words import estimate, p_said, seconds


def refinement_page(report: RefinementReport, view: View) -> str:
    """The whole page. The diff stands as it is, so that the page can be given to ``patch``."""
    diff = view.lines(stacked(*map(_diff_line, report.diff.split("\n")[:-1]))) if report.diff else ""
    return "".join((view.text(Group(*_head(report))), diff, view.text(Group(*_rest(report)))))


def _head(report: RefinementReport) -> Iterator[RenderableType]:
    first, second = report.prompts
    facts = [*model_facts(report), f"task {report.circuit.task}", f"{first} prompts to find, {second} to judge"]
    method = report.circuit.method
    patches = f", patches from {method.against}" if method.against else ""
    yield rule(f"refinement of {report.circuit.name}")
    yield Text(", ".join(facts), style="dim")
    yield Text(f"metric {method.metric}{patches}; {report.halves}", style="dim")
    yield Text(f"what is proposed: {report.rule}", style="dim")
    yield from performance_facts(report)
    if report.withheld:
        yield Text(f"not looked at: {report.withheld}", style="bold yellow")
        return
    yield Text()
    for each in report.surveys:
        found = f"{each.entered} found, {each.confirmed} confirmed" if each.entered else "none"
        yield Text(f"{each.about}: {found}, of {each.number:,}", style="dim")
    yield Text()
    if not report.made:
        yield Text("nothing is to be changed", style="bold")
        return
    for proposal in report.made:
        yield from _proposal(report.path, proposal)
    yield Text()


def _rest(report: RefinementReport) -> Iterator[RenderableType]:
    withheld = [each for each in report.proposals if each.withheld]
    if withheld:
        yield Text()
        yield Text("for you to decide: the file is not changed by this", style="bold")
    for proposal in withheld:
        yield from _proposal(report.path, proposal)
        yield Text(f"  not changed: {proposal.withheld}")
    if report.claims:
        yield Text()
        yield Text("claims that do not hold in the changed file, on the judging prompts", style="bold")
        yield from map(_claim, report.claims)
    yield Text()
    yield from (Text(f"note: {note}", style="dim") for note in report.notes)
    yield Text(f"{took(report)}, in {seconds(report.seconds)}", style="dim")


def _proposal(path: str, proposal: Proposal) -> Iterator[Text]:
    line = f"{path}:{proposal.line}" if proposal.line else "new"
    head = Text(f"{proposal.kind}: ", style="cyan")
    head.append(proposal.text, style="default")
    head.append(f"  {line}", style="dim")
    yield head
    found = f"{estimate(proposal.found, 'share')}, {p_said(proposal.p_adjusted)}"
    confirmed = f"{estimate(proposal.confirmed, 'share')}, {p_said(proposal.p_confirmed)}"
    yield Text(f"  {proposal.figure}: {found}; on the judging prompts {confirmed}", style="dim")


def _diff_line(line: str) -> Text:
    styles = {"+++": "bold", "---": "bold", "@@ ": "cyan"}
    by_sign = {"+": "green", "-": "red"}
    return Text(line, style=styles.get(line[:3], by_sign.get(line[:1], "")))


def _claim(claim: ClaimChange) -> Text:
    before = "new" if claim.before is None else f"{claim.before} as it was"
    measured = estimate(claim.estimate, claim.unit)
    return Text(f"  line {claim.line}: {claim.text}  {claim.after}, {measured} ({before})")

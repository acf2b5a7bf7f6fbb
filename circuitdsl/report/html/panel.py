"""The page of a panel: the claims that changed first, each over its models, with the table of all figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from circuitdsl.judge.estimates import Verdict
from circuitdsl.outcome import Panel, PanelClaim, PanelColumn, Unmeasured
from circuitdsl.outcome.drift import Standing
from circuitdsl.outcome.panel import CHANGES
from circuitdsl.report.charts.drawing import spec
from circuitdsl.report.charts.panel import panel_chart
from circuitdsl.report.html.blocks import Block, Chart, Facts, Page, Prose, Row, Section, Subsection, Table
from circuitdsl.report.marks import MARKS, OPEN, WORDS
from circuitdsl.report.pages.panel import EXPLAINED, TITLES, place, summary, told
from circuitdsl.report.words import estimate, plural, seconds
from circuitdsl.visible import shown_fingerprint


def panel_page(panel: Panel) -> Page:
    parts = (
        Subsection(TITLES[change], tuple(_blocks(claims, panel)))
        for change in CHANGES
        if (claims := [claim for claim in panel.claims if claim.change == change])
    )
    claims = Section("claims", "Claims over models", tuple(parts))
    verdict = next((str(each) for each in OPEN if panel.summary[str(each)]), str(Verdict.HOLDS))
    title = f"circuitdsl: {plural(len(panel.claims), 'claim')} on {plural(len(panel.columns), 'model')}"
    return Page(title, f"{summary(panel)}.", (_models(panel), claims, _again(panel)), verdict)


def _models(panel: Panel) -> Section:
    rows = tuple(_model(column, panel) for column in panel.columns)
    table = Table(head=("model", "step", "fingerprint", "claims that hold", ""), rows=rows)
    notes = (Prose(panel.notes),) if panel.notes else ()
    return Section("models", "Models", (Subsection("", (*notes, table)),))


def _model(column: PanelColumn, panel: Panel) -> Row:
    step = "" if column.model.step is None else place(column, by_step=True)
    if isinstance(column.found, Unmeasured):
        more = tuple(filter(None, (*column.found.problem.splitlines(), column.found.remedy)))
        return Row((column.label, step, "", "", "not checked"), str(Verdict.ERROR), more=more)
    verdicts = [standing.verdict for standing in column.found.claims.values()]
    prints = ", ".join(shown_fingerprint(each) for each in column.fingerprints)
    return Row((column.label, step, prints, f"{verdicts.count(Verdict.HOLDS)} of {len(verdicts)}", ""))


def _blocks(claims: list[PanelClaim], panel: Panel) -> Iterator[Block]:
    rows = tuple(Row((claim.first.text, claim.first.block, told(claim, panel))) for claim in claims)
    yield Table(head=("claim", "of", "what became of it"), rows=rows)
    if any(each and each.estimate.value is not None for claim in claims for each in claim.standings):
        said = "each value with its interval, model by model; dashed lines are what a claim wants"
        yield Chart(spec(panel_chart(panel, claims)), f"{plural(len(claims), 'claim')}: {said}", _behind(claims, panel))


def _behind(claims: Iterable[PanelClaim], panel: Panel) -> Table:
    head = ("claim", *(place(column, panel.by_step) for column in panel.columns))
    rows = tuple(Row((claim.first.text, *map(_figure, claim.standings))) for claim in claims)
    return Table(caption="the figures as a table", head=head, rows=rows, folded=True)


def _figure(standing: Standing | None) -> str:
    if standing is None:
        return ""
    return f"{MARKS[standing.verdict]} {WORDS[standing.verdict]}, {estimate(standing.estimate, standing.unit)}"


def _again(panel: Panel) -> Section:
    cost = panel.cost
    work = f"{plural(cost.experiments, 'experiment')} run, {cost.kept:,} known from before, in {seconds(panel.seconds)}"
    facts = Facts((*panel.versions.items(), ("work", work)))
    return Section("reading", "How to read it", (Subsection("", (Prose(EXPLAINED), facts)),))

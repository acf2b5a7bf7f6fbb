"""How what Python's functions give draws itself (``circuitdsl.display``): as a page, a line, HTML and SVG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any, assert_never

from circuitdsl.errors import InputError
from circuitdsl.language.circuit import Circuit, Document
from circuitdsl.outcome import (
    Atlas,
    AttributionReport,
    CircuitDiff,
    DraftReport,
    Drift,
    FunctionalComparison,
    Panel,
    RefinementReport,
    Report,
    SweepReport,
)
from circuitdsl.plan.plan import Plan
from circuitdsl.report import showing
from circuitdsl.report.output import PLAIN_WIDTH, View
from circuitdsl.report.sections import sections
from circuitdsl.report.words import plural, verdicts

_MONOSPACED = (
    '<pre style="white-space:pre;overflow-x:auto;line-height:1.25;font-family:Menlo,Consolas,monospace">{code}</pre>'
)


def page(what: showing.Showable) -> str:
    """The page without colours."""
    return showing.page(what, View()).rstrip("\n")


def chart(what: object) -> Any:
    return showing.chart(what)


def svg(what: showing.Showable) -> str:
    return showing.picture(what)


def html(what: showing.Showable) -> str:
    """The page with its colours, its picture before it if it has one. Foreign text is escaped."""
    return "".join((*_pictures(what), _coloured(showing.page(what, View(colour=True)))))


def _pictures(what: showing.Showable) -> Iterator[str]:
    if isinstance(what, Document):
        for circuit in what.circuits:
            yield from _pictures(circuit)
        return
    try:
        yield f'<div style="max-width:100%;overflow-x:auto">{showing.picture(what)}</div>'
    except InputError:  # it has none
        return


def _coloured(page: str) -> str:
    """A page for a terminal, in which every colour is ours, as HTML."""
    from rich.ansi import AnsiDecoder

    from circuitdsl.report.text import Page

    console = Page(file=StringIO(), record=True, width=PLAIN_WIDTH, force_terminal=True, highlight=False)
    for line in AnsiDecoder().decode(page):
        console.print(line, soft_wrap=True)
    return console.export_html(inline_styles=True, code_format=_MONOSPACED)


def line(what: showing.Showable) -> str:
    """What it is and what came of it, in one line."""
    match what:
        case Atlas():
            return f"of {plural(len(what.circuits), 'circuit')}: {_listed(what.names)}"
        case AttributionReport():
            return f"of {what.circuit.name} on {what.model}: {plural(len(what.features), 'feature')} at positions"
        case Circuit():
            return f"{what.name} of {what.model} on {what.task}: {plural(len(what.claims), 'claim')}"
        case CircuitDiff():
            return f"{what.left.name} and {what.right.name}: {plural(len(what.structure.heads.shared), 'shared head')}"
        case Document():
            return _listed(_names(what)) or "of nothing"
        case Drift():
            return f"of {plural(len(what.claims), 'claim')}, {plural(len(what.facts), 'other change')}"
        case DraftReport():
            return f"of {what.circuit.task} on {what.model}: {plural(len(what.roles), 'role')}"
        case FunctionalComparison():
            return f"{what.function.left} and {what.function.right}"
        case Panel():
            changed = sum(claim.change == "changed" for claim in what.claims)
            return f"of {plural(len(what.claims), 'claim')} on {plural(len(what.columns), 'model')}: {changed} changed"
        case Plan():
            return f"of {what.distinct} experiments on {plural(what.prompts, 'prompt')}"
        case RefinementReport():
            return f"of {what.circuit.name} on {what.model}: {plural(len(what.proposals), 'proposal')}"
        case Report():
            return f"{verdicts(what.summary)}: {_listed(section.name for section in sections(what))}"
        case SweepReport():
            return f"of {what.circuit.task} on {what.model}: {_listed(str(series.term) for series in what.series)}"
        case _:
            assert_never(what)


def _names(document: Document) -> Iterator[str]:
    yield from (circuit.name for circuit in document.circuits)
    yield from (f"{pair.left} with {pair.right}" for pair in document.comparisons)
    yield from (f"{done.name} on {done.on}" for done in document.interventions)


def _listed(names: Iterable[str]) -> str:
    first, *rest = (*names, "")
    listed = ", ".join([first, *rest[:2]]).rstrip(", ")
    more = len(rest) - 3
    return f"{listed} and {more} more" if more > 0 else listed

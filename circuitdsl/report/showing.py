"""Which page and which picture a thing has."""

from __future__ import annotations

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
from circuitdsl.report.output import View

Showable = (
    Atlas
    | AttributionReport
    | Circuit
    | CircuitDiff
    | Document
    | DraftReport
    | Drift
    | FunctionalComparison
    | Panel
    | Plan
    | RefinementReport
    | Report
    | SweepReport
)


def page(what: Showable, view: View) -> str:
    """A page of text, as the command line prints it."""
    match what:
        case Atlas():
            from circuitdsl.report.pages.atlas import render_atlas

            return view.text(render_atlas(what, view))
        case AttributionReport():
            from circuitdsl.report.pages.attribution import render_attribution

            return view.text(render_attribution(what, view))
        case Circuit():
            from circuitdsl.report.pages.circuit import draw_circuit

            return view.text(draw_circuit(what))
        case CircuitDiff():
            from circuitdsl.report.pages.comparison import draw_diff

            return view.text(draw_diff(what, view.width, view.verbose))
        case Document():
            return "\n".join(page(circuit, view) for circuit in (*what.circuits, *what.used))
        case DraftReport():
            from circuitdsl.report.pages.draft import render_draft

            return view.text(render_draft(what, view))
        case Drift():
            from circuitdsl.report.pages.drift import render_drift

            return view.text(render_drift(what, view))
        case FunctionalComparison():
            from circuitdsl.report.pages.function import functional_summary

            return view.text(functional_summary(what))
        case Panel():
            from circuitdsl.report.pages.panel import render_panel

            return view.text(render_panel(what, view))
        case Plan():
            from circuitdsl.report.pages.plan import render_plan

            return view.text(render_plan(what, view.verbose))
        case RefinementReport():
            from circuitdsl.report.pages.refinement import refinement_page

            return refinement_page(what, view)
        case Report():
            from circuitdsl.report.pages.report import FORMAT

            return FORMAT.render(what, view)
        case SweepReport():
            from circuitdsl.report.pages.sweep import render_sweep

            return view.text(render_sweep(what, view))
        case _:
            assert_never(what)


def picture(what: Showable) -> str:
    """A picture as SVG. Raises InputError for what has none, and where what draws it is not installed."""
    match what:
        case Circuit():
            from circuitdsl.report.pictures.circuit import circuit_svg

            return circuit_svg(what)
        case CircuitDiff():
            from circuitdsl.report.pictures.comparison import comparison_svg

            return comparison_svg(what.left, what.right, what.structure)
        case AttributionReport() | Document() | DraftReport() | Drift() | Plan() | RefinementReport():
            raise InputError(f"there is no picture of a {type(what).__name__.lower()}", "show it as text")
        case Atlas() | FunctionalComparison() | Panel() | Report() | SweepReport():
            from circuitdsl.report.charts.drawing import svg

            return svg(chart(what))
        case _:
            assert_never(what)


def chart(what: object) -> Any:
    """The figures as an Altair chart. Raises InputError for what has none, and where Altair is not installed."""
    match what:
        case Atlas():
            from circuitdsl.report.charts.matrix import atlas_chart

            return atlas_chart(what)
        case FunctionalComparison():
            from circuitdsl.report.charts.curves import curves

            if not what.curves:
                raise InputError("there is no curve to draw", "; ".join(what.notes))
            return curves(what.curves)
        case Panel():
            from circuitdsl.report.charts.panel import panel_chart

            return panel_chart(what)
        case Report():
            from circuitdsl.report.charts.intervals import intervals

            return intervals(what.outcomes)
        case SweepReport():
            from circuitdsl.report.charts.grid import sweep_chart

            return sweep_chart(what)
        case _:
            name = type(what).__name__.lower()
            raise InputError(
                f"there is no chart of a {name}", "charts are there of reports, panels, sweeps, atlases and curves"
            )

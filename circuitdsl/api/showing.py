"""What there is, as pages and pictures, and what its names mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from circuitdsl.api.arguments import checked
from circuitdsl.errors import InputError

if TYPE_CHECKING:
    from circuitdsl.report.output import View
    from circuitdsl.report.showing import Showable


@checked
def show(what: Showable, form: Literal["text", "svg", "html"] = "text", view: View | None = None) -> str:
    """A circuit, a plan, a report, or two circuits side by side, as a page of text, a picture, or a page of HTML.

    Pictures ("svg") are there of a circuit, a report, a sweep, a ``diff``, an atlas and of the curves of
    ``compare_function``; pages ("html"), one file without a network, of a report, a sweep, a ``diff`` and an atlas.
    ``view`` says how wide the page of text is, whether it has colours, in how much detail; 100 columns without colours
    by itself. Raises InputError where there is no such picture or page, and where what it is made by is not installed.
    """
    if form not in ("text", "svg", "html"):
        raise InputError(f"nothing is shown as {form}", "as text, as svg or as html")
    from circuitdsl.report import showing
    from circuitdsl.report.output import View

    if not isinstance(what, showing.Showable):
        raise InputError(f"there is no page of a {type(what).__name__}", "give a circuit, a plan or what was found")
    match form:
        case "svg":
            return showing.picture(what)
        case "html":
            from circuitdsl.report.html.page import html

            return html(what)
        case "text":
            return showing.page(what, view or View())


@checked
def explain(name: str | None = None) -> str:
    """What a name means: a measurement, a control, a diagnostic's code, a setting, a task or a model; without one, all
    such names.

    Raises InputError for a name that has no explanation.
    """
    from circuitdsl.report.pages.explain import explanation, overview

    return explanation(name) if name else overview()

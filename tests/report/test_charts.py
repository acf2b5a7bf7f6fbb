"""Charts: the data that is drawn is what was found, and what is not installed is named."""

from __future__ import annotations

import builtins
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from report_samples import drawn_rows, report

import circuitdsl as cd
from circuitdsl.components import Geometry
from circuitdsl.errors import InputError
from circuitdsl.judge.estimates import Estimate
from circuitdsl.language.circuit import Bound
from circuitdsl.outcome import ClaimOutcome, HeadOutcome
from circuitdsl.report.charts.drawing import svg
from circuitdsl.report.charts.grid import grid, of_heads
from circuitdsl.report.charts.intervals import intervals
from circuitdsl.report.words import measured


def rows(chart) -> list[dict[str, object]]:
    """Of every panel of an intervals chart."""
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows]


def _panels(chart) -> list[dict[str, Any]]:
    return chart.to_dict()["vconcat"]


def outcome(bound: Bound, estimate: Estimate, unit: str = "share") -> ClaimOutcome:
    first = next(each for each in report().outcomes if each.estimate.value is not None)
    return replace(first, claim=replace(first.claim, bound=bound), estimate=estimate, unit=unit, control=None)


def test_every_claim_that_has_a_figure_has_a_row():
    outcomes = [each for each in report().outcomes if each.estimate.value is not None]
    drawn = rows(intervals(report().outcomes))
    assert len(drawn) == len(outcomes)
    assert {row["measured"] for row in drawn} == {measured(each) for each in outcomes}
    assert len({row["claim"] for row in drawn}) == len(drawn)  # a label is a row


@pytest.mark.parametrize(
    ("bound", "ranges"),
    [
        (Bound(">=", low=0.2), [(0.2, None)]),
        (Bound("<=", high=0.2), [(None, 0.2)]),
        (Bound("in", 0.1, 0.3), [(0.1, 0.3)]),
        (Bound("inside", -0.01, 0.01), [(-0.01, 0.01)]),
        (Bound("outside", -0.1, 0.1), [(None, -0.1), (0.1, None)]),
    ],
    ids=lambda value: value.op if isinstance(value, Bound) else "",
)
def test_what_is_wanted_is_shaded_as_far_as_the_panel_shows(bound: Bound, ranges):
    chart = intervals([outcome(bound, Estimate(0.5, 0.4, 0.6))])
    (row,) = rows(chart)
    low, high = _panels(chart)[0]["layer"][3]["encoding"]["x"]["scale"]["domain"]
    assert low < 0 and high > 0.6
    shown = [(row["from"], row["to"]), (row["from2"], row["to2"])]
    wanted = [(low if a is None else a, high if b is None else b) for a, b in ranges]
    assert [each for each in shown if each[0] is not None] == wanted


def test_an_end_that_is_infinite_or_unknown_stays_in_the_panel():
    infinite = outcome(Bound(">=", low=0.0), Estimate(0.5, 0.4, float("inf")))
    unknown = outcome(Bound(">=", low=0.0), Estimate(0.5, None, None))
    first, second = rows(intervals([infinite, unknown]))
    assert isinstance(first["high"], float) and 0.5 < first["high"] < 1
    assert (second["low"], second["high"]) == (0.5, 0.5)


def test_units_have_panels_of_their_own():
    some = (
        outcome(Bound(">=", low=0.0), Estimate(0.5, 0.4, 0.6)),
        outcome(Bound(">=", low=3.0), Estimate(4, 3, 5), "logits"),
    )
    panels = _panels(intervals(some))
    assert [panel["layer"][4]["encoding"]["x"]["axis"]["title"] for panel in panels] == ["share", "logits"]


def test_a_head_at_two_positions_shows_its_largest_effect():
    weak = HeadOutcome("2.1", "S2", ("a",), Estimate(-0.1, -0.2, 0.0))
    strong = HeadOutcome("2.1", "END", ("b",), Estimate(-0.4, -0.5, -0.3))
    mlp = HeadOutcome("mlp 0", "END", ("c",), Estimate(0.2, 0.1, 0.3))
    other = HeadOutcome("resid 1", "END", ("d",), Estimate(0.9, 0.8, 1.0))  # which has no square
    squares = {square.node: square for square in of_heads((weak, strong, mlp, other), "").squares}
    assert set(squares) == {"2.1 at END", "mlp 0 at END"}
    assert (squares["2.1 at END"].layer, squares["2.1 at END"].column) == (2, "1")
    assert (squares["mlp 0 at END"].layer, squares["mlp 0 at END"].column) == (0, "mlp")
    geometry = Geometry("m", 3, 2, 2, 8, 4, 8, 30, 16)
    drawn = grid(of_heads((weak, strong, mlp), ""), geometry).to_dict()
    assert len(drawn_rows(drawn, drawn["layer"][0])) == 3 * 3  # every head, and the column of MLPs
    assert drawn["layer"][1]["encoding"]["color"]["scale"]["domain"] == [-0.4, 0, 0.4]


def test_pictures_are_well_formed_and_on_white():
    root = ET.fromstring(svg(intervals(report().outcomes)))
    assert root.tag.endswith("svg")
    assert any(element.get("fill") in ("#ffffff", "white") for element in root.iter())


def test_what_has_no_chart_says_so():
    with pytest.raises(InputError, match="no chart of a plan"):
        cd.plan("planted/ioi", unexplained=False).chart()


@pytest.mark.parametrize("missing", ["altair", "vl_convert", "jinja2"])
def test_what_is_not_installed_is_named_with_a_remedy(missing: str, monkeypatch: pytest.MonkeyPatch):
    from circuitdsl.report.html.page import _templates, need_makers

    installed = builtins.__import__

    def without(name: str, *arguments, **options):
        if name.partition(".")[0] == missing:
            raise ImportError(name)
        return installed(name, *arguments, **options)

    _templates.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match="not installed") as caught:
        need_makers()
    assert 'pip install "circuitdsl[report]"' in caught.value.remedy

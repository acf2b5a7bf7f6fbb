"""What people see of shared function, overlap curves and an intervention's arms."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from report_samples import curve_of_two, drawn_rows, estimate, functional_of_two, schema

from circuitdsl.actions import Attend
from circuitdsl.compare.curve import Curve
from circuitdsl.judge.estimates import NOTHING
from circuitdsl.language.circuit import Intervention
from circuitdsl.outcome import (
    Arm,
    Change,
    CircuitDiff,
    DirectEffect,
    Downstream,
    Example,
    FunctionalComparison,
    HeadChange,
    InterventionReport,
)
from circuitdsl.report.charts.curves import curves
from circuitdsl.report.charts.drawing import svg
from circuitdsl.report.output import to_text
from circuitdsl.report.pages.comparison import draw_diff
from circuitdsl.report.pages.function import functional_summary, landmarks, sparkline
from circuitdsl.report.pages.intervention import intervention_summary
from samples import circuit, geometry


@pytest.fixture(scope="module")
def drawn() -> Curve:
    return curve_of_two()


@pytest.fixture(scope="module")
def functional() -> FunctionalComparison:
    return functional_of_two()


def test_a_sparkline_is_as_long_as_it_may_be_and_as_high_as_its_shares():
    assert sparkline([0, 0.5, 1]) == "▁▅█"
    assert sparkline([0] * 50 + [1] * 50, columns=10) == "▁▁▁▁▁█████"
    assert sparkline([]) == ""


def test_a_table_shows_the_usual_thresholds_and_the_quoted_ones(drawn: Curve):
    counts = [point.count for point in landmarks(drawn)]
    assert {1, 2, 4, 10, drawn.points[-1].count} <= set(counts)
    assert counts == sorted(counts)
    assert set(drawn.arises[:1]) <= set(counts)


def test_what_is_shown_of_two_circuits(functional: FunctionalComparison):
    text = to_text(functional_summary(functional), 160)
    assert "a double dissociation" in text
    assert "only first" in text
    assert "80% [75, 85]" in text
    assert "rank correlation of all 20 heads' effects" in text
    assert "an overlap of 75%, the share to look for, arises at" in text
    assert "p = 0.048" in text
    assert "Overlap at every threshold" not in to_text(functional_summary(replace(functional, curves=())), 160)


def test_below_the_page_of_two_circuits_stands_what_was_measured_of_them(functional: FunctionalComparison):
    shape = geometry(4, 5, "mini")
    left, right = (circuit(name, {"mover": "2.0 2.4 at END"}, shape=shape) for name in ("first", "second"))
    described = CircuitDiff(left, right, functional.structure)
    alone, whole = (
        to_text(draw_diff(each, 160), 160) for each in (described, replace(described, functional=functional))
    )
    assert whole == alone + to_text(functional_summary(functional), 160)
    assert "What each part does" not in alone  # nothing was measured


def test_the_chart_shows_every_line_of_every_curve(drawn: Curve):
    other = replace(drawn, kind="stages", quoted=None, arises=())
    chart = curves([drawn, other]).to_dict()
    assert len(chart["vconcat"]) == 2
    for panel, shown in zip(chart["vconcat"], (drawn, other), strict=True):
        band, lines, *quoted = panel["layer"]
        assert [row["count"] for row in drawn_rows(chart, band)] == [point.count for point in shown.points]
        for name in ("overlap", "ceiling", "chance"):
            found = [row["share"] for row in drawn_rows(chart, lines) if row["line"] == name]
            assert found == [getattr(point, name) for point in shown.points]
        assert len(quoted) == (2 if shown.quoted is not None else 0)
    *_, arises = chart["vconcat"][0]["layer"]
    assert [row["count"] for row in drawn_rows(chart, arises)] == list(drawn.arises) != []
    assert ET.fromstring(svg(curves([drawn]))).tag.endswith("svg")


def test_the_json_of_a_comparison_obeys_the_schema(functional: FunctionalComparison):
    validator = schema()
    definitions = {"$defs": dict(validator.schema)["$defs"]}  # type: ignore[arg-type]
    comparison = validator.evolve(schema={"$ref": "#/$defs/comparison", **definitions})
    data = {**functional.to_dict(), "claims": []}
    assert [error.message for error in comparison.iter_errors(data)] == []
    assert list(comparison.iter_errors({**data, "curves": [{}]}))


def change(before: float, after: float, certain: bool = False) -> Change:
    return Change(estimate(before), estimate(after), estimate(after - before), 0.01 if certain else 0.5, certain)


def arm(name: str, accuracy: float, repaired: float = 0, **rest) -> Arm:
    return Arm(name, estimate(accuracy), estimate(accuracy - 0.4), estimate(2.0), estimate(1.5), repaired, 0, **rest)


def test_what_is_shown_of_an_intervention():
    report = InterventionReport(
        Intervention("repair", "second", "x.circuit", (Attend((), (), text="attend 2.0 ..."),), ()),
        "mini",
        60,
        (),
        60,
        accuracy="accuracy",
        arms=(
            arm("none", 0.4),
            arm("all", 0.9, 30, repaired_examples=(Example("What color?", -0.5, 2.5),)),
            replace(arm("attend 2.0 ...", 0.0), accuracy=NOTHING, note="the patch changed nothing"),
            arm("random heads", 0.45, 1.5, sets=20),
        ),
        p_value=1 / 21,
        downstream=(
            Downstream(
                "END -> IO",
                (
                    HeadChange("3.1", ("mover",), True, change(0.3, 0.5), *map(estimate, (-0.1, -0.4, -0.5))),
                    *(
                        HeadChange(
                            f"4.{i}", (), False, change(0.1, 0.2 + i / 100, i > 1), NOTHING, NOTHING, estimate(0)
                        )
                        for i in range(9)
                    ),
                ),
                estimate(0.69),
                estimate(0.12),
            ),
            Downstream(
                "END -> S2", (HeadChange("4.0", (), False, change(0.1, 0.1), *[NOTHING] * 3),), NOTHING, NOTHING
            ),
        ),
        direct=(
            DirectEffect("3.1", ("mover",), True, change(-0.5, -1.5)),
            DirectEffect("4.0", (), False, change(-0.25, -0.75, True)),
            DirectEffect("4.1", (), False, change(-0.25, -0.3)),
        ),
    )
    text = to_text(intervention_summary(report), 140)
    assert "the model as it is" in text
    assert "90.0% [85.0, 95.0]" in text
    assert "not measured" in text
    assert "the patch changed nothing" in text
    assert "'What color?'  logit_diff -0.50 -> 2.50" in text
    assert "mean of 20 sets; as accurate as the real ones with p = 0.048" in " ".join(text.split())
    assert "attention END -> IO" in text
    ranks = "(Spearman): 0.69 [0.64, 0.74] over the heads of the claims, 0.12 [0.07, 0.17] over all heads"
    assert ranks in " ".join(text.split())
    lines = [line.split() for line in text.splitlines()]
    shown = [words[0] for words in lines if words and words[0][:2] in ("3.", "4.")]
    assert shown == ["3.1", "4.8", "4.7", "4.6", "4.5", "4.4", "3.1", "4.0"]  # those that change most, largest first
    assert "7 of 9 other heads change significantly (Holm, over 10); the 5 largest here, all in JSON" in text
    assert "none of 1 head changes significantly (Holm, over 1); all in JSON" in text
    assert "1 of 2 other heads changes significantly (Holm, over 3); all in JSON" in text
    assert ["4.0", "-0.25", "[-0.30,", "-0.20]", "-0.75", "[-0.80,", "-0.70]", "-0.50", "[-0.55,", "-0.45]"] in lines
    assert to_text(intervention_summary(replace(report, arms=()))).strip() == ""

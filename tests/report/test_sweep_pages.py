"""A sweep as a page, a picture, arrays, a frame, and JSON that obeys its schema."""

from __future__ import annotations

import io
import json
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from report_samples import drawn_rows

import circuitdsl as cd
from circuitdsl.components import ALL, END, Component, Embed, Head, Mlp, Node
from circuitdsl.errors import InputError
from circuitdsl.judge.estimates import NOTHING, Estimate, Verdict
from circuitdsl.language.sweep import read_sweep
from circuitdsl.outcome import Finding, Performance, SenderOutcome, SeriesOutcome, SweepReport
from circuitdsl.report.charts.grid import of_sweep
from circuitdsl.report.data.json import to_json
from circuitdsl.report.data.npz import arrays, npz
from circuitdsl.report.output import View

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
SHOWN = 15


def sender(
    component: Component, value: float, finding: Finding, position=END, p: float | None = 0.5, prompts: int = 200
) -> SenderOutcome:
    return SenderOutcome(Node(component, position), Estimate(value, value - 0.05, value + 0.05), finding, prompts, p, p)


def sweep(performs: Verdict = Verdict.HOLDS) -> SweepReport:
    """Every finding, an MLP, an embedding, two positions, an unbounded interval, and a figure without a floor."""
    found = read_sweep(
        "ioi", ["{ heads mlps embed } at END -> logits", "attention(heads, END -> S2)"], "mini", {}, cd.environment()
    )
    effects, attention = found.terms
    strong = [
        sender(Head(3, 0), -0.5, "beyond", p=1e-9),
        sender(Mlp(2), 0.3, "beyond", p=0.001),
        replace(sender(Head(2, 7), -0.2, "open"), estimate=Estimate(-0.2, float("-inf"), float("inf"))),
        sender(Embed(), 0.1, "open", ALL),
    ]
    weak = [sender(Head(1, index), 0.001 * index, "within") for index in range(7, -1, -1)]
    weak += [sender(Head(0, index), 0.0001 * index, "within", prompts=50) for index in range(7, -1, -1)]
    failed = SenderOutcome(Node(Mlp(0), END), NOTHING, "not measured", note="the patch changed nothing")
    attending = [SenderOutcome(Node(Head(1, 1), ALL), Estimate(0.9, 0.8, 0.95), "measured", 200)]
    return SweepReport(
        circuit=found.circuit,
        performance=Performance(Estimate(3.0, 2.5, 3.5), Estimate(0.9, 0.8, 0.95), NOTHING, performs, 0.95, 200),
        series=(
            SeriesOutcome(effects, "share", (*strong, *weak, failed), (Node(Head(3, 7), END),)),
            SeriesOutcome(attention, "share", tuple(attending)),
        ),
        prompts=200,
        confidence=0.95,
        each=0.999,
        model="mini",
        processing="weights as they are",
        notes=("a note",),
        example="Mary gave a ball to",
        versions={"python": "3.11"},
    )


def withheld() -> SweepReport:
    report = sweep(Verdict.FAILS)
    effects, attention = report.series
    return replace(report, series=(replace(effects, senders=(), withheld="it does not do the task"), attention))


# --- pages ------------------------------------------------------------------------------------------


def test_the_page_says_first_whether_the_task_is_done_then_the_strongest():
    lines = cd.show(sweep()).splitlines()
    places = [next(i for i, line in enumerate(lines) if part in line) for part in ("logit_diff 3.00", "3.0 ", "mlp 2")]
    assert places == sorted(places)
    page = "\n".join(lines)
    assert "2 of 21 senders surely change logit_diff by more than 1.0%" in page
    assert "16 surely by less (each for itself), 2 cannot be told" in page
    assert "measured on fewer prompts, which told that they change it by less: 8 on 50" in page
    assert "which can be anything" in page
    assert "1 sender left out" in page
    assert "90.0% [80.0, 95.0]" in page  # attention


def test_the_page_shows_the_strongest_and_all_if_it_is_asked():
    short, long = cd.show(sweep()), cd.show(sweep(), view=View(verbose=True))
    assert f"and {21 - SHOWN} more, which --verbose shows" in short
    assert "the patch changed nothing" not in short
    assert "the patch changed nothing" in long and "which --verbose shows" not in long


def test_where_the_task_is_not_done_the_page_says_so_and_has_no_share():
    page = cd.show(withheld())
    assert "the model does not do this task" in page
    assert "not given: it does not do the task" in page
    assert "-50.0%" not in page and "90.0% [80.0, 95.0]" in page


# --- charts -----------------------------------------------------------------------------------------


def rows(chart: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the squares that have a figure, of every panel."""
    return [row for panel in chart["vconcat"] for row in drawn_rows(chart, panel["layer"][1])]


def test_the_chart_has_a_square_a_sender_layer_by_head():
    chart = sweep().chart().to_dict()
    drawn = {row["node"]: row for row in rows(chart)}
    strong, weak, mlp = drawn["3.0 at END"], drawn["1.0 at END"], drawn["mlp 2 at END"]
    assert (strong["layer"], strong["head"], strong["value"], strong["strong"]) == (3, "0", -0.5, True)
    assert strong["figure"] == "-50.0% [-55.0, -45.0]"
    assert (weak["layer"], weak["head"], weak["strong"]) == (1, "0", False)
    assert (mlp["layer"], mlp["head"]) == (2, "mlp")
    assert "mlp 0 at END" not in drawn  # the patch changed nothing, and it has no figure
    assert chart["vconcat"][0]["layer"][0]["encoding"]["y"]["sort"] == "descending"  # higher layers stand higher


def test_a_picture_speaks_of_a_floor_and_of_positions_only_where_there_are_any():
    effects, attention = of_sweep(sweep())
    assert effects.about == "senders at END; largest 50.0%; dark edge: beyond the floor"
    assert attention.about == "largest 90.0%"


def test_a_picture_of_it_is_well_formed():
    for report in (sweep(), withheld()):
        assert ET.fromstring(cd.show(report, "svg")).tag == f"{SVG}svg"


# --- data -------------------------------------------------------------------------------------------


def schema() -> Draft202012Validator:
    described = json.loads((ROOT / "docs" / "sweep.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(described)
    return Draft202012Validator(described)


@pytest.mark.parametrize("report", [sweep(), withheld()], ids=["all findings", "withheld"])
def test_json_obeys_its_schema(report: SweepReport):
    data = json.loads(to_json(report.to_dict()))
    schema().validate(data)
    assert data["schema"] == "circuitdsl/sweep/2"
    effects, _ = data["series"]
    assert len(effects["senders"]) == len(report.series[0].senders)


def test_the_schema_refuses_what_it_does_not_know():
    data = json.loads(to_json(sweep().to_dict()))
    data["series"][0]["senders"][0]["finding"] = "perhaps"
    assert not schema().is_valid(data)
    assert not schema().is_valid(json.loads(to_json(sweep().to_dict())) | {"more": 1})


def test_arrays_have_a_column_each_and_need_no_pickle():
    report = sweep()
    found = np.load(io.BytesIO(npz(report)), allow_pickle=False)
    rows = list(report.rows())
    assert set(found) == set(rows[0])
    assert all(len(found[name]) == len(rows) == 22 for name in found)
    assert found["value"][0] == -0.5 and np.isnan(found["low"][2]) and np.isnan(found["value"][-2])
    assert (found["layer"][0], found["head"][0], found["head"][1], found["layer"][3]) == (3, 0, -1, -1)
    assert found["prompts"].dtype == np.int64 and list(found["prompts"][[0, 15]]) == [200, 50]
    assert found["finding"][0] == "beyond" and found["sender"][1] == "mlp 2"


def test_arrays_of_a_sweep_without_rows_have_their_types():
    found = arrays(replace(sweep(), series=()))
    assert all(len(column) == 0 for column in found.values())
    assert found["value"].dtype == np.float64 and found["sender"].dtype.kind == "U"


def test_a_frame_has_the_rows():
    pandas = pytest.importorskip("pandas")
    report = sweep()
    frame = report.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["sender"])[:2] == ["3.0", "mlp 2"] and len(frame) == 22
    assert frame["value"].iloc[0] == -0.5


def test_without_pandas_a_frame_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError) as error:
        sweep().to_frame()
    assert "circuitdsl[frame]" in error.value.remedy

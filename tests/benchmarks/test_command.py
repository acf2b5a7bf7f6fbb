"""The benchmark's one command, whole, on a tiny shape: that it measures everything, not how fast anything is."""

from __future__ import annotations

import json
import math
import signal
import xml.etree.ElementTree as ET

import pytest

from benchmarks.__main__ import main
from benchmarks.cases import CASES
from benchmarks.growth import GRIDS, LINES

GRID = GRIDS["tiny"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    into = tmp_path_factory.mktemp("benchmarks")
    signal.setitimer(signal.ITIMER_PROF, 0)  # the test's limit: while it runs, the clock of CPU time has coarse steps
    main(["--shape", "tiny", "--prompts", "4", "--growth", "tiny", "--out", str(into)])
    return into


@pytest.fixture(scope="module")
def report(folder):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON number")

    return json.loads((folder / "sweeps.json").read_text(encoding="utf-8"), parse_constant=refuse)


def test_every_case_has_its_costs(report):
    assert [row["case"] for row in report["rows"]] == [*CASES]
    for row in report["rows"]:
        assert row["prompts"] == 4 * CASES[row["case"]].times
        for cost in ("forward", "plain", "fast", "floor", "plain / fast", "fast / floor"):
            assert row[cost] > 0
        assert (row["helper"] is not None) == (row["case"] in ("a", "a-total", "d", "e"))
        assert row["difference"] < 1e-4


def test_columns_without_figures_say_why(report):
    assert all(row["path_patching"] is None and row["eap_ig"] is None for row in report["rows"])
    assert report["notes"] == [
        "tiny, path_patching: not measured, give --peers-python and --path-patching",
        "tiny, EAP-IG: not measured, give --peers-python and --eap-ig",
    ]
    assert report["agreements"] == []


def test_the_table_has_a_line_for_every_case(folder, report):
    text = (folder / "sweeps.md").read_text(encoding="utf-8")
    for name, case in CASES.items():
        assert f"| {name}: {case.about}" in text
    widths = {len(line.split("|")) for line in text.splitlines() if line.startswith("| ") and "forwards" not in line}
    assert len(widths) == 2  # the sweeps' table and the growth's: no line is short of a cell


def test_growth_has_every_size_and_is_drawn(folder, report):
    sizes = [(axis, size) for axis, all_sizes in GRID.sizes.items() for size in all_sizes]
    found = [(point["case"], point["axis"], point["size"]) for point in report["growth"]]
    assert found == [(case, axis, size) for case in ("a", "b") for axis, size in sizes]
    assert all(point[line] > 0 for point in report["growth"] for line in LINES)
    picture = ET.parse(folder / "growth.svg").getroot()
    lines = picture.findall("{*}polyline")
    assert len(lines) == 2 * len(GRID.sizes) * len(LINES)
    places = [
        float(number) for line in lines for place in line.get("points", "").split() for number in place.split(",")
    ]
    assert all(map(math.isfinite, places))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cases", "a,z"], "no z among a, a-total"),
        (["--shape", "huge"], "no huge among tiny"),
        (["--eap-ig", "nowhere/at/all"], "nowhere/at/all does not exist"),
        (["--length", "4"], "--length must be at least 8"),
    ],
)
def test_wrong_arguments(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err

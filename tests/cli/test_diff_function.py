"""``circuitdsl diff --function``: what two circuits do for each other's tasks, on their model."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch
from command_line import run
from rich.cells import cell_len

torch.set_num_threads(1)

SPEC = """circuit names {
  model planted-broken
  task ioi
  method { prompts 12  reference 2 }
  role mover at END { 3.1 3.4 }
}
circuit others {
  model planted-broken
  task ioi
  method { prompts 12  reference 2 }
  role inhibition at END { 2.0 2.3 }
  role mover at END { 3.1 3.4 }
}
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where results are kept: what one test measures is at hand in the others."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def pair(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(cache))
    monkeypatch.setenv("COLUMNS", "120")
    path = tmp_path / "pair.circuit"
    path.write_text(SPEC, encoding="utf-8")
    return f"{path}:names", f"{path}:others"


def test_the_page_the_data_and_the_picture(pair: tuple[str, str], tmp_path: Path):
    ended = run("diff", *pair, "--function", "--curve", tmp_path / "curve.svg")
    assert ended.code == 0, ended.err
    assert "What each part does on both tasks" in ended.out
    assert "Overlap at every threshold, by knockout" in ended.out
    assert ET.parse(tmp_path / "curve.svg").getroot().tag.endswith("svg")
    found = json.loads(run("diff", *pair, "--function", "--format", "json").out)
    assert {curve["kind"] for curve in found["curves"]} == {"direct", "knockout"}
    assert any("no stages curve" in note for note in found["notes"])
    assert {curve["quoted"] for curve in found["curves"]} == {1.0}  # the two circuits' own overlap
    cell = next(cell for cell in found["function"]["cells"] if (cell["part"], cell["task"]) == ("shared", "left"))
    assert cell["heads"] == 2


def test_in_bfloat16_it_says_so(pair: tuple[str, str]):
    ended = run("diff", *pair, "--function", "--dtype", "bfloat16", "--prompts", 4)
    assert ended.code == 0, ended.err
    assert "the model ran in bfloat16" in ended.out


def test_without_it_no_model_is_asked(pair: tuple[str, str]):
    ended = run("diff", *pair)
    assert ended.code == 0
    assert "What each part does" not in ended.out
    assert "curves" not in json.loads(run("diff", *pair, "--format", "json").out)


def test_where_a_quoted_share_would_arise(pair: tuple[str, str]):
    ended = run("diff", *pair, "--quoted", "78%", "--format", "json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert {curve["quoted"] for curve in found["curves"]} == {0.78}
    for curve in found["curves"]:
        at = [point["overlap"] for point in curve["points"]]
        crossings = [i for i, (a, b) in enumerate(pairwise([at[0], *at]), 1) if (a - 0.78) * (b - 0.78) < 0]
        assert curve["arises"] == crossings  # none of these shares rounds to 78%
    assert "an overlap of 78%, the share to look for, arises" in run("diff", *pair, "--quoted", "78%").out


def test_the_page_fits_a_terminal_and_explains_itself(pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = run("diff", *pair, "--function").out
    assert max(map(cell_len, shown.splitlines())) <= 80
    assert "…" not in shown
    for words in ("kept alone: how much", "knocked out: by how much", "Conclusion: ", "ceiling: the overlap of a task"):
        assert words in shown


def test_counterparts_take_each_others_positions(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Aligned roles stand at each other's positions on the other task; without ``align`` the page says: at all."""
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(cache))
    path = tmp_path / "pair.circuit"
    path.write_text(SPEC, encoding="utf-8")
    pair = (f"{path}:names", f"{path}:others", "--function", "-f", "json")
    alone = json.loads(run("diff", *pair).out)["function"]["notes"]
    assert "on others's task mover of names stand at all positions" in alone
    aligned = json.loads(run("diff", *pair, "--align", "mover ~ mover").out)["function"]["notes"]
    assert aligned == ["on names's task inhibition of others stand at all positions"]

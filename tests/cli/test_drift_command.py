"""`drift` and `check --against`: what is written and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from command_line import run

SPEC = "circuit c {\n  model mini\n  task ioi\n  method { prompts 20 }\n  expect logit_diff >= 0 as does_the_task\n}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A specification, its report on mini, and one in which it was another on every prompt: by less than an interval
    tells."""
    folder = tmp_path_factory.mktemp("drift")
    (folder / "c.circuit").write_text(SPEC, encoding="utf-8")
    ended = run("check", folder / "c.circuit", "--no-unexplained", "-f", "json", "-o", folder / "old.json")
    assert ended.code == 0, ended.err
    made: Any = json.loads((folder / "old.json").read_text(encoding="utf-8"))
    (claim,) = made["circuits"][0]["claims"]
    assert claim["high"] - claim["low"] > 1
    for key in ("value", "low", "high"):
        claim[key] -= 0.2
    singles = claim["singles"]
    singles["values"] = " ".join(str(float(value) - 0.2) for value in singles["values"].split())
    (folder / "other.json").write_text(json.dumps(made), encoding="utf-8")
    return folder


def test_it_ends_as_a_check_does(folder: Path):
    old, other = folder / "old.json", folder / "other.json"
    same = run("drift", old, old)
    assert (same.code, same.err) == (0, "") and "1 claim: 1 as before, 0 changed" in same.out
    moved = run("drift", other, old)
    assert (moved.code, moved.err) == (1, "") and "✗ c:does_the_task" in moved.out
    told = json.loads(run("drift", other, old, "--format", "json").out)
    (claim,) = told["claims"]
    assert told["exit"] == 1 and claim["difference"]["value"] == pytest.approx(0.2, abs=1e-5)
    assert "on the same prompts it changed by 0.20" in " ".join(moved.out.split())
    (case,) = ET.fromstring(run("drift", other, old, "-f", "junit").out).iter("testcase")
    assert (case.get("name"), [child.tag for child in case]) == ("c:does_the_task", ["failure"])


def test_a_check_against_an_earlier_report_turns_red_where_a_value_moved(folder: Path):
    options = (folder / "c.circuit", "--no-unexplained", "-f", "json", "--against")
    same = run("check", *options, folder / "old.json")
    assert same.code == 0 and "weights, versions, tasks and methods are the same" in same.err
    assert json.loads(same.out)["circuits"][0]["exit"] == 0
    moved = run("check", *options, folder / "other.json")
    assert moved.code == 1 and "the value moved" in " ".join(moved.err.split())
    assert json.loads(moved.out)["circuits"][0]["exit"] == 0


def test_what_is_no_report_is_said_before_anything_runs(folder: Path):
    for name, says in (("none.json", "cannot read"), ("c.circuit", "not JSON")):
        ended = run("check", folder / "c.circuit", "--against", folder / name)
        assert (ended.code, ended.out) == (2, "") and says in ended.err
        assert run("drift", folder / name, folder / "old.json").code == 2
    ended = run("check", folder / "c.circuit", "--watch", "--against", folder / "old.json")
    assert ended.code == 2 and "do not go together" in ended.err

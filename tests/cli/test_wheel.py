"""The wheel: what it contains, and that it works alone, from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[2]


def run(
    installed: Path, *arguments: str, cwd: Path, python: tuple[str, ...] = (sys.executable,)
) -> subprocess.CompletedProcess[str]:
    """``python -m circuitdsl`` of the installed wheel alone."""
    return subprocess.run(
        [*python, "-m", "circuitdsl", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed), "HF_HUB_OFFLINE": "1"},
        timeout=240,
        check=False,
    )


def test_it_contains_all_that_ships_and_nothing_else(wheel: Path):
    names = set(ZipFile(wheel).namelist())
    source = {str(path.relative_to(ROOT)) for path in (ROOT / "circuitdsl").rglob("*.py")}
    specs = {f"circuitdsl/{path.relative_to(ROOT)}" for path in (ROOT / "specs").rglob("*.circuit")}
    assert source | specs <= names
    assert {"circuitdsl/grammar/circuit.lark", "circuitdsl/specs/mini/ioi.circuit", "circuitdsl/py.typed"} <= names
    assert "circuitdsl/models/mini/model.safetensors" in names
    assert "circuitdsl/models/mini/tokenizer.json" in names
    assert {
        f"circuitdsl/report/html/templates/{name}" for name in ("page.html.jinja", "style.css", "script.js")
    } <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"circuitdsl"}
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_it_finds_its_grammar_and_its_specs_from_another_folder(installed: Path, tmp_path: Path):
    linted = run(installed, "lint", "specs/mini/ioi.circuit", cwd=tmp_path)
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "nothing is wrong\n", "")
    planned = run(installed, "plan", "specs/mini/ioi.circuit", cwd=tmp_path)
    assert (planned.returncode, planned.stderr) == (0, "")
    assert "experiments on 90 prompts at first" in planned.stdout


def test_it_checks_a_spec_on_the_model_inside_it(installed: Path, tmp_path: Path, warm: tuple[str, ...]):
    (tmp_path / "my.circuit").write_text("circuit c {\n  model mini\n  task  ioi\n  expect logit_diff >= 0\n}\n")
    command = ("check", "my.circuit", "--prompts", "20", "--no-unexplained", "--no-cache")
    checked = run(installed, *command, cwd=tmp_path, python=warm)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "1 claim holds" in checked.stdout

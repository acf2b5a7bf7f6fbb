"""``--revision`` where nothing is opened but a model's shape is read: plan, lint, show, diff."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import run

from circuitdsl.models.folders import MINI

NAME = "someone/growing"
COMMIT = "1" * 40
LAST_LAYER = "  role deep at END { 3.7 }\n"
COMMANDS = ("plan", "lint", "show", "diff")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was downloaded of a model: the shapes of its branch main, of two layers, and of its tag v1, of four."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    stored = tmp_path / "hub" / f"models--{NAME.replace('/', '--')}"
    (stored / "refs").mkdir(parents=True)
    shape = json.loads((MINI / "config.json").read_text("utf-8"))
    for commit, reference, layers in ((COMMIT, "v1", 4), ("2" * 40, "main", 2)):
        snapshot = stored / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text(json.dumps(shape | {"n_layer": layers}))
        (stored / "refs" / reference).write_text(commit)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "deep.circuit"
    path.write_text(f'circuit c {{\n  model "{NAME}"\n  task  ioi\n{LAST_LAYER}}}\n')
    return path


def called(command: str, spec: Path, *more: str):
    return run(command, *([spec, spec] if command == "diff" else [spec]), *more)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("revision", ["v1", COMMIT])
def test_a_spec_is_read_by_the_shape_of_the_revision(spec: Path, command: str, revision: str):
    ended = called(command, spec, "--revision", revision)
    assert (ended.code, ended.err) == (0, "")
    own = called(command, spec)
    assert own.code == 2
    assert "2 layers" in own.out + own.err


def test_the_plan_counts_the_heads_of_the_revision(spec: Path):
    spec.write_text(spec.read_text().replace(LAST_LAYER, "  role early at END { 0.1 }\n"))
    lines = {
        more: json.loads(called("plan", spec, *more, "-f", "json").out)["lines"] for more in ((), ("--revision", "v1"))
    }
    searched = {more: sum(line["purpose"] == "unlisted" for line in some) for more, some in lines.items()}
    assert searched == {(): 2 * 8 - 1, ("--revision", "v1"): 4 * 8 - 1}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_revision_that_is_not_here_names_those_that_are(spec: Path, command: str):
    spec.write_text(spec.read_text().replace(LAST_LAYER, "  role early at END { 0.1 }\n"))
    ended = called(command, spec, "--revision", "v2")
    assert (ended.code, ended.out) == (2, "")
    assert f"{NAME} was downloaded, but not its revision v2 (there are: {COMMIT}, {'2' * 40}, main, v1)" in ended.err
    assert "help: `circuitdsl check --revision v2` fetches it once" in ended.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_model_that_ships_has_no_revisions(spec: Path, command: str):
    spec.write_text(spec.read_text().replace(f'"{NAME}"', "mini"))
    ended = called(command, spec, "--revision", "v1")
    assert (ended.code, ended.out) == (2, "")
    assert "mini comes with circuitdsl and has no revisions" in ended.err


def test_the_model_named_on_the_command_line_is_the_one_of_the_revision(spec: Path):
    spec.write_text(spec.read_text().replace(f'"{NAME}"', "mini"))
    for command in ("plan", "lint", "show"):
        assert called(command, spec, "--model", NAME, "--revision", "v1").code == 0

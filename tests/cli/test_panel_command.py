"""`check --models` and `--revisions`: many models one after the other, and how that ends."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from command_line import run
from safetensors.torch import load_file, save_file

import circuitdsl as cd
from circuitdsl.check import open_models
from circuitdsl.check.interrupted import Interrupted
from circuitdsl.check.panel import check_panel
from circuitdsl.check.progress import Progress
from circuitdsl.models import open_model
from circuitdsl.models.folders import MINI
from circuitdsl.models.listing import ListedModel, listed
from circuitdsl.outcome import Panel, Report
from circuitdsl.report.data.recorded import recorded

SPEC = "circuit c {\n  model mini\n  task ioi\n  method { prompts 20 }\n  expect logit_diff >= 0 as does_the_task\n}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A specification, four models and their list: mini, the same under another name, and two that were changed."""
    folder = tmp_path_factory.mktemp("panel")
    (folder / "c.circuit").write_text(SPEC, encoding="utf-8")
    for name, scale in (("step0", -1.0), ("step100", 0.5), ("step200", 1.0)):
        shutil.copytree(MINI, folder / name, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        weights = load_file(folder / name / "model.safetensors")
        weights = {key: (scale * each if "ln_f.weight" in key else each) for key, each in weights.items()}
        save_file(weights, folder / name / "model.safetensors", metadata={"format": "pt"})
    (folder / "models.txt").write_text("# by step\nstep0\nstep100\nstep200\nmini step=300\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def written(folder: Path) -> Any:
    """The JSON of all models, the page for people that came with it, and the page for browsers."""
    options = ("--no-unexplained", "--cache-folder", folder / "cache", "-f", "json", "-o", folder / "panel.json")
    ended = run("check", folder / "c.circuit", "--models", folder / "models.txt", *options, "--html", folder / "p.html")
    assert ended.code == 1, ended.err
    assert "✗✓✓✓  expect logit_diff >= 0" in ended.out and "step200, mini: 2 names of the same weights" in ended.out
    assert "✓ 100: " in (folder / "panel.json.log").read_text("utf-8")
    assert "expect logit_diff" in (folder / "p.html").read_text("utf-8")
    return json.loads((folder / "panel.json").read_text("utf-8"))


def test_claims_by_models_with_the_steps_that_their_names_say(written: Any):
    assert [(each["label"], each["step"]) for each in written["models"]] == [
        *(("step0", 0), ("step100", 100), ("step200", 200), ("mini", 300))
    ]
    (claim,) = written["claims"]
    assert (claim["id"], claim["change"], claim["holds_from"]) == ("c:does_the_task", "changed", "step100")
    assert [each["verdict"] for each in claim["standings"]] == ["fails", "holds", "holds", "holds"]
    assert len({each["fingerprints"][0] for each in written["models"]}) == 3


def test_what_was_measured_is_not_measured_again(folder: Path, written: Any):
    ended = run(
        *("check", folder / "c.circuit", "--models", folder / "models.txt", "--no-unexplained", "-f", "junit"),
        *("--cache-folder", folder / "cache"),
    )
    assert ended.code == 1
    assert [suite.get("failures") for suite in ET.fromstring(ended.out)] == ["1", "0", "0", "0"]
    again = panel(folder, store=cd.Store.in_folder(folder / "cache"))
    assert again.cost.experiments == 0 and again.cost.kept > 0
    assert again.to_dict()["claims"] == written["claims"]


def panel(folder: Path, **settings: Any) -> Panel:
    return cd.panel(folder / "c.circuit", folder / "models.txt", unexplained=False, **settings)


def test_a_model_that_cannot_be_opened_is_an_error_of_its_own(folder: Path, tmp_path: Path):
    shutil.copytree(folder / "step0", tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"no weights")
    listing = tmp_path / "models.txt"
    listing.write_text(f"broken\naddition\n{folder / 'step200'}\ngpt2-xl\n", encoding="utf-8")
    ended = run("check", folder / "c.circuit", "--models", listing, "--no-unexplained", "-f", "json")
    found = json.loads(ended.out)
    assert (ended.code, found["exit"]) == (2, 2)
    assert [each["error"] and each["error"]["code"] for each in found["models"]] == [2, 2, None, 2]
    assert all(each["error"]["problem"] and each["error"]["remedy"] for each in found["models"] if each["error"])
    assert found["claims"][0]["standings"][2]["verdict"] == "holds"


def test_names_of_which_nothing_is_known_are_told_at_once_before_any_model_is_opened(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(open_models, "open_model", lambda *given: pytest.fail("a model was opened"))
    (tmp_path / "models.txt").write_text(f"{folder / 'step200'}\nnothing/here\nmini@step3\n", encoding="utf-8")
    ended = run("check", folder / "c.circuit", "--models", tmp_path / "models.txt", "--no-cache")
    said = " ".join(ended.err.split())
    assert (ended.code, ended.out) == (2, "") and "2 of 3 models cannot be had" in said and "help: " in said
    assert "nothing/here" in said and "mini comes with circuitdsl and has no revisions" in said


def test_where_no_model_can_be_checked_the_first_reason_is_the_error(folder: Path, tmp_path: Path):
    (tmp_path / "wrong.circuit").write_text(SPEC.replace("logit_diff", "logit_dif"), encoding="utf-8")
    wrong = run("check", tmp_path / "wrong.circuit", "--models", folder / "models.txt")
    assert (wrong.code, wrong.out) == (2, "") and "wrong.circuit:5:" in wrong.err and wrong.err.count("error[") == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--models", "models.txt", "--model", "mini"], "--models goes with neither"),
        (["--revisions", "step1,step2"], "whose revisions"),
        (["--models", "models.txt", "--watch"], "are of one model"),
        (["--models", "models.txt", "-f", "sarif"], "not written as sarif"),
        (["--models", "none.txt"], "cannot read the list of models none.txt"),
        (["--model", "mini", "--revisions", "step1,step2"], "mini comes with circuitdsl and has no revisions"),
    ],
)
def test_what_does_not_go_together_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], says: str
):
    monkeypatch.chdir(folder)
    ended = run("check", "c.circuit", *options)
    assert (ended.code, ended.out) == (2, "") and says in ended.err


def test_one_model_is_open_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch):
    opened: list[weakref.ref[Any]] = []
    most = 0

    def counted(*arguments: Any) -> Any:
        nonlocal most
        model = open_model(*arguments)
        opened.append(weakref.ref(model.bridge))
        most = max(most, sum(each() is not None for each in opened))
        return model

    monkeypatch.setattr(open_models, "open_model", counted)
    panel(folder, store=False)
    assert (len(opened), most) == (4, 1)
    gc.collect()
    assert all(each() is None for each in opened)


def test_a_panel_that_is_interrupted_has_the_models_that_were_done_and_goes_on_from_there(folder: Path, tmp_path: Path):
    store = cd.Store.in_folder(tmp_path)
    seen: list[str] = []

    def interrupting(done: int, total: int, what: str) -> None:
        assert done <= total
        seen.append(what)
        if what.startswith("step200 (3 of 4)"):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stopped:
        panel(folder, store=store, progress=interrupting)
    assert isinstance(stopped.value.report, Panel)
    assert [each.label for each in stopped.value.report.columns] == ["step0", "step100"]
    assert seen[0].startswith("step0 (1 of 4), ")
    done = panel(folder, store=store)
    assert [each.cost.experiments > 0 for each in done.columns] == [False, False, True, False]


def test_a_panel_that_is_interrupted_in_its_first_model_has_what_is_known_of_it(folder: Path):
    report = cd.check(folder / "c.circuit", unexplained=False, store=False)

    def check(model: ListedModel, progress: Progress) -> Report:
        raise Interrupted(report)

    with pytest.raises(Interrupted) as stopped:
        check_panel(
            [listed("mini"), listed("gpt2")],
            check,
            lambda each: recorded(each.to_dict(), "it"),
            lambda done, total, what: None,
        )
    assert isinstance(stopped.value.report, Panel)
    assert [(each.label, len(each.standings)) for each in stopped.value.report.columns] == [("mini", 1)]

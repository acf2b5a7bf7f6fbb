"""``circuitdsl draft``: what it prints and writes, how it ends, and that it goes on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from command_line import run

import circuitdsl as cd

torch.set_num_threads(1)

TINY = ("--model", "planted-induction", "--prompts", 16, "--reference", 4, "--stages", 2)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where results are kept: what one test measures is at hand in the others, which look at what is printed."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(cache))


def test_a_draft_prints_a_page_and_writes_a_specification_that_checks_green():
    ended = run("draft", "induction", *TINY, "-o", "d.circuit")
    assert (ended.code, ended.err) == (0, "")
    assert "hold on the judging prompts" in ended.out and "what it did not explain" in ended.out
    assert run("fmt", "--check", "d.circuit").code == 0
    assert run("check", "d.circuit", "-q").code == 0


def test_a_draft_that_was_stopped_goes_on_from_the_store(tmp_path: Path):
    store = cd.Store.in_folder(tmp_path / "store")
    settings = {"prompts": 16, "reference": 4, "unexplained": False}

    def stop(done: int, total: int, what: str) -> None:
        if what.startswith("stage 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cd.draft("induction", model="planted-induction", store=store, progress=stop, **settings)  # type: ignore[arg-type]
    stopped = cd.draft("induction", model="planted-induction", store=store, **settings)  # type: ignore[arg-type]
    whole = cd.draft("induction", model="planted-induction", **settings)  # type: ignore[arg-type]
    assert stopped.text == whole.text
    assert stopped.cost.kept > 0 and stopped.cost.experiments < whole.cost.experiments


def test_a_dry_run_prints_the_first_stage_and_runs_nothing():
    ended = run("draft", "ioi", "--model", "gpt2", "-o", "d.circuit", "--dry-run")
    assert (ended.code, ended.err) == (0, "")
    assert "forward passes" in ended.out and not Path("d.circuit").exists()


@pytest.mark.parametrize(("mlps", "senders"), [("--mlps", 37), ("--no-mlps", 33)])
def test_a_dry_run_plans_the_senders_that_are_asked_for(mlps: str, senders: int):
    """On mini: 32 heads, the token embedding, and 4 MLPs."""
    ended = run("draft", "ioi", "-o", "d.circuit", mlps, "--dry-run", "--format", "json")
    assert sum(line["purpose"] == "sweep" for line in json.loads(ended.out)["lines"]) == senders


def test_json_has_the_text_and_what_was_found():
    ended = run("draft", "induction", *TINY, "-o", "d.circuit", "--no-unexplained", "--format", "json")
    data = json.loads(ended.out)
    assert (data["schema"], data["task"], data["exit"]) == ("circuitdsl/draft/3", "induction", 0)
    assert data["text"] == Path("d.circuit").read_text("utf-8")
    assert {each["sender"] for each in data["fed"]} >= {"1.1", "1.3"}


NO_COUNTERFACTUAL = '{"prompt": "Anna met Tom and Anna saw", "answer": " Tom", "wrong": [" Anna"]}\n'


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("there is no task called nope", ["nope"]),
        ("there is no such file", ["nope.jsonl"]),
        ("no model called nope", ["ioi", "--model", "nope"]),
        ("--fdr 7 is no share", ["ioi", "--fdr", "7"]),
        ("--top x% is no share", ["ioi", "--top", "x%"]),
        ("not both", ["ioi", "--top", "2%", "--fdr", "5%"]),
        ("`1` is not possible here", ["ioi", "--reference", "1"]),
        ("no counterfactual `nope`", ["ioi", "--against", "nope"]),
        ('the task file("plain.jsonl") has none', ["plain.jsonl"]),
        ("not an amount of memory", ["ioi", "--memory", "much"]),
    ],
)
def test_wrong_arguments_are_told(said: str, arguments: list[str]):
    Path("plain.jsonl").write_text(NO_COUNTERFACTUAL, encoding="utf-8")
    ended = run("draft", *arguments, "-o", "d.circuit")
    assert ended.code == 2
    assert said in ended.err and "help" in ended.err
    assert "Traceback" not in ended.err and not Path("d.circuit").exists()


def test_the_file_to_be_written_is_asked_for_and_tried_first():
    assert "--output" in run("draft", "ioi").err
    ended = run("draft", "ioi", "-o", "nowhere/d.circuit")
    assert ended.code == 2 and "cannot write" in ended.err


def test_what_a_draft_has_no_setting_for_is_told():
    with pytest.raises(cd.InputError, match="no setting vary"):
        cd.draft("ioi", vary="ablate: zero")
    with pytest.raises(cd.InputError, match=r"-o my\.circuit"):
        Path("two.jsonl").write_text(
            NO_COUNTERFACTUAL.replace("}", ', "counterfactuals": {"x": "Kate met Tom and Kate saw"}}'), "utf-8"
        )
        cd.draft("two.jsonl")

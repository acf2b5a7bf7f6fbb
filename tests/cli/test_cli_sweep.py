"""``circuitdsl sweep``: what it prints and writes, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import run

torch.set_num_threads(1)

TINY = ("--prompts", 8, "--no-cache")
PROMPTS = "".join(
    json.dumps(
        {"prompt": f"When {a} and {b} went to the store, {a} gave a drink to", "answer": f" {b}", "wrong": [f" {a}"]}
    )
    + "\n"
    for a, b in (("Mary", "John"), ("Anna", "Tom"), ("Paul", "Kate"), ("John", "Anna"))
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(tmp_path / "cache"))


def test_a_sweep_prints_a_page_and_writes_a_picture_and_arrays():
    ended = run("sweep", "ioi", "{ 3.0 3.1 mlp 3 } at END -> logits", *TINY, "--svg", "a.svg", "--npz", "a.npz")
    assert (ended.code, ended.err) == (0, "")
    assert "without any patch: F is logit_diff" in ended.out and "3.0" in ended.out
    assert Path("a.svg").read_text("utf-8").startswith("<svg")
    assert list(np.load("a.npz")["layer"]) == [3, 3, 3]


def test_json_goes_to_a_file_whole():
    ended = run("sweep", "ioi", "attention({ 3.0 }, END -> S2)", *TINY, "--format", "json", "-o", "a.json")
    assert (ended.code, ended.out) == (0, "")
    data = json.loads(Path("a.json").read_text("utf-8"))
    assert (data["schema"], data["task"], data["prompts"]) == ("circuitdsl/sweep/2", "ioi", 8)


def test_settings_are_those_of_a_method():
    options = ("--metric", "probability", "--floor", "2%", "--seed", 5, "--bos", "--confidence", "90%")
    ended = run("sweep", "ioi", "3.0 at END -> logits", *TINY, *options, "--format", "json")
    method = json.loads(ended.out)["method"]
    assert (method["metric"], method["floor"], method["seed"], method["bos"]) == ("probability", 0.02, 5, True)
    assert json.loads(ended.out)["confidence"]["together"] == 0.9


def test_a_second_sweep_is_answered_by_the_store():
    command = ("sweep", "ioi", "3.0 at END -> logits", "--prompts", 8, "--format", "json")
    first, second = (json.loads(run(*command).out) for _ in range(2))
    assert first["cost"]["experiments"] > 0 and second["cost"]["experiments"] == 0
    assert first["series"] == second["series"]


def test_a_dry_run_prints_the_forward_passes_and_runs_nothing():
    ended = run("sweep", "ioi", "--model", "gpt2", "--dry-run")
    assert (ended.code, ended.err) == (0, "")
    assert "forward passes" in ended.out and "each sender alone" in ended.out
    planned = json.loads(run("sweep", "ioi", "--dry-run", "--format", "json").out)
    assert planned["experiments"]["distinct"] == 38


def test_of_prompts_without_a_counterfactual_no_path_can_be_run():
    Path("own.jsonl").write_text(PROMPTS, encoding="utf-8")
    ended = run("sweep", "own.jsonl", "3.0 at END -> logits", "--no-cache")
    assert ended.code == 4
    assert "counterfactual" in ended.out


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("there is no task called nope", ["nope"]),
        ("there is no such file", ["nope.jsonl"]),
        ("no position `S9`", ["ioi", "heads at S9 -> logits"]),
        ("`1` is not possible here", ["ioi", "--reference", "1"]),
        ("no figure of one sender", ["ioi", "minimality(heads)"]),
        ("does not end with its parenthesis", ["ioi", "knockout(heads) < 0%"]),
        ("no model called nope", ["ioi", "--model", "nope"]),
        (
            "of a sweep from where it is run",
            ["ioi", "a1.* -> logits", "--dictionary", 'a1 at attn_out 1 from "nowhere"'],
        ),
        ("has a statement more", ["ioi", "--dictionary", 'a1 at attn_out 1 from "a" expect knockout(heads) > 0']),
        (
            "has a statement more",
            ["ioi", "--dictionary", 'a1 at attn_out 1 from "a"\ndictionary b at attn_out 1 from "b"'],
        ),
        ("has a statement more", ["ioi", "knockout(heads) > 0 expect knockout(mlps)"]),
        ("has a statement more", ["ioi } circuit b { model mini task ioi"]),
        ("has a statement more", ["ioi edge heads -> logits"]),
        ("has a statement more", ["ioi", "--against", "abc seed 4"]),
        ("cannot write", ["ioi", "--npz", "nowhere/a.npz"]),
        ("not an amount of memory", ["ioi", "--memory", "much"]),
        ("--dtype", ["ioi", "--dtype", "float8"]),
    ],
)
def test_wrong_arguments_are_told(said: str, arguments: list[str]):
    ended = run("sweep", *arguments)
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err

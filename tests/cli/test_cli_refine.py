"""``circuitdsl draft --refine``: what it prints and writes, and how it ends."""

from __future__ import annotations

import json
import subprocess
from itertools import permutations
from pathlib import Path

import pytest
import torch
from command_line import run

torch.set_num_threads(1)

TINY = ("--prompts", 16, "--no-unexplained")
SPEC = """\
# A circuit with too much in it.
circuit own {
  model planted-induction
  task  induction

  method {
    reference 8
  }

  role early     at NEXT { 0.0  0.3 }
  role induction at END  { 1.0  1.1  1.3 }

  edge induction -> logits : raises  # so they say
  edge early     -> induction.k
}

circuit other {
  model planted-induction
  task  induction
  expect accuracy >= 50%
}
"""
DROPPED = (
    "  role induction at END  { 1.1  1.3 }\n",
    "  # by draft --refine, role induction: less 1.0, which adds 0.0%, p < 0.0001\n",
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where results are kept: what one test measures is at hand in the others, which look at what is printed."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(cache))
    Path("my.circuit").write_text(SPEC, encoding="utf-8")


def test_the_diff_can_be_given_to_patch_and_apply_writes_the_same():
    shown = run("draft", "--refine", "my.circuit:own", *TINY)
    assert (shown.code, shown.err) == (0, "")
    assert "nothing was written" in shown.out and Path("my.circuit").read_text("utf-8") == SPEC
    Path("patched.circuit").write_text(SPEC, encoding="utf-8")
    subprocess.run(["patch", "-s", "patched.circuit"], input=shown.out, text=True, check=True)
    applied = run("draft", "--refine", "my.circuit:own", "--apply", *TINY)
    assert (applied.code, applied.err) == (0, "") and "my.circuit is changed" in applied.out
    text = Path("my.circuit").read_text("utf-8")
    assert text == Path("patched.circuit").read_text("utf-8")
    assert all(line in text for line in DROPPED)
    assert [line for line in SPEC.splitlines() if line not in text.splitlines()] == [
        "  role induction at END  { 1.0  1.1  1.3 }"
    ]
    assert run("lint", "my.circuit").out == "nothing is wrong\n" and run("fmt", "--check", "my.circuit").code == 0


def test_line_ends_and_the_byte_order_mark_are_kept_and_json_is_json_alone():
    before = ("\ufeff" + SPEC.replace("\n", "\r\n")).encode()
    Path("my.circuit").write_bytes(before)
    ended = run("draft", "--refine", "my.circuit:own", "--apply", *TINY, "--format", "json")
    data = json.loads(ended.out)
    assert (data["schema"], data["circuit"], data["exit"]) == ("circuitdsl/refinement/1", "own", 0)
    after = Path("my.circuit").read_bytes()
    assert after.decode() == data["text"] and after.startswith("\ufeff#".encode())
    assert after.count(b"\n") == after.count(b"\r\n") == before.count(b"\r\n") + 2
    assert set(before.split(b"\r\n")) - set(after.split(b"\r\n")) == {b"  role induction at END  { 1.0  1.1  1.3 }"}


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("a draft is of a task", []),
        ("TASK cannot be given with --refine", ["ioi", "--refine", "my.circuit:own"]),
        ("--output cannot be given with --refine", ["--refine", "my.circuit:own", "-o", "x.circuit"]),
        ("--top cannot be given with --refine", ["--refine", "my.circuit:own", "--top", "2%"]),
        ("--seed cannot be given with --refine", ["--refine", "my.circuit:own", "--seed", "0"]),
        ("--apply writes what --refine proposes", ["ioi", "--apply", "-o", "x.circuit"]),
        ("ships with circuitdsl", ["--refine", "specs/mini/ioi.circuit", "--apply"]),
        ("holds 2 circuits, and one is needed", ["--refine", "my.circuit"]),
        ("holds no circuit nope", ["--refine", "my.circuit:nope"]),
        ("there is no file", ["--refine", "nope.circuit"]),
        ("--fdr 7 is no share", ["--refine", "my.circuit:own", "--fdr", "7"]),
        ("1 prompts cannot be measured on", ["--refine", "my.circuit:own", "--prompts", "1"]),
    ],
)
def test_wrong_arguments_are_told(said: str, arguments: list[str]):
    ended = run("draft", *arguments)
    assert ended.code == 2
    assert said in ended.err and "help" in ended.err
    assert "Traceback" not in ended.err and Path("my.circuit").read_text("utf-8") == SPEC


def test_where_the_task_is_not_done_nothing_is_proposed():
    lines = [
        {
            "prompt": f"{a} {b} {c} {a}",
            "answer": f" {c}",
            "wrong": [f" {b}"],
            "counterfactuals": {"other": f"{c} {b} {a} {c}"},
        }
        for a, b, c in zip(WORDS, WORDS[1:], WORDS[2:], strict=False)
    ]
    Path("own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    text = SPEC.split("\ncircuit other")[0].replace("task  induction", 'task  file("own.jsonl")').replace("NEXT", "END")
    Path("my.circuit").write_text(text, encoding="utf-8")
    ended = run("draft", "--refine", "my.circuit", "--prompts", 16)
    assert ended.code == 4
    assert "not looked at: " in ended.out and "does not do this task" in " ".join(ended.out.split())
    assert not list(Path.cwd().glob("*.finding.jsonl"))


WORDS = ("Mary", "John", "Anna", "Tom", "Paul", "Kate", "Jack", "George", "Michael", "Scott", "Peter", "Julia")
WORDS += ("Simon", "Mark", "Alice", "David", "Laura", "James", "Emma", "Frank")


def test_all_prompts_of_a_task_leave_none_to_judge_on(tmp_path: Path):
    names = ("Mary", "John", "Anna", "Tom", "Paul", "Kate")
    pairs = list(permutations(names, 2))
    lines = (json.dumps({"prompt": f"{a} and {b}:", "answer": f" {a}", "wrong": [f" {b}"]}) for a, b in pairs)
    Path("my.jsonl").write_text("\n".join(lines), encoding="utf-8")
    text = SPEC.replace("task  induction\n\n  method {", 'task  file("my.jsonl")\n\n  method {\n    prompts all', 1)
    Path("all.circuit").write_text(text.replace("at NEXT", "at END").replace(" -> induction.k", " -> logits"))
    ended = run("draft", "--refine", "all.circuit:own", "--model", "mini", "--no-unexplained")
    assert ended.code == 2 and "judged on another" in ended.err and "--prompts 200" in ended.err

"""Wrong input of each kind: exit code 2, what is wrong and what to do on standard error, and no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import run

GOOD = "circuit c {\n  model mini\n  task  ioi\n  expect logit_diff >= 0\n}\n"
PROMPT = {"prompt": "Mary gave a ball to", "answer": " Anna", "wrong": [" Mary"], "positions": {}}


def task(name: str) -> str:
    return GOOD.replace("ioi", f'file("{name}")')


def with_dictionary(folder: str) -> str:
    return GOOD.replace("expect", f'dictionary a1 at attn_out 1 from "{folder}"\n  expect')


FILES = {
    "good.circuit": GOOD,
    "empty.circuit": "",
    "comment.circuit": "# nothing yet\n",
    "unfinished.circuit": "circuit c {\n  model mini\n",
    "other_model.circuit": GOOD.replace("mini", "nosuch"),
    "folder_model.circuit": GOOD.replace("mini", '"folder"'),
    "wrong_head.circuit": GOOD.replace("expect logit_diff >= 0", "role a at END { 7.7 }"),
    "no_prompts.circuit": task("missing.jsonl"),
    "not_json.circuit": task("not_json.jsonl"),
    "not_prompts.circuit": task("not_prompts.jsonl"),
    "empty_prompts.circuit": task("empty.jsonl"),
    "elsewhere.circuit": task("elsewhere.jsonl"),
    "no_dictionary.circuit": with_dictionary("saes/nowhere"),
    "not_a_dictionary.circuit": with_dictionary("."),
    "not_json.jsonl": "{'prompt': 1}\n",
    "not_prompts.jsonl": '{"prompt": "x"}\n',
    "empty.jsonl": "",
    "elsewhere.jsonl": json.dumps(PROMPT | {"positions": {"IO": [90, 95]}}) + "\n",
    "nothing.circuit": 'use "good.circuit"\n',
    "pairs.circuit": "".join(
        GOOD.replace("circuit c ", f"circuit {name} ").replace("expect", "role inhibition at END { 0.1 }\n  expect")
        for name in ("one", "two", "three")
    )
    + "compare one with two {\n  expect overlap(heads) >= 0%\n}\n"
    + "compare one with three {\n  expect overlap(heads) >= 0%\n}\n",
}

PAIR = ("diff", "pairs.circuit:one", "pairs.circuit:two")
ALIGN = (*PAIR, "--align")

CASES = {
    "missing dictionary": (["check", "no_dictionary.circuit"], "there is no folder saes/nowhere"),
    "missing dictionary to show": (["show", "no_dictionary.circuit"], "there is no folder saes/nowhere"),
    "folder of something else": (["plan", "not_a_dictionary.circuit"], "the folder . has no cfg.json"),
    "missing device": (["check", "good.circuit", "--device", "cuda:9"], "there is no device cuda:9 here"),
    "missing device to compare": (
        ["diff", "good.circuit", "good.circuit", "--function", "--device", "tpu"],
        "there is no device tpu here",
    ),
    "revision of a shipped model": (["check", "good.circuit", "--revision", "v1"], "mini comes with circuitdsl"),
    "revision of a shipped tokenizer": (["tasks", "show", "ioi", "--revision", "v1"], "mini comes with circuitdsl"),
    "missing file": (["check", "missing.circuit"], "there is no file `missing.circuit`"),
    "missing file to plan": (["plan", "missing.circuit"], "there is no file `missing.circuit`"),
    "missing file to show": (["show", "missing.circuit"], "there is no file `missing.circuit`"),
    "missing file to compare": (["diff", "good.circuit", "missing.circuit"], "there is no file `missing.circuit`"),
    "one circuit to compare": (["diff", "good.circuit"], "good.circuit holds no compare block, and no other circuit"),
    "two compare blocks": (
        ["diff", "pairs.circuit"],
        "compared there: one~two, one~three",
    ),
    "no such compare block": (["diff", "pairs.circuit:two~three"], "pairs.circuit compares no two~three"),
    "no such role to align": ([*ALIGN, "inhibtion ~ inhibition"], "did you mean `inhibition`?"),
    "role aligned twice": ([*ALIGN, "inhibition ~ inhibition, inhibition ~ inhibition"], "error[C603]"),
    "role without a counterpart": ([*ALIGN, "inhibition"], "expected `~`"),
    "more than roles to align": ([*ALIGN, "inhibition ~ inhibition expect overlap(heads) > 0%"], "--align takes pairs"),
    "blocks to align": ([*ALIGN, "inhibition ~ inhibition } compare a with b {"], "--align takes pairs"),
    "overlap that is no share": (
        ["diff", "pairs.circuit:one", "pairs.circuit:two", "--quoted", "0.78"],
        "is not a share",
    ),
    "overlap above one": ([*PAIR, "--quoted", "178%"], "at most 100%"),
    "missing file to format": (["fmt", "missing.circuit"], "cannot read missing.circuit"),
    "missing shipped file": (["check", "specs/mini/nope.circuit"], "there is no file `specs/mini/nope.circuit`"),
    "folder for a file": (["check", "folder"], "`folder` is a folder"),
    "folder to format": (["fmt", "folder"], "cannot read folder: Is a directory"),
    "not UTF-8": (["check", "bytes.circuit"], "is not UTF-8"),
    "not UTF-8 to format": (["fmt", "bytes.circuit"], "is not UTF-8"),
    "empty file": (["check", "empty.circuit"], "nothing to check in empty.circuit"),
    "empty file to plan": (["plan", "empty.circuit"], "nothing to check in empty.circuit"),
    "empty file to show": (["show", "empty.circuit"], "holds 0 circuits"),
    "comments only": (["check", "comment.circuit"], "nothing to check"),
    "uses only": (["check", "nothing.circuit"], "nothing to check"),
    "unfinished spec": (["check", "unfinished.circuit"], "unfinished.circuit:"),
    "head that is not there": (["check", "wrong_head.circuit"], "wrong_head.circuit:4:19"),
    "unknown model": (["check", "other_model.circuit"], "no model called nosuch"),
    "folder without a model": (["check", "folder_model.circuit"], "no model called folder"),
    "unknown model asked for": (["check", "good.circuit", "--model", "nosuch"], "no model called nosuch"),
    "unknown model to plan": (["plan", "good.circuit", "--model", "nosuch"], "no model called nosuch"),
    "missing prompts": (["check", "no_prompts.circuit"], "missing.jsonl: there is no such file"),
    "prompts not JSON": (["check", "not_json.circuit"], "error[C231]: line 1: not JSON"),
    "prompts without answers": (["check", "not_prompts.circuit"], 'error[C231]: line 1: "answer" is missing'),
    "no prompts in a file": (["check", "empty_prompts.circuit"], "there are no prompts in it"),
    "position outside its prompt": (["check", "elsewhere.circuit"], "--> elsewhere.jsonl:1:1"),
    "output nowhere": (["check", "good.circuit", "-o", "nowhere/out.txt"], "cannot write nowhere/out.txt"),
    "output a folder": (["check", "good.circuit", "-o", "folder"], "cannot write folder: Is a directory"),
    "plan to nowhere": (["plan", "good.circuit", "-o", "nowhere/out.txt"], "cannot write nowhere/out.txt"),
    "picture to nowhere": (["show", "good.circuit", "--svg", "nowhere/out.svg"], "cannot write nowhere/out.svg"),
    "picture of -": (["show", "good.circuit", "--svg", "-"], "- is no file: standard output has what the command says"),
    "page of -": (["check", "good.circuit", "--html", "-"], "- is no file"),
    "draft into -": (["draft", "ioi", "-o", "-"], "- is no file"),
    "figures of -": (["sweep", "ioi", "--npz", "-"], "- is no file"),
    "curve of -": ([*PAIR, "--curve", "-"], "- is no file"),
    "prompts in -": (["tasks", "new", "-"], "- is no file"),
    "results in a file": (["check", "good.circuit", "--cache-folder", "good.circuit"], "cannot be made: File exists"),
    "no such circuit": (["show", "good.circuit:nope"], "good.circuit holds no circuit nope"),
    "nothing of that name": (["explain", "atention"], "nothing is called atention"),
    "model that cannot be added": (["models", "add", "gpt5"], "gpt5 is not a model that can be added"),
    "no such task": (["tasks", "show", "nope"], "there is no task called nope"),
    "unfinished task": (["tasks", "show", "ioi("], "not finished"),
    "task of a model that is not there": (["tasks", "show", "ioi", "--model", "nosuch"], "no model called nosuch"),
    "memory without a unit": (["check", "good.circuit", "--memory", "5"], "--memory 5 is not an amount"),
    "no memory": (["check", "good.circuit", "--memory", "0GB"], "--memory 0GB is not an amount"),
    "memory of less than a byte": (["check", "good.circuit", "--memory", "0.0001KB"], "--memory 0.0001KB is not an"),
    "memory of two points": (["check", "good.circuit", "--memory", "1.2.3GB"], "--memory 1.2.3GB is not an amount"),
    "memory with a space": (["check", "good.circuit", "--memory", "4 GB"], "--memory 4 GB is not an amount"),
    "memory in binary units": (["check", "good.circuit", "--memory", "4GiB"], "--memory 4GiB is not an amount"),
    "memory below nothing": (["check", "good.circuit", "--memory=-4GB"], "--memory -4GB is not an amount"),
    "memory left empty": (["check", "good.circuit", "--memory", ""], "is not an amount of memory"),
    "memory of no number": (["check", "good.circuit", "--memory", "²GB"], "--memory ²GB is not an amount"),
}

COMMANDS = ("check", "plan", "lint", "fmt", "show", "diff", "explain", "models", "tasks")

OPTIONS = {
    "no file": ["check"],
    "no such option": ["check", "good.circuit", "--nope"],
    "no such command": ["chek", "good.circuit"],
    "no such format": ["check", "good.circuit", "--format", "html"],
    "no such engine": ["check", "good.circuit", "--engine", "warp"],
    "too few prompts": ["check", "good.circuit", "--prompts", "1"],
    "prompts not a number": ["check", "good.circuit", "--prompts", "many"],
    "prompts to show": ["tasks", "show", "ioi", "-n", "0"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with every kind of wrong file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(tmp_path / "cache"))
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes.circuit").write_bytes(b"circuit \xff {}")
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_wrong_input_says_what_and_what_to_do(case: str):
    arguments, says = CASES[case]
    ended = run(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
    assert "help: " in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", ["lint", "plan"])
def test_the_output_called_as_standard_input_is_standard_output(command: str, folder: Path):
    ended = run(command, "good.circuit", "-o", "-")
    assert ended == run(command, "good.circuit") and ended.out
    assert not (folder / "-").exists()


@pytest.mark.parametrize("case", OPTIONS)
def test_a_wrong_option_points_to_help(case: str):
    ended = run(*OPTIONS[case])
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Usage: circuitdsl")
    assert "-h' for help" in ended.err
    assert "Error" in ended.err


def test_no_command_shows_the_help():
    ended = run()
    assert ended.code == 2
    assert all(f"│ {name} " in ended.out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str):
    ended = run(command, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert f"Usage: circuitdsl {command}" in ended.out


def test_nothing_is_left_behind(folder: Path):
    before = sorted(path.name for path in folder.iterdir())
    for arguments, _ in CASES.values():
        run(*arguments)
    assert {path.name for path in folder.iterdir()} - set(before) <= {"cache"}

"""The commands of the README and the tutorial, and those of ``make demo``, run, and print what the tutorial shows."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from benchmarks.commands import Ended, run
from circuitdsl.engine import store

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(sh|text|circuit)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"Save this as `([^`]+)`:\n\n```circuit\n(.*?)^```", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d+(?:\.(\d+))?")

DECIDED = (0, 1, 3)
"""Exit codes of a check that ran: on few prompts a claim may be undecided."""

SPEC = """circuit {name} {{
  model mini
  task  ioi
  method {{ prompts 8 }}
  role lookup  at S2  {{ 1.0  1.6 }}
  role fetcher at END {{ 3.0  3.7 }}
  edge lookup -> fetcher.v
}}
"""
COMPARED = 'use "a.circuit"\nuse "b.circuit"\ncompare a with b { expect overlap(heads) >= 10% }\n'
LINE = (
    '{"prompt": "When Anna and Andrew were waiting at the theater, Andrew offered a guitar to", "answer": " Anna", '
    '"wrong": [" Andrew"], "positions": {"S2": [47, 53]}, '
    '"counterfactuals": {"abc": "When Jason and Daniel were waiting at the theater, Jane offered a guitar to"}}\n'
)

ELSEWHERE = {
    "--model gpt2": "--model mini",
    "--model pythia-160m --revision step3000 --device cuda": "--model mini --device cpu",
}
"""What the README says for weights, a network or a device that tests have not, and what stands for it here."""

FEWER = {
    "sweep": ["--prompts", "8"],
    "draft": ["--prompts", "12", "--stages", "1", "--no-unexplained"],
    "draft --refine": ["--prompts", "12"],
    "check": ["--prompts", "4", "--no-unexplained"],
}
"""Options that make a command cheap, where what it prints is not looked at."""


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a store of its own: a page's commands share readings, as its reader's do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(store, "usual_store", lambda: store.Store.in_folder(tmp_path / "store"))
    return tmp_path


def test_the_tutorial_ends_with_a_circuit_that_holds(there: Path):
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    for name, text in FILE.findall(page):
        Path(name).write_text(text, encoding="utf-8")
    printed: list[str] = []
    shown: list[str] = []
    missed: list[str] = []
    for kind, text in BLOCK.findall(page):
        for line in text.splitlines():
            if kind == "sh":
                code, out = _of_tutorial(line)
                assert code == (1 if line == "circuitdsl check guess.circuit" else 0), line
                printed += out.splitlines()
            elif kind == "text":
                shown.append(line)
                missed += () if any(_same(line, other) for other in printed) else (line,)
    assert missed == []
    assert len(shown) > 40


def _of_tutorial(line: str) -> tuple[int, str]:
    """The commands whose output the page shows run as they are; the last one is a demonstration of many minutes."""
    if "{ioi,colored_objects" not in line:
        ended = run(*_words(line))
        return ended.code, ended.out
    ended = run(*_words(line), *FEWER["check"])
    assert ended.code in DECIDED, ended.err
    return 0, ended.out


def _same(shown: str, printed: str) -> bool:
    """A line of a page is the printed one, but for last digits, which processors may change, and the lengths of bars."""
    shown, printed = (" ".join(line.replace("▪", "").split()) for line in (shown, printed))
    if NUMBER.sub("#", shown) != NUMBER.sub("#", printed):
        return False
    pairs = zip(NUMBER.finditer(shown), NUMBER.finditer(printed), strict=True)
    return all(abs(float(a[0]) - float(b[0])) <= 2.01 * 10.0 ** -len(a[1] or "") * bool(a[1]) for a, b in pairs)


def test_lines_are_told_apart():
    assert _same("✓ 1.6  S2 -7.6% [-11.2, -4.2] ▪▪▪", "✓ 1.6 S2   -7.7% [-11.3, -4.0] ▪▪")
    assert not _same("✓ 1.6  S2 -7.6%", "✓ 1.6  S2 -8.6%")
    assert not _same("✓ 1.6  S2 -7.6%", "? 1.6  S2 -7.6%")
    assert not _same("13 heads", "14 heads")


def test_the_commands_of_the_readme(there: Path):
    for name in ("my", "a", "b", "c"):
        Path(f"{name}.circuit").write_text(SPEC.format(name=name), encoding="utf-8")
    Path("reuse.circuit").write_text(COMPARED, encoding="utf-8")
    Path("my.jsonl").write_text("".join(LINE.replace("guitar", word) for word in WORDS), encoding="utf-8")
    assert run("export", "my.circuit", "--format", "eap", "-o", "found.json").code == 0
    commands = list(_commands((ROOT / "README.md").read_text(encoding="utf-8")))
    for line, arguments in commands:
        ended = run(*arguments, *_cheap(arguments))
        assert ended.code in (DECIDED if arguments[0] == "check" else (0,)), f"{line}\n{ended.out}\n{ended.err}"
    assert {arguments[0] for _, arguments in commands} >= {"check", "draft", "export", "import", "sweep", "tasks"}


WORDS = ("guitar", "drink", "coin", "key")


def _commands(page: str) -> Iterator[tuple[str, list[str]]]:
    """The lines of a page that call circuitdsl, with the arguments that they are called with here."""
    used: set[str] = set()
    for kind, text in BLOCK.findall(page):
        for line in text.splitlines():
            if kind == "sh" and line.startswith("circuitdsl "):
                here = line
                for said, stand_in in ELSEWHERE.items():
                    if said in line:
                        used.add(said)
                        here = here.replace(said, stand_in)
                yield line, _words(here)
    assert used == set(ELSEWHERE)


def _cheap(arguments: list[str]) -> list[str]:
    return FEWER.get(" ".join(arguments[:2]), FEWER.get(arguments[0], []))


def _words(line: str) -> list[str]:
    """A line as a shell has it: quotes, comments and {a,b}, less the name of the program."""
    words = shlex.split(line, comments=True)[1:]
    return [each for word in words for each in _braces(word)]


def _braces(word: str) -> list[str]:
    parts = re.split(r"\{([^{}\s]*,[^{}\s]*)\}", word)
    choices = [part.split(",") if at % 2 else [part] for at, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


@pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")
def test_the_demo_runs(there: Path):
    """Its recipe as make has it, in this process: what is installed for it, and on how many prompts, is left out."""
    command = ["make", "--dry-run", "--assume-old=.venv/.installed", "demo"]
    recipe = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = recipe.replace("\\\n", " ").splitlines()
    ended: list[Ended] = []
    for line in lines:
        assert line.startswith(".venv/bin/circuitdsl "), line
        arguments = _words(line)
        ended.append(run(*arguments, *_cheap(arguments)))
        assert ended[-1].code in DECIDED, ended[-1].err
    assert "mini_ioi" in ended[0].out and len(ended) > 1

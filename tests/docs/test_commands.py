"""The commands of the README, the tutorial, the how-tos and ``make demo`` run, and give what the pages show."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path

import pytest

from benchmarks.commands import Ended, run
from circuitdsl.engine import store
from circuitdsl.models.folders import MINI

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(sh|text|circuit)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"[Ss]ave\s+this\s+as\s+`([^`]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d+(?:\.(\d+))?")

Options = Mapping[str, Sequence[str]]
"""More arguments for the commands that begin so."""

FEWER: Options = {
    "sweep": ("--prompts", "8"),
    "attribute": ("--prompts", "8"),
    "draft ioi": ("--prompts", "12", "--stages", "1", "--no-unexplained"),
    "draft --refine": ("--prompts", "12"),
    "check": ("--prompts", "4", "--no-unexplained"),
}
"""What makes commands cheap where no page shows what they print."""

WHOLE: Options = {"check specs/mini/ioi.circuit": FEWER["check"]}
"""The same for the one command of the tutorial that checks all that ships of mini."""

CODES = {"circuitdsl check guess.circuit": (1,), "circuitdsl check found.circuit": (0,)}
DECIDED = (0, 1, 3)
"""Exit codes of a check that ran: on few prompts a claim may be undecided."""

ELSEWHERE = {
    "--model gpt2": "--model mini",
    "--model pythia-160m --revision step3000 --device cuda": "--model mini --device cpu",
    "--executor ray": "",  # tests/cli/test_cluster.py has a cluster
}
"""What the README says for weights, a network or a device that tests have not, and what stands for it here."""

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


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a store of its own: a page's commands share readings, as its reader's do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(store, "usual_store", lambda: store.Store.in_folder(tmp_path / "store"))
    return tmp_path


def here(commands: Sequence[Sequence[str]]) -> list[Ended]:
    """Commands run in this process, but for a server, which owns the standard input that it is given."""
    return [_served(arguments) if "lsp" in arguments else run(*arguments) for arguments in commands]


def _served(arguments: Sequence[str]) -> Ended:
    """A server to which nothing is said: it ends where its input does."""
    command = [sys.executable, "-m", "circuitdsl", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=beside(), timeout=240)
    return Ended(done.returncode, done.stdout, done.stderr)


def beside(*folders: Path) -> dict[str, str]:
    """The environment of a process that finds packages in these folders, and this checkout."""
    paths = (*map(str, folders), str(ROOT), os.environ.get("PYTHONPATH", ""))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "HF_HUB_OFFLINE": "1"}


@pytest.mark.parametrize("page", ["tutorial", "howto/model", "howto/eap-ig"])
def test_a_page_can_be_followed_from_its_beginning_to_its_end(page: str, there: Path):
    shutil.copytree(MINI, "my_model", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    follow(DOCS / f"{page}.md", here, WHOLE)


@pytest.mark.parametrize("page", ["howto/task", "howto/measurement"])
def test_a_page_on_a_plug_in_can_be_followed(page: str, there: Path, warm: tuple[str, ...]):
    """In a process that finds the package; what pip writes of it is written here, and tests/plugins installs one."""
    program = (
        "import json, sys; from benchmarks.commands import run\n"
        "print(json.dumps([run(*arguments) for arguments in json.load(sys.stdin)]))"
    )

    def beside_the_package(commands: Sequence[Sequence[str]]) -> list[Ended]:
        project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
        metadata = there / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n")
        groups = project["entry-points"].items()
        entries = ["\n".join((f"[{group}]", *map(" = ".join, names.items()))) for group, names in groups]
        (metadata / "entry_points.txt").write_text("\n".join(entries))
        done = subprocess.run(
            [*warm, "-c", program],
            input=json.dumps(commands),
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**beside(there), "CIRCUITDSL_CACHE": str(there / "store")},
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        return [Ended(*ended) for ended in json.loads(done.stdout)]

    follow(DOCS / f"{page}.md", beside_the_package)


def test_the_commands_of_the_readme_run(there: Path):
    for name in ("my", "a", "b", "c"):
        Path(f"{name}.circuit").write_text(SPEC.format(name=name), encoding="utf-8")
    Path("reuse.circuit").write_text(COMPARED, encoding="utf-8")
    Path("my.jsonl").write_text(dict(FILE.findall(page_text(DOCS / "howto" / "task.md")))["my.jsonl"], encoding="utf-8")
    Path("models.txt").write_text("mini\n", encoding="utf-8")
    Path("old.json").write_text(run("check", "my.circuit", "--format", "json", *FEWER["check"]).out, encoding="utf-8")
    shutil.copy("old.json", "new.json")
    assert run("export", "my.circuit", "--format", "eap", "-o", "found.json").code == 0
    assert all(said in page_text(ROOT / "README.md") for said in ELSEWHERE)
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", *arguments], check=True)
    followed = follow(ROOT / "README.md", here, FEWER)
    assert {arguments[0] for arguments in followed} >= {"check", "diff", "draft", "export", "import", "sweep", "tasks"}


@pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")
def test_the_demo_runs(there: Path):
    """Its recipe as make has it, in this process: what is installed for it, and on how many prompts, is left out."""
    command = ["make", "--dry-run", "--assume-old=.venv/.installed", "demo"]
    alone = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    recipe = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=True).stdout
    made, *lines = recipe.replace("\\\n", " ").replace(str(ROOT), str(there)).splitlines()
    assert made == "mkdir -p build" and len(lines) > 1
    Path("build").mkdir()
    assert all(line.startswith(".venv/bin/circuitdsl ") for line in lines)
    commands = [words(line) for line in lines]
    found = here([[*arguments, *more(arguments, FEWER)] for arguments in commands])
    for ended in found:
        assert ended.code in DECIDED, ended.err
        assert "mini_ioi" in ended.out
    assert found[-1].err.splitlines()[-1] == f"report written to {there / 'build' / 'report.html'}"


# --- how a page is followed --------------------------------------------------------------------------


def follow(
    page: Path, process: Callable[[Sequence[Sequence[str]]], list[Ended]], options: Options | None = None
) -> list[list[str]]:
    """Write the files of a page, run its commands, and look for every line that it shows in what they printed and
    wrote. Gives the commands' arguments."""
    text = page_text(page)
    for name, content in FILE.findall(text):
        Path(name).write_text(content, encoding="utf-8")
    blocks = [(kind, line) for kind, block in BLOCK.findall(text) for line in block.splitlines()]
    lines = [line for kind, line in blocks if kind == "sh" and line.startswith("circuitdsl ")]
    commands = [words(line) for line in lines]
    ended = process([[*arguments, *more(arguments, options or {})] for arguments in commands])
    for line, arguments, (code, out, err) in zip(lines, commands, ended, strict=True):
        wanted = CODES.get(line, DECIDED if arguments[0] == "check" else (0,))
        assert code in wanted, f"{line}: {code}\n{out}\n{err}"
    given = [*(each.out for each in ended), *(file.read_text(encoding="utf-8") for file in Path().glob("*.circuit"))]
    printed = [line for text in given for line in text.splitlines()]
    missed = [line for kind, line in blocks if kind != "sh" and not any(same(line, other) for other in printed)]
    assert missed == [], "\n".join(printed)
    return commands


def page_text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def words(line: str) -> list[str]:
    """A line as a shell has it, less the name of the program: quotes, comments and {a,b}."""
    for said, stand_in in ELSEWHERE.items():
        line = line.replace(said, stand_in)
    return [each for word in shlex.split(line, comments=True)[1:] for each in _braces(word)]


def _braces(word: str) -> list[str]:
    texts = re.split(r"\{([^{}\s]*,[^{}\s]*)\}", word)  # every other one stood in braces
    choices = [text.split(",") if at % 2 else [text] for at, text in enumerate(texts)]
    return ["".join(chosen) for chosen in product(*choices)]


def more(arguments: Sequence[str], options: Options) -> Sequence[str]:
    command = " ".join(arguments)
    return next((added for begins, added in options.items() if command.startswith(begins)), ())


def same(shown: str, printed: str) -> bool:
    """A line of a page is the printed one, but for last digits, which processors change, and the lengths of bars."""
    shown, printed = (" ".join(line.replace("▪", "").split()) for line in (shown, printed))
    if NUMBER.sub("#", shown) != NUMBER.sub("#", printed):
        return False
    return all(map(_close, NUMBER.finditer(shown), NUMBER.finditer(printed)))


def _close(shown: re.Match[str], printed: re.Match[str]) -> bool:
    decimals = len(shown[1] or "")
    return abs(float(shown[0]) - float(printed[0])) <= (2.01 * 10**-decimals if decimals else 0)


def test_lines_are_told_apart():
    assert same("✓ 1.6  S2 -7.6% [-11.2, -4.2] ▪▪▪", "✓ 1.6 S2   -7.7% [-11.3, -4.0] ▪▪")
    assert not same("✓ 1.6  S2 -7.6%", "✓ 1.6  S2 -8.6%")
    assert not same("✓ 1.6  S2 -7.6%", "? 1.6  S2 -7.6%")
    assert not same("13 heads", "14 heads")
    assert words("circuitdsl check a/{b,c}.x '{ 3.0 }'  # so") == ["check", "a/b.x", "a/c.x", "{ 3.0 }"]

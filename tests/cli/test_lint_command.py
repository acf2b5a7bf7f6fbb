"""`lint`: standard input, a line each, mending; what shells complete; specifications as git has them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import ROOT, environment, run

import circuitdsl as cd

WRONG = "circuit c {\n  model mini\n  task ioi\n  expect accuracy >= 95\n  expect acuracy >= 95%\n}\n"
RIGHT = "circuit c {\n  model mini\n  task ioi\n  role a at END { 2.3 }\n}\n"


def test_standard_input_is_linted_as_a_file_of_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "c.circuit").write_text(RIGHT)
    monkeypatch.chdir(tmp_path)
    uses = 'use "c.circuit"\ncompare c with d { expect overlap(heads) >= 0% }\n' + RIGHT.replace(
        "circuit c", "circuit d"
    )
    ended = run("lint", "-", stdin=uses)
    assert ended.code == 0 and "error" not in ended.out
    assert run("lint", "-", stdin=RIGHT) == (0, "nothing is wrong\n", "")
    ended = run("lint", "-", stdin=WRONG)
    assert ended.code == 2 and "--> -:4:22" in ended.out and ended.out.endswith("2 errors\n")
    assert "linted by itself" in run("lint", "-", "c.circuit", stdin=WRONG).err


def test_a_line_each(tmp_path: Path):
    path = tmp_path / "w\nrong.circuit"
    path.write_text(WRONG)
    shown = str(path).replace("\n", "\\n")
    ended = run("lint", path, "--format", "line")
    assert ended.code == 2
    assert ended.out.splitlines() == [
        f"{shown}:4:22: C503 `accuracy` is a share, written in per cent",
        f"{shown}:5:10: C205 there is no measurement `acuracy`",
    ]
    missing = run("lint", tmp_path / "none.circuit", "-f", "line").out
    assert missing.startswith(f"{tmp_path / 'none.circuit'}:1:1: C001 ")
    assert run("lint", "-", "-f", "line", stdin=RIGHT) == (0, "", "")


def test_what_is_certain_is_corrected_and_the_rest_is_said(tmp_path: Path):
    path = tmp_path / "wrong.circuit"
    path.write_text(WRONG)
    ended = run("lint", path, "--fix", "-f", "line")
    assert (ended.code, ended.err) == (2, f"{path}: 1 corrected\n")
    assert ended.out == f"{path}:5:10: C205 there is no measurement `acuracy`\n"
    assert path.read_text() == WRONG.replace(">= 95\n", ">= 95%\n")
    again = run("lint", path, "--fix", "-f", "line")
    assert (again.code, again.out, again.err) == (2, ended.out, "")


def test_what_fix_does_has_one_name_in_the_help_and_in_what_is_printed():
    said = " ".join(run("lint", "--help").out.split())
    assert "Correct in the files" in said and not re.search(r"\bmend", said, re.IGNORECASE)


def test_standard_input_is_corrected_to_standard_output():
    ended = run("lint", "-", "--fix", stdin=WRONG)
    assert ended.code == 2 and ended.out == WRONG.replace(">= 95\n", ">= 95%\n")
    assert "acuracy" in ended.err and "C503" not in ended.err
    assert run("lint", "-", "--fix", stdin=RIGHT) == (0, RIGHT, "")


# --- completion --------------------------------------------------------------------------------------


def completed(words: str) -> list[str]:
    """What bash is offered for the last of some words."""
    asked = {"_CIRCUITDSL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    command = [sys.executable, "-m", "circuitdsl"]
    return subprocess.run(command, capture_output=True, text=True, env=environment(**asked)).stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("circuitdsl li", {"lint"}),
        ("circuitdsl explain faith", {"faithfulness"}),
        ("circuitdsl explain C50", {"C501", "C502"}),
        ("circuitdsl lint --model smol", {"smollm2-135m"}),
        ("circuitdsl tasks show greater", {"greater_than"}),
        ("circuitdsl lint --fo", {"--format"}),
    ],
)
def test_shells_complete_commands_options_and_names(words: str, offered: set[str]):
    found = completed(words)
    assert offered <= set(found) and all(word.startswith(words.split()[-1]) for word in found)


def test_the_script_that_a_shell_needs_is_printed():
    shown = subprocess.run(
        [sys.executable, "-m", "circuitdsl"],
        capture_output=True,
        text=True,
        env=environment(_CIRCUITDSL_COMPLETE="source_bash"),
    ).stdout
    assert "complete -o default -F" in shown


# --- as git has it -----------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a specification that was changed after it was committed."""
    for key in [key for key in os.environ if key.startswith("GIT_")]:
        monkeypatch.delenv(key)
    (tmp_path / "specs").mkdir()
    path = tmp_path / "specs" / "c.circuit"
    path.write_text(RIGHT)
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        names = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", *names, *arguments], cwd=tmp_path, check=True)
    path.write_text(RIGHT.replace("2.3", "2.3 2.5"))
    return path


@pytest.mark.parametrize("named", ["HEAD:specs/c.circuit", "HEAD:specs/c.circuit:c", "HEAD:{path}"])
def test_a_circuit_is_compared_with_what_it_was(repository: Path, monkeypatch: pytest.MonkeyPatch, named: str):
    monkeypatch.chdir(repository.parent.parent)
    monkeypatch.delenv("COLUMNS", raising=False)  # of the terminal that the tests are run in
    ended = run("diff", named.format(path=repository), "specs/c.circuit")
    assert ended.code == 0, ended.err
    assert "1 head shared of 1 and 2" in " ".join(ended.out.split()) or "of 1 and 2" in ended.out
    assert "HEAD:" in ended.out
    assert cd.show(cd.diff(named.format(path=repository), "specs/c.circuit")) == ended.out


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("HEAD:specs/none.circuit", "git has no HEAD:specs/none.circuit"),
        ("nowhere:specs/c.circuit", "git has no nowhere:specs/c.circuit"),
        ("HEAD:specs/c.circuit:d", "HEAD:specs/c.circuit holds no circuit d"),
        ("--output=x:specs/c.circuit", ""),
    ],
)
def test_what_git_does_not_have_is_said(repository: Path, monkeypatch: pytest.MonkeyPatch, named: str, says: str):
    monkeypatch.chdir(repository.parent.parent)
    monkeypatch.delenv("COLUMNS", raising=False)  # of the terminal that the tests are run in
    ended = run("diff", named, "specs/c.circuit")
    assert (ended.code, ended.out) == (2, "") and says in ended.err
    assert not Path("x").exists()


def test_outside_of_a_repository_and_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    Path("c.circuit").write_text(RIGHT)
    ended = run("diff", "HEAD:c.circuit", "c.circuit")
    assert ended.code == 2 and "is in no git repository" in ended.err
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = run("diff", "HEAD:c.circuit", "c.circuit")
    assert ended.code == 2 and "is read by git, which did not answer" in ended.err and "install git" in ended.err


def test_a_file_whose_name_looks_like_a_revision_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("HEAD:c.circuit").write_text(RIGHT)
    assert run("diff", "HEAD:c.circuit", ROOT / "specs" / "mini" / "ioi.circuit").code == 0


# --- the language server -----------------------------------------------------------------------------


def test_without_its_library_the_language_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.startswith(("circuitdsl.editor", "pygls"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pygls", None)
    ended = run("lsp")
    assert (ended.code, ended.out) == (2, "")
    assert "the language server needs pygls" in ended.err and "pip install 'circuitdsl[lsp]'" in ended.err

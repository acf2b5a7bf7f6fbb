"""``--html``: a page is written beside what is printed, its place is said, and what cannot be written is told first."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.command_line import run

SPEC = "circuit c {\n  model planted-broken\n  task  ioi\n  method { prompts 12 }\n  expect accuracy >= 1%\n}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "my.circuit").write_text(SPEC, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("check", "my.circuit"), "expect accuracy &gt;= 1%"),
        (("sweep", "ioi", "3.0 at END -> logits", "--prompts", "8"), "effect(3.0 -&gt; logits)"),
        (("diff", "planted/ioi", "planted/colored_objects"), "What they share"),
        (("diff", "planted/ioi", "planted/colored_objects", "planted/induction"), "Heads in both"),
    ],
    ids=["check", "sweep", "diff", "atlas"],
)
def test_a_page_is_written_and_its_place_is_said(command: tuple[str, ...], said: str):
    ended = run(*command, "--html", "page.html")
    assert ended.code == 0, ended.err
    assert "report written to page.html" in ended.err
    assert ended.out.strip()
    page = Path("page.html").read_text("utf-8")
    assert page.startswith("<!doctype html>") and said in page


@pytest.mark.parametrize("command", [("check", "my.circuit"), ("sweep", "ioi"), ("diff", "planted/ioi", "mini/ioi")])
def test_a_page_that_cannot_be_written_is_told_before_anything_is_run(command: tuple[str, ...]):
    ended = run(*command, "--html", "nowhere/page.html")
    assert ended.code == 2 and ended.out == ""
    assert "cannot write nowhere/page.html" in ended.err

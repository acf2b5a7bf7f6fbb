"""`diff --exit-code`: 1 where two circuits say different things, 0 where they do not, as of git diff."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import run

HEAD = "circuit c {\n  model mini\n  task ioi\n  role mover at END { 3.0 }\n"
CLAIM = "  edge mover -> logits : raises\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    left, right = tmp_path / "left.circuit", tmp_path / "right.circuit"
    left.write_text(f"{HEAD}{CLAIM}}}\n", encoding="utf-8")
    return left, right


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"# another comment\n{HEAD}{CLAIM.strip()} as moves }}\n", 0),
        (f"{HEAD}{CLAIM.replace('raises', 'lowers')}}}\n", 1),
        (f"{HEAD.replace('3.0', '3.0 3.2')}{CLAIM}}}\n", 1),
        (f"{HEAD.replace('{ 3.0', '{ 3.0 }  role other at S2 { 1.0')}{CLAIM}}}\n", 1),
        (f"{HEAD.replace('circuit c', 'circuit d').replace('task ioi', 'task colored_objects')}{CLAIM}}}\n", 1),
        (f"{HEAD}  method {{ floor 2% }}\n{CLAIM}}}\n", 1),
    ],
)
def test_the_exit_code_says_whether_two_circuits_differ(files: tuple[Path, Path], text: str, code: int):
    left, right = files
    right.write_text(text, encoding="utf-8")
    told = run("diff", left, right, "--exit-code")
    assert (told.code, told.err) == (code, "")
    asked = run("diff", left, right)
    assert (asked.code, asked.out) == (0, told.out)


def test_wrong_input_is_no_difference(files: tuple[Path, Path]):
    left, right = files
    right.write_text("circuit c {", encoding="utf-8")
    assert run("diff", left, right, "--exit-code").code == 2

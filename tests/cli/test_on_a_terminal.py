"""What a person sees at a terminal: what is being done from the start on, then the page, in its columns and colours."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest
from rich.cells import cell_len

from cli.command_line import environment

SPEC = """circuit a_circuit_with_a_long_name {
  model mini
  task  ioi
  method { prompts 8  reference 2  ablate zero }
  role early_heads_of_the_circuit at S2  { 1.0 1.1 1.4 }
  role late_heads_of_the_circuit  at END { 3.0 3.1 }
  expect effect(early_heads_of_the_circuit -> late_heads_of_the_circuit.v) in -150% .. 150%
  expect logit_diff >= -100
}
"""
MOVES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("terminal")
    (made / "my.circuit").write_text(SPEC)
    return made


@pytest.fixture(scope="module")
def measured(folder: Path, warm: tuple[str, ...]) -> str:
    """The first check, on 80 columns. Others are answered by the results store, and load no model."""
    return at_a_terminal(folder, 80, warm)


def at_a_terminal(folder: Path, columns: int, python: tuple[str, ...] = (sys.executable,), **variables: str) -> str:
    """All that a check writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    unset = ("NO_COLOR", "FORCE_COLOR", "COLUMNS")
    given = {key: value for key, value in environment().items() if key not in unset} | {"TERM": "xterm-256color"}
    command = [*python, "-m", "circuitdsl", "check", "my.circuit", "--no-unexplained", "--cache-folder", "cache"]
    with subprocess.Popen(
        command, cwd=folder, env=given | variables, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL
    ):
        os.close(theirs)
        screen = bytearray()
        with suppress(OSError):  # nobody writes to it any more
            while read := os.read(ours, 65536):
                screen += read
    os.close(ours)
    return screen.decode()


def page_of(screen: str) -> list[str]:
    """The lines of the page without their colours, after the bar was taken away."""
    plain = [MOVES.sub("", line) for line in screen.splitlines()]
    first = next(number for number, line in enumerate(plain) if "hold" in line)
    return plain[first:]


def test_a_terminal_shows_what_is_done_and_then_the_page(measured: str):
    places = [measured.index(text) for text in ("opening the model", "prompts through the model", "hold")]
    assert places == sorted(places)
    assert "\x1b[32m" in measured
    page = page_of(measured)
    assert max(map(cell_len, page)) <= 80
    assert any("in -150% .. 150%" in line for line in page)  # a bound is never broken


def test_no_color_leaves_none_and_a_wide_terminal_is_used(folder: Path, measured: str):
    screen = at_a_terminal(folder, 120, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", screen)
    page = page_of(screen)
    assert 80 < max(map(cell_len, page)) <= 120

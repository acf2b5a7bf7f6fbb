"""Run the command line as a user does: in this process where torch is needed, else in a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from circuitdsl.cli import main

ROOT = Path(__file__).parents[2]


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def run(*arguments: object, stdin: str = "") -> Ended:
    """``circuitdsl ARGUMENTS`` in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    code: object = 0
    argv = ["circuitdsl", *map(str, arguments)]
    with (
        patch.object(sys, "argv", argv),
        patch.object(sys, "stdin", io.StringIO(stdin)),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    assert code is None or isinstance(code, int)
    return Ended(code or 0, *(_text(stream) for stream in (out, err)))


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    raw = stream.detach()
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode("utf-8")


def environment(**more: str) -> dict[str, str]:
    """Of a process that imports this checkout and nothing else of its own."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "COLUMNS": "100", **more}


def process(*arguments: object, cwd: Path | None = None, **more: str) -> Ended:
    """``python -m circuitdsl ARGUMENTS`` in a process of its own."""
    command = [sys.executable, "-m", "circuitdsl", *map(str, arguments)]
    ended = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", cwd=cwd, env=environment(**more), timeout=240
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)

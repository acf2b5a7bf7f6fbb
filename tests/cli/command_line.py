"""Run the command line as a user does: in this process where torch is needed, else in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.commands import Ended, run

__all__ = ["Ended", "environment", "process", "run"]

ROOT = Path(__file__).parents[2]


def environment(**more: str) -> dict[str, str]:
    """Of a process that imports this checkout and nothing else of its own."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "COLUMNS": "100", **more}


def process(
    *arguments: object, cwd: Path | None = None, python: Sequence[str] = (sys.executable,), **more: str
) -> Ended:
    """``python -m circuitdsl ARGUMENTS`` in a process of its own."""
    command = [*python, "-m", "circuitdsl", *map(str, arguments)]
    ended = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", cwd=cwd, env=environment(**more), timeout=240
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)

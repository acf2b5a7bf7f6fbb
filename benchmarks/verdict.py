"""``python -m benchmarks.verdict SPEC --prompts N``: what a whole check costs, from the command to the verdicts.

Beside it, in the same run and on the same prompts: the same check by the plain engine, and a script of the same
experiments with TransformerLens alone (``benchmarks.by_hand``), which judges nothing. Each is a process of its own.
``--shape small`` checks a model of GPT-2 small's shape, with random weights, in place of the specification's own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.models import SHAPES, write_folder

COLUMNS = ("", "claims", "experiments", "forward passes", "CPU s", "wall s", "peak MB", "CPU s / check")


@dataclass(frozen=True)
class Taken:
    """What a process took, and what it wrote. ``peak``: bytes of physical memory."""

    cpu: float
    wall: float
    peak: int
    written: Mapping[str, Any]


PYTHON = (sys.executable,)


def taken(*arguments: str, python: Sequence[str] = PYTHON) -> Taken:
    """Run ``python -m ARGUMENTS``, which writes JSON. Raises SystemExit where it could not be run."""
    with tempfile.TemporaryFile() as out:
        started = time.monotonic()
        process = subprocess.Popen([*python, "-m", *arguments], stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    try:
        written = json.loads(text)
    except ValueError:
        sys.exit(f"{' '.join(arguments)} ended with exit code {process.returncode} and wrote no JSON")
    return Taken(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss << 10, written)


def rows(asked: argparse.Namespace, folder: Path, python: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """A row a way, as they end. A model of a shape is written to a folder that is there."""
    spec, prompts = str(asked.spec), str(asked.prompts)
    where = ("--device", asked.device, *(("--model", str(folder)) if asked.shape else ()))
    if asked.shape:
        write_folder(SHAPES[asked.shape], folder)
    check = ["circuitdsl", "check", spec, "--no-cache", "--format", "json", "--prompts", prompts, *where]
    if asked.no_search:
        check += ["--no-unexplained"]
    ways = {"check": check}
    if not asked.no_plain:
        ways["check, plain engine"] = [*check, "--engine", "plain"]
    first: float | None = None
    for name, arguments in ways.items():
        found = taken(*arguments, python=python)
        first = first or found.cpu
        claims = sum(len(block["claims"]) for block in found.written["circuits"])
        cost = found.written["cost"]
        yield _row(name, claims, cost["experiments"], cost["passes"], found, first)
    assert first is not None
    options = ("--no-search",) if asked.no_search else ()
    found = taken("benchmarks.by_hand", spec, prompts, *where, *options, python=python)
    yield _row("by hand", len(found.written["figures"]), "", found.written["passes"], found, first)
    print("left out by hand:", *found.written["left_out"], sep="\n  ", file=sys.stderr)


def _row(name: str, claims: int, experiments: int | str, passes: float, found: Taken, first: float) -> tuple[str, ...]:
    figures = (f"{found.cpu:.0f}", f"{found.wall:.0f}", f"{found.peak / 1e6:,.0f}", f"{found.cpu / first:.1f}")
    return name, str(claims), str(experiments), f"{passes:.0f}", *figures


def main(arguments: Sequence[str] | None = None, python: Sequence[str] = PYTHON) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdict", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("spec", type=Path, help="a file of circuits of heads")
    parser.add_argument("--shape", choices=sorted(SHAPES), help="a model of this shape, with random weights")
    parser.add_argument("--no-search", action="store_true", help="without the search for heads that are not listed")
    parser.add_argument("--no-plain", action="store_true", help="without the plain engine")
    parser.add_argument("--device", default="cpu", help="where models run; default: cpu")
    parser.add_argument("--prompts", type=int, default=30)
    asked = parser.parse_args(arguments)
    if not asked.spec.exists() or asked.prompts < 2:
        parser.error("name a file that exists, and 2 prompts or more")
    print(f"{asked.spec}, {asked.prompts} prompts on {asked.device}, load {os.getloadavg()[0]:.1f} at the start\n")
    with tempfile.TemporaryDirectory() as folder:
        for row in chain((COLUMNS, ("---",) * len(COLUMNS)), rows(asked, Path(folder), python)):
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()

"""One specification under other threads, memory settings and company; and many checks in one process."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import circuitdsl as cd
from benchmarks.robustness.checks import MEMORY, ROUNDING, SPEC, Bench, difference, figures_of, verdicts
from benchmarks.robustness.results import Result
from circuitdsl.outcome import Report

ROOT = Path(__file__).parents[2]


def sameness(count: int, seed: int, folder: Path) -> Result:
    """The figures of a check with two threads, with ``count`` memory settings, and beside other circuits."""
    bench = Bench.in_folder(folder)
    result = Result(
        "the same figures",
        "The same check with one thread and two, with stacks of several sizes (`--memory`), and beside another circuit "
        "on the same prompts. What is counted are reports that equal the usual one to the bit.",
    )
    usual = bench.check()
    for memory in [MEMORY * 2**step for step in range(1, count + 1)]:
        _compare(result, f"--memory {memory:,}", usual, figures_of(bench.check(memory=memory)))
    company = folder / "company.circuit"
    company.write_text(SPEC + SPEC.replace("circuit c", "circuit d").replace("2.3 2.5", "2.6 3.3 3.7"), "utf-8")
    both = cd.check(cd.load(company), bench.model, memory=MEMORY, store=False)
    _compare(result, "in company", usual, figures_of(both))
    for threads in ("1", "2"):
        _compare(result, f"{threads} threads", usual, _in_a_process(folder / "c.circuit", threads))
    return result


def _compare(result: Result, how: str, usual: Report, other: list[Any]) -> None:
    apart = difference(figures_of(usual)[:1], other[:1])
    result.ended("equal up to rounding" if apart else "equal to the bit")
    if apart:
        result.notes.append(f"{how}: figures differ by {apart:.1g} of themselves at most")
    if apart > ROUNDING:
        result.faults.append(f"{how}: {apart:.1g}")


def _in_a_process(spec: Path, threads: str) -> list[Any]:
    command = [sys.executable, "-m", "circuitdsl", "check", "--no-cache", "--memory", "400KB", "-f", "json", str(spec)]
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": threads}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    parts = ("claims", "heads", "unexplained")
    return [{part: circuit[part] for part in parts} for circuit in json.loads(ended.stdout)["circuits"]]


def many(count: int, seed: int, folder: Path) -> Result:
    """Checks one after the other in one process: memory afterwards as after the first few."""
    bench = Bench.in_folder(folder)
    result = Result("many checks in one process", "Checks one after the other; what the process holds must not grow.")
    expected = verdicts(bench.check())
    for number in range(max(3, count // 10)):
        _again(bench, expected, number, result)
    before = _held()
    for number in range(count):
        _again(bench, expected, number, result)
    grown = (_held() - before) / count
    result.notes.append(f"memory grew by {grown / 1024:.1f} KiB a check")
    if grown > 256 * 1024:
        result.faults.append(f"memory grew by {grown / 1024:.0f} KiB a check")
    return result


def _again(bench: Bench, expected: str, number: int, result: Result) -> None:
    same = verdicts(bench.check()) == expected
    result.ended("the same report" if same else "another report")
    if not same:
        result.faults.append(f"another report at check {number}")


def _held() -> int:
    """Bytes of memory that this process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

"""One specification under other threads, memory settings and company; and many checks in one process."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import circuitdsl as cd
from benchmarks.robustness.checks import MEMORY, SPEC, Bench, verdicts
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
        _compare(result, f"--memory {memory:,}", usual, bench.check(memory=memory))
    company = folder / "company.circuit"
    company.write_text(SPEC + SPEC.replace("circuit c", "circuit d").replace("2.3 2.5", "2.6 3.3 3.7"), "utf-8")
    both = cd.check(cd.load(company), bench.model, memory=MEMORY)
    _compare(result, "in company", usual, both)
    for threads in ("1", "2"):
        _compare(result, f"{threads} threads", usual, _in_a_process(folder / "c.circuit", threads))
    return result


def _compare(result: Result, how: str, usual: Report, other: Report | dict[str, Any]) -> None:
    found = other if isinstance(other, dict) else json.loads(verdicts(other))[0][0]
    expected = json.loads(verdicts(usual))[0][0]
    pairs = list(zip(_numbers(expected["claims"]), _numbers(found["claims"]), strict=True))
    largest = max(abs(one - two) / max(abs(one), 1e-9) for one, two in pairs)
    result.ended("equal to the bit" if largest == 0 else "equal up to rounding")
    if largest:
        result.notes.append(f"{how}: figures of claims differ by {largest:.1g} of themselves at most")
    if largest > 1e-4 or [c["verdict"] for c in expected["claims"]] != [c["verdict"] for c in found["claims"]]:
        result.faults.append(f"{how}: {largest:.1g}")


def _numbers(said: Any) -> Iterator[float]:
    if isinstance(said, dict):
        for each in said.values():
            yield from _numbers(each)
    elif isinstance(said, list):
        for each in said:
            yield from _numbers(each)
    elif isinstance(said, float):
        yield said


def _in_a_process(spec: Path, threads: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "circuitdsl", "check", "--no-cache", "--memory", "400KB", "-f", "json", str(spec)]
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": threads}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    return json.loads(ended.stdout)["circuits"][0]


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

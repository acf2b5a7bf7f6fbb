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
from circuitdsl import allocator
from circuitdsl.models.folders import MINI
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
    bench, store = Bench.in_folder(folder), cd.Store.in_folder(folder / "store")
    result = Result(
        "many checks in one process",
        "Checks one after the other; what the process holds must not grow. Half of them run all experiments, the "
        f"others are answered by the results store, and one of {ANEW} opens the model anew and runs all. Memory is "
        "what is the process's own, without pages of files; it is looked at as it stands, and once the C library has "
        "given back what it keeps of freed memory.",
    )
    expected = verdicts(bench.check())
    for number in range(max(20, count // 10)):
        _again(bench, store, expected, number, result)
    stood, before = _own_memory(), _given_back()
    for number in range(count):
        _again(bench, store, expected, number, result)
    stands, after = _own_memory(), _given_back()
    result.notes.append(f"memory: {_mib(before)} before {count:,} of them, {_mib(after)} after")
    result.notes.append(f"with what the C library keeps: {_mib(stood)} before, {_mib(stands)} after")
    if after - before > MOST_GROWN or stands - stood > MOST_GROWN + allocator.KEPT:
        result.faults.append(f"memory grew by {_mib(after - before)}, as it stood by {_mib(stands - stood)}")
    return result


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


ANEW = 20  # so that fifty of a thousand checks open the model
MOST_GROWN = 32 << 20  # bytes, however many checks: pieces of a heap do not fall into the same places twice


def _again(bench: Bench, store: cd.Store, expected: str, number: int, result: Result) -> None:
    if number % ANEW == 0:
        kind, report = "the model opened anew", bench.check(model=MINI)
    elif number % 2:
        kind, report = "answered by the store", bench.check(store=store)
    else:
        kind, report = "run", bench.check()
    same = verdicts(report) == expected
    result.ended(f"{kind}: {'the same report' if same else 'another report'}")
    if not same:
        result.faults.append(f"another report at check {number} ({kind})")


def _given_back() -> int:
    """Bytes of memory of this process's own, with no freed ones among them that could be given back."""
    gc.collect()
    allocator.Heap().give_back()
    return _own_memory()


def _own_memory() -> int:
    """Bytes of physical memory of this process's own; the system drops pages of files and reads them again."""
    _, resident, of_files, *_ = map(int, Path("/proc/self/statm").read_text().split())
    return (resident - of_files) * os.sysconf("SC_PAGE_SIZE")

"""One specification under other threads, memory settings and company; and many checks in one process."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import circuitdsl as cd
from benchmarks.robustness.checks import MEMORY, SPEC, AnyReport, Bench, difference, figures_of, verdicts
from benchmarks.robustness.results import Result
from circuitdsl import allocator
from circuitdsl.models.folders import MINI

ROOT = Path(__file__).parents[2]


def sameness(count: int, seed: int, folder: Path) -> Result:
    """A check, a sweep and a draft with ``count`` memory settings and with other threads; the check in company too."""
    bench = Bench.in_folder(folder)
    result = Result(
        "the same figures",
        "The same check, sweep and draft with stacks of several sizes (`--memory`), the check with one thread and two, "
        "after and before another circuit on the same prompts, and after one on more of them. What is counted are "
        "reports that equal the usual one to the bit; any other is a fault.",
    )
    usual = bench.check()
    works: list[tuple[str, Callable[..., AnyReport], AnyReport]] = [
        ("check", bench.check, usual),
        ("sweep", bench.sweep, bench.sweep()),
        ("draft", bench.draft, bench.draft()),
    ]
    for memory in [MEMORY * 4**step for step in range(1, count + 1)]:
        for name, work, known in works:
            _compare(
                result,
                f"{name} --memory {memory:,}",
                json.loads(verdicts(known)),
                json.loads(verdicts(work(memory=memory))),
            )
    other = SPEC.replace("circuit c", "circuit d").replace("2.3 2.5", "2.6 3.3 3.7")
    companies = {
        "after a circuit": other + SPEC,
        "before a circuit": SPEC + other,
        "after a circuit on more prompts": other.replace("prompts 8", "prompts 13") + SPEC,
        "after one on fewer": other.replace("prompts 8", "prompts 5") + SPEC,
    }
    (alone,) = map(_anywhere, figures_of(usual))
    for how, text in companies.items():
        path = folder / "company.circuit"
        path.write_text(text, "utf-8")
        both = cd.check(cd.load(path), bench.model, memory=MEMORY, store=False, unexplained=True)
        place = [part.circuit.name for part in both.circuits].index("c")
        _compare(result, how, alone, _anywhere(figures_of(both)[place]))
    for threads in ("1", "2"):
        _compare(result, f"{threads} threads", alone, _in_a_process(folder / "c.circuit", threads))
    return result


def _compare(result: Result, how: str, usual: Any, other: Any) -> None:
    apart = difference(usual, other)
    result.ended("another report" if apart else "equal to the bit")
    if apart:
        result.faults.append(f"{how}: figures differ by {apart:.1g} of themselves at most")


def _in_a_process(spec: Path, threads: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "circuitdsl", "check", "--no-cache", "--unexplained", "--memory", "400KB"]
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": threads}
    ended = subprocess.run(
        [*command, "-f", "json", str(spec)], env=environ, capture_output=True, text=True, check=False
    )
    (circuit,) = json.loads(ended.stdout)["circuits"]
    return _anywhere({part: circuit[part] for part in ("claims", "heads", "unexplained")})


def _anywhere(circuit: dict[str, Any]) -> dict[str, Any]:
    """The figures of a circuit, on whatever lines its claims stand."""
    return circuit | {"claims": [claim | {"line": 0} for claim in circuit["claims"]]}


def many(count: int, seed: int, folder: Path) -> Result:
    """Checks one after the other in one process: memory afterwards as after the first few."""
    bench, store = Bench.in_folder(folder), cd.Store.in_folder(folder / "store")
    result = Result(
        "many checks in one process",
        "Checks one after the other; what the process holds must not grow. Half of them run all experiments, the "
        f"others are answered by the results store, and one of {ANEW} opens the model anew and runs all. Memory is "
        "what is the process's own, without pages of files; it is looked at as it stands, and once the C library has "
        f"given back what it keeps of freed memory, as it does after every {ANEW}.",
    )
    expected = verdicts(bench.check())
    stood, before = _many(max(2 * ANEW, count // 10), bench, store, expected, result)
    stands, after = _many(count, bench, store, expected, result)
    result.notes.append(f"memory: {_mib(before)} before {count:,} of them, {_mib(after)} after")
    result.notes.append(f"with what the C library keeps: {_mib(stood)} before, {_mib(stands)} after")
    if max(after - before, stands - stood) > most_grown(count):
        result.faults.append(f"memory grew by {_mib(after - before)}, as it stood by {_mib(stands - stood)}")
    return result


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


ANEW = 20  # so that fifty of a thousand checks open the model


def most_grown(count: int) -> int:
    """By how many bytes a process may grow in so many checks: pieces of a heap do not fall into the same places twice,
    but in many checks they move no further than in a hundred."""
    return min(32 << 20, count * (256 << 10))


def _many(count: int, bench: Bench, store: cd.Store, expected: str, result: Result) -> tuple[int, int]:
    """So many checks; the memory after them, as it stands and once freed memory is given back."""
    for number in range(count):
        if number % ANEW == 0:
            _given_back()
        _again(bench, store, expected, number, result)
    return _own_memory(), _given_back()


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

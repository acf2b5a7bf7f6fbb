"""Many checkpoints of mini and its four specifications in one call: how long it takes, and the memory that it takes.

    python -m circuitdsl.models.mini.train --out build/mini --keep-every 50
    python -m benchmarks.panel --checkpoints build/mini --executor ray

The checkpoints are the first so many, by their steps. Resident memory is looked at twice a second, of this process and
of the workers of a cluster that was started here.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import circuitdsl as cd

SPECS = sorted(str(path) for path in Path("specs/mini").glob("*.circuit"))
PROMPTS, EVERY = 4, 0.5


def resident(process: Path) -> float:
    """MiB of a process by its folder under /proc; 0 of one that is gone."""
    try:
        found = re.search(r"VmRSS:\s+(\d+)", (process / "status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def workers() -> dict[str, Path]:
    """The workers of a cluster that this process started, by their names."""
    parents: dict[str, str] = {}
    found: dict[str, Path] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parents[process.name] = (process / "stat").read_text().rpartition(")")[2].split()[1]
            called = (process / "cmdline").read_bytes().partition(b"\0")[0].decode(errors="replace")
        except OSError:
            continue
        if called.startswith("ray::Node"):
            found[process.name] = process
    return {f"worker {name}": process for name, process in found.items() if str(os.getpid()) in above(name, parents)}


def above(process: str, parents: Mapping[str, str]) -> Iterator[str]:
    """The processes from which one comes."""
    while process in parents:
        process = parents[process]
        yield process


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.panel", description=__doc__)
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--executor")
    given = parser.parse_args()
    folders = sorted(given.checkpoints.glob("step*"), key=lambda path: int(path.name.removeprefix("step")))
    folders = folders[: given.models]
    seen: dict[str, list[tuple[int, float]]] = defaultdict(list)
    begun = 0
    ended = threading.Event()

    def told(done: int, total: int, what: str) -> None:
        nonlocal begun
        place = re.search(r"\((\d+) of", what)
        begun = int(place[1]) if place else begun

    def watch() -> None:
        while not ended.wait(EVERY):
            for name, process in {"driver": Path("/proc/self"), **workers()}.items():
                seen[name].append((begun, resident(process)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    try:
        panel = cd.panel(
            SPECS, folders, prompts=PROMPTS, unexplained=False, store=False, executor=given.executor, progress=told
        )
    finally:
        ended.set()
        watcher.join()
    print(f"{len(folders)} models, {len(panel.claims)} claims, {panel.cost.experiments} experiments")
    print(f"{time.perf_counter() - start:.0f} seconds, {time.process_time():.0f} CPU seconds of this process")
    for name, sizes in seen.items():
        until = {place: [size for model, size in sizes if model <= place] for place in (3, 10, 25, 50)}
        at = [f"{max(several):.0f} by model {place}" for place, several in until.items() if several]
        print(f"{name}: at most {', '.join(at)} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m benchmarks.starting``: what commands take that run no model, the start of the process included.

CPU seconds, the least of some calls: on a busy machine others take more. Compiled modules are used where Python keeps
them. Specifications are checked once before, so that the results store has all their readings.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

COMMANDS = (
    ("--help",),
    ("explain", "knockout"),
    ("lint", "specs/mini/ioi.circuit"),
    ("lint", "specs/facts/recall.circuit"),
    ("tasks", "show", "ioi"),
    ("plan", "specs/mini/ioi.circuit"),
)


def seconds(arguments: Sequence[str], times: int) -> float:
    """The least CPU seconds of a command, called so often. Raises SystemExit where it cannot be run."""
    return min(_seconds(arguments) for _ in range(times))


def _seconds(arguments: Sequence[str]) -> float:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        [sys.executable, "-m", "circuitdsl", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1, 3):
        sys.exit(f"circuitdsl {' '.join(arguments)} ended with exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def rows(specs: Sequence[str], options: Sequence[str], times: int) -> Iterator[tuple[str, float]]:
    """Each command with its CPU seconds; of a specification, the check whose every reading is in the store."""
    for command in COMMANDS:
        yield " ".join(command), seconds(command, times)
    for spec in specs:
        check = ("check", spec, *options)
        _seconds(check)
        yield " ".join(check), seconds(check, times)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.starting", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("specs", nargs="*", default=["specs/mini/ioi.circuit"], help="specifications to check")
    parser.add_argument("--no-search", action="store_true", help="without the search for heads that are not listed")
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args(arguments)
    print(f"load {os.getloadavg()[0]:.1f} at the start\n\n| command | CPU s |\n| --- | --- |")
    for name, least in rows(asked.specs, ["--no-unexplained"] if asked.no_search else [], asked.times):
        print(f"| `{name}` | {least:.2f} |", flush=True)


if __name__ == "__main__":
    main()

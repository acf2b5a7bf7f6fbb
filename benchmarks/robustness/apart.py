"""A try in a process of its own, whose end by a signal is seen and whose changes of itself end with it."""

from __future__ import annotations

import json
import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import asdict

from benchmarks.robustness.results import Result

SECONDS = 300
"""After which a try is ended by a signal, as one that hangs."""


def in_a_process(result: Result, what: str, do: Callable[[Result], None]) -> None:
    """Let a forked child do something that adds to a result, and add what it has added."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _do(writer, do)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as stream:
        said = stream.read()
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if ended or not said:
        result.fault(f"{what}: the process ended with {ended}: {said[-300:]}")
    else:
        result.add(Result(**json.loads(said)))


def _do(writer: int, do: Callable[[Result], None]) -> None:
    """The child: it says what was found and ends, whatever happens."""
    code = 1
    try:
        signal.alarm(SECONDS)
        part = Result("", "")
        do(part)
        said, code = json.dumps(asdict(part)), 0
    except BaseException:
        said = traceback.format_exc()
    try:
        with os.fdopen(writer, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(said)
    finally:
        os._exit(code)

"""The Python that tests share does with signals what one that is started for a program does."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

PROGRAM = """
import signal, time
print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, flush=True)
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_the_flags_of_those_who_start_workers_are_taken(warm: tuple[str, ...]):
    assert subprocess.run([*warm, "-u", "-B", "-c", "print(1)"], capture_output=True, check=True).stdout == b"1\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("ignored", [True, False])
def test_an_interrupt_reaches_a_program_whether_or_not_its_caller_ignores_them(warm: tuple[str, ...], ignored: bool):
    """As the caller of a background job does."""
    script = ("trap '' INT; " if ignored else "") + 'exec "$@"'
    with subprocess.Popen(
        ["sh", "-c", script, "sh", *warm, "-c", PROGRAM], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        begun = [process.stdout.readline().strip() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=100)[0].strip()
    ignored = ignored or signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # by the caller of all tests
    assert begun == [str(ignored), "ready"]
    assert (rest, process.returncode) == ("interrupted", 0)

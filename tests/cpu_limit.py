"""A hung test is told from a slow one by the CPU time that it takes, which a busy machine does not change."""

from __future__ import annotations

import signal

import pytest

CPU_LIMIT = "cpu_limit"


def pytest_addoption(parser):
    # Hypothesis makes a failing example smaller for up to 300 seconds: what fails so is to end with that example.
    parser.addini(CPU_LIMIT, "CPU seconds that a test may take in its own process", default="400")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Fail a test that takes more CPU time than any should; one that waits for others takes none."""
    limit = float(item.config.getini(CPU_LIMIT))

    def stop(number, frame):
        pytest.fail(f"it took more than {limit:g} CPU seconds: it hangs", pytrace=True)

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, limit)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)

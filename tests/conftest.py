"""Settings for every test: no hub, and one thread, since several test processes on two cores only get in each
other's way (the variables must stand before numpy and torch are imported). A hung test is told from a slow one by the
CPU time that it takes, which a busy machine does not change."""

from __future__ import annotations

import os
import signal

for variable, value in (
    ("HF_HUB_OFFLINE", "1"),
    ("OMP_NUM_THREADS", "1"),
    ("OPENBLAS_NUM_THREADS", "1"),
    ("OMP_WAIT_POLICY", "PASSIVE"),
):
    os.environ.setdefault(variable, value)

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# Examples run real models on busy machines: how long one takes says nothing. Continuous integration tries the same
# examples every time, so that a failure there belongs to the change; people at work try new ones.
settings.register_profile("real", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("real")


CPU_LIMIT = "cpu_limit"


def pytest_addoption(parser):
    parser.addini(CPU_LIMIT, "CPU seconds that a test may take in its own process", default="300")


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

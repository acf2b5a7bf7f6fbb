"""Settings for every test: no hub, and one thread, since several test processes on two cores only get in each
other's way (the variables must stand before numpy and torch are imported)."""

from __future__ import annotations

import os

for variable, value in (
    ("HF_HUB_OFFLINE", "1"),
    ("OMP_NUM_THREADS", "1"),
    ("OPENBLAS_NUM_THREADS", "1"),
    ("OMP_WAIT_POLICY", "PASSIVE"),
):
    os.environ.setdefault(variable, value)

from hypothesis import settings  # noqa: E402

# Examples run real models on busy machines: how long one takes says nothing. Continuous integration tries the same
# examples every time, so that a failure there belongs to the change; people at work try new ones.
settings.register_profile("real", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("real")

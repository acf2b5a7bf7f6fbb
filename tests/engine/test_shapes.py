"""The shapes that annotations state are those of the tensors, in every call of runs on several architectures.

In a process of its own: the checks must be put into our modules before anything imports them, and they double the time
that the fast engine takes, so that other tests go without.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

HERE = Path(__file__).parent
FAST = (
    *("architecture", "attending", "cached", "dictionaries", "frozen_pass", "full_pass", "readers", "region"),
    *("variants", "ways"),
)
CHECKED = ("circuitdsl.engine.batch", *(f"circuitdsl.engine.fast.{name}" for name in FAST))


def test_shapes_are_those_that_annotations_state(warm: tuple[str, ...]):
    options = ["-n", "0", "-p", "no:cacheprovider", "-p", "jaxtyping._pytest_plugin"]
    options += [f"--jaxtyping-packages={','.join(CHECKED)},beartype.beartype"]
    command = [*warm, "-m", "pytest", *options, "-vv", str(HERE / "wrong_shapes.py")]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parents[1])
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
    for name in ["test_a_wrong_shape_is_an_error", "test_right_shapes_are_none", "test_random_worlds"]:
        assert name in ran.stdout

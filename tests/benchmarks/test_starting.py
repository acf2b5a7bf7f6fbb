"""What commands take to start is measured on real ones."""

from __future__ import annotations

import pytest

from benchmarks.starting import seconds


def test_a_command_takes_time_and_one_that_cannot_be_run_ends_the_benchmark():
    assert seconds(("--version",), times=1) > 0
    with pytest.raises(SystemExit, match="exit code 2"):
        seconds(("lint", "nosuch.circuit"), times=1)

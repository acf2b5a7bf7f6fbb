"""The limit of a test's CPU time: what hangs fails, and what waits for a busy machine does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LIMIT = Path(__file__).parent / "cpu_limit.py"

CASES = """
import time


def test_hangs():
    while True:
        pass


def test_waits():
    time.sleep(1.0)
"""


def test_a_test_that_hangs_fails_and_one_that_waits_passes(tmp_path: Path):
    (tmp_path / "conftest.py").write_text(LIMIT.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "test_cases.py").write_text(CASES, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\ncpu_limit = 0.3\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "PASSED test_cases.py::test_waits" in done.stdout
    assert "FAILED test_cases.py::test_hangs - Failed: it took more than 0.3 CPU seconds" in done.stdout

"""The wheel, built once for all tests, and installed into a folder of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with what is installed: nothing is downloaded."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        *_PIP,
        "wheel",
        str(_ROOT),
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(folder),
    ]
    subprocess.run(command, check=True, timeout=240)
    (made,) = folder.glob("circuitdsl-*.whl")
    return made


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which it is installed."""
    target = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [*_PIP, "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)], check=True, timeout=240
    )
    return target

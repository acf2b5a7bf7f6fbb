"""Whole checks on disks that are full or may only be read, and on stores of another version."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from unittest.mock import patch

import circuitdsl as cd
from benchmarks.robustness.apart import in_a_process
from benchmarks.robustness.checks import Bench
from benchmarks.robustness.results import Result
from benchmarks.robustness.stores import compare
from circuitdsl.errors import InputError
from circuitdsl.outcome import Report
from circuitdsl.report.output import write_file

NOBODY = 65534
OUTPUT, OLD = "report.txt", "an older report\n"


def disks(count: int, seed: int, folder: Path) -> Result:
    """Checks one after the other, each on a disk with something wrong, in a process of its own."""
    result = Result(
        "disks and versions",
        "A check whose store lies on a disk that gets full (a tmpfs of some KiB; no file beyond so many bytes), that "
        "is mounted read-only or may not be written by this user, or that holds readings of another version of "
        "circuitdsl: the report is the undisturbed one, or the store is refused with a remedy. A report that finds no "
        "room leaves the file that it was to replace as it is.",
    )
    folder.chmod(0o755)  # so that nobody can look into it
    bench, rng, whole = Bench.in_folder(folder), random.Random(seed), folder / "whole"

    def checked(place: Path) -> Report:
        return bench.check(store=cd.Store.in_folder(place))

    expected = checked(whole)
    (whole / OUTPUT).write_text(OLD)
    most = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    kinds = {name: kind for name, kind in KINDS.items() if "tmpfs" not in name or _may_mount(folder / "may")}
    if len(kinds) < len(KINDS):
        result.notes.append("this user may not mount, so that no tmpfs was tried")
    for number in range(count):
        name = list(kinds)[number % len(kinds)]
        place, size = folder / f"place {number}", int(4096 * (2 * most / 4096) ** rng.random())

        def tried(part: Result, name: str = name, place: Path = place, size: int = size) -> None:
            what = f"{name} {place.name}, seed {seed}, {size} bytes"
            with kinds[name](whole, place, size):
                compare(part, what, name, expected, lambda: checked(place))
                part.faults += [f"{what}: {problem}" for problem in _of_output(place / OUTPUT, size)]

        in_a_process(result, f"{name} {number}, seed {seed}", tried)
        if place.is_mount():  # it was killed
            subprocess.run(["umount", "-l", str(place)], check=True)
        shutil.rmtree(place, ignore_errors=True)
    return result


def _of_output(path: Path, size: int) -> Iterator[str]:
    """What is wrong with a file after a report was written into its place, on a disk that may have no room for it."""
    new = "x" * size
    try:
        write_file(path, new)
    except InputError as error:
        if path.read_text() != OLD:
            yield f"half a report is in the file, after {error.message}"
    else:
        if path.read_text() != new:
            yield "the report is not in the file, and nothing was said"


# --- disks -------------------------------------------------------------------------------------------


@contextmanager
def _limited(whole: Path, place: Path, size: int) -> Iterator[None]:
    """No file may have more than so many bytes."""
    _only_output(whole, place)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def _full(whole: Path, place: Path, size: int) -> Iterator[None]:
    """A disk of so many bytes."""
    place.mkdir()
    with _mounted(place, f"size={max(16, size // 1024)}k"):
        _only_output(whole, place)
        yield


@contextmanager
def _read_only(whole: Path, place: Path, size: int) -> Iterator[None]:
    """A disk that holds a store and was mounted read-only then."""
    place.mkdir()
    with _mounted(place, "size=64m"):
        shutil.copytree(whole, place, dirs_exist_ok=True)
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        yield


@contextmanager
def _of_somebody(whole: Path, place: Path, size: int) -> Iterator[None]:
    """A store that this user may read and not write. It is for good: the process ends with it."""
    shutil.copytree(whole, place)
    for path in (place, *place.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.geteuid() == 0:  # whom no file is closed to
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
    yield


@contextmanager
def _of_another_version(whole: Path, place: Path, size: int) -> Iterator[None]:
    """A store that another version has filled: its readings and means mean something else."""
    shutil.copytree(whole, place)
    with patch("circuitdsl.engine.store.FORMAT", "circuitdsl/results/another"):
        yield


def _only_output(whole: Path, place: Path) -> None:
    place.mkdir(exist_ok=True)
    shutil.copy(whole / OUTPUT, place / OUTPUT)


KINDS: dict[str, Callable[[Path, Path, int], AbstractContextManager[None]]] = {
    "no file of more bytes": _limited,
    "a full tmpfs": _full,
    "a tmpfs mounted read-only": _read_only,
    "a folder of somebody else": _of_somebody,
    "a store of another version": _of_another_version,
}
"""What is wrong with a disk, given a folder with a whole store, the place to make and a number of bytes."""


@contextmanager
def _mounted(place: Path, options: str) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _may_mount(place: Path) -> bool:
    place.mkdir(exist_ok=True)
    try:
        with _mounted(place, "size=16k"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False

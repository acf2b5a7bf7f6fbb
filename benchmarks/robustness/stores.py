"""Kills, and stores that are damaged: the report that follows equals the undisturbed one, to the bit."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import circuitdsl as cd
from benchmarks.robustness.checks import ROUNDING, Bench, difference, figures_of, verdicts
from benchmarks.robustness.results import Result
from circuitdsl.engine import session
from circuitdsl.errors import InputError


def kills(count: int, seed: int, folder: Path) -> Result:
    """Two processes at a time check with one store; both are killed at a random moment, again and again."""
    bench, rng = Bench.in_folder(folder), random.Random(seed)
    result = Result(
        "SIGKILL",
        "Two processes check with one store and are killed at a random moment. After every third pair a check runs to "
        "its end on what they left, and its report must equal the undisturbed one to the bit; then a new store begins.",
    )
    started = time.monotonic()
    expected = verdicts(bench.check())
    whole = time.monotonic() - started
    answered = 0
    place = folder / "0"
    for number in range(0, count, 2):
        pair = [_forked(lambda place=place: bench.check(store=cd.Store.in_folder(place))) for _ in range(2)]
        time.sleep(rng.uniform(0, 1.5 * whole))
        for child in pair:
            os.kill(child, signal.SIGKILL)
            result.ended("killed at work" if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) < 0 else "done before")
        if number % 6 == 4 or number >= count - 2:
            report = bench.check(store=cd.Store.in_folder(place))
            answered += report.cost.kept
            if verdicts(report) != expected:
                result.faults.append(f"another report after kill {number}, seed {seed}")
            place = folder / str(number + 1)
    result.notes.append(f"the checks afterwards had {answered} experiments answered by what the killed ones had kept")
    return result


def _forked(do: Callable[[], object]) -> int:
    """A child process that does something and ends."""
    child = os.fork()
    if child == 0:
        session._PAUSE = 0.05  # a check of two seconds stands for one of hours
        try:
            do()
        finally:
            os._exit(0)
    return child


def damage(count: int, seed: int, folder: Path) -> Result:
    """Copies of a whole store with flipped bits, cut off, or of another version."""
    bench, rng = Bench.in_folder(folder), random.Random(seed)
    result = Result(
        "damaged stores",
        "Copies of the store of a check, each with a flipped bit or three, cut off somewhere, with a row of another "
        "type, or of another layout: the report must be the undisturbed one (a note apart), or the store is refused "
        "with a remedy. Where rows are lost, as by a flipped bit in a key, what is run again runs in other stacks, and "
        "figures may differ in their last digits (float32); more than 1e-5 of one, or another verdict, is a fault.",
    )
    store = cd.Store.in_folder(folder / "whole")
    expected = bench.check(store=store)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = store.path.read_bytes()
    for number in range(count):
        place = folder / f"damaged {number}"
        place.mkdir()
        kind = ("flipped", "flipped", "cut off", "another type", "another layout")[number % 5]
        _damaged(place / store.path.name, whole, kind, rng)
        try:
            report = bench.check(store=cd.Store.in_folder(place))
        except InputError as error:
            result.ended(f"{kind}: refused")
            if not error.remedy:
                result.faults.append(f"{kind} {number}: no remedy for {error.message}")
            continue
        noted = any("damaged" in note or "nothing more was kept" in note for note in report.circuits[0].notes)
        apart = difference(figures_of(expected), figures_of(report))
        same = "equal up to rounding" if apart else "equal to the bit"
        result.ended(f"{kind}: {same}{', with a note' if noted else ''}")
        if apart > ROUNDING:
            result.faults.append(f"{kind} {number}, seed {seed}: another report ({apart:.1g})")
    return result


def _damaged(path: Path, whole: bytes, kind: str, rng: random.Random) -> None:
    changed = bytearray(whole)
    match kind:
        case "flipped":
            for _ in range(rng.choice((1, 3))):
                changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        case "cut off":
            del changed[rng.randrange(len(changed)) :]
        case _:
            pass
    path.write_bytes(changed)
    statement = {
        "another type": "UPDATE readings SET numbers = 'text' WHERE key IN (SELECT key FROM readings LIMIT 3)",
        "another layout": "ALTER TABLE readings RENAME COLUMN numbers TO figures",
    }.get(kind)
    if statement:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)

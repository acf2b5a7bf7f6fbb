"""Kills, and stores that are damaged: the report that follows equals the undisturbed one, to the bit."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import circuitdsl as cd
from benchmarks.robustness.checks import AnyReport, Bench, difference, figures_of, verdicts
from benchmarks.robustness.results import Result
from circuitdsl.engine import session
from circuitdsl.errors import InputError
from circuitdsl.outcome import Report


def kills(count: int, seed: int, folder: Path) -> Result:
    """Two processes at a time, killed again and again."""
    return _killed(Bench.in_folder(folder).check, 2, ("check", "check"), count, seed, folder)


def crowd(count: int, seed: int, folder: Path) -> Result:
    """Eight processes at a time."""
    return _killed(Bench.in_folder(folder).check, 8, ("check", "check"), count, seed, folder)


def sweeps(count: int, seed: int, folder: Path) -> Result:
    """Two processes that sweep."""
    return _killed(Bench.in_folder(folder).sweep, 2, ("sweep", "sweep"), count, seed, folder)


def drafts(count: int, seed: int, folder: Path) -> Result:
    """Two processes that draft."""
    return _killed(Bench.in_folder(folder).draft, 2, ("draft", "draft"), count, seed, folder)


def refines(count: int, seed: int, folder: Path) -> Result:
    """Two processes that refine."""
    return _killed(Bench.in_folder(folder).refine, 2, ("refinement", "refine a circuit"), count, seed, folder)


ROUNDS = 3
"""Of kills on one store, until a run goes on to its end."""

MOST_TRIED = 10
"""For every process that is to be killed at work: others have done theirs before their moment comes."""


def _killed(
    work: Callable[..., AnyReport], processes: int, called: tuple[str, str], count: int, seed: int, folder: Path
) -> Result:
    """So many processes do the same work with one store until ``count`` were killed at it, each at a random moment of
    what is left to do; after some rounds the work is done to its end on what they have left. ``called``: the work, and
    what those do who do it."""
    rng = random.Random(seed)
    number, (kind, verb) = {2: "Two", 8: "Eight"}[processes], called
    result = Result(
        f"SIGKILL of a {kind}, {number.lower()} processes",
        f"{number} processes {verb} with one store and are killed at random moments of the time that it takes. After "
        f"{ROUNDS} rounds, or once one of them is done, one runs to its end on what they left, and its report must "
        f"equal the undisturbed one to the bit; then a new store begins. They go on until {count} were killed at work.",
    )
    expected = verdicts(work())
    started = time.monotonic()  # of a second run: the first one imports what the others have
    work(store=cd.Store.in_folder(folder / "whole"))
    whole = (time.monotonic() - started) * max(1.0, processes / (os.cpu_count() or 1))
    answered = ended = killed = 0
    while killed < count and result.tried < MOST_TRIED * count:
        place = folder / str(ended)
        left = whole
        for _ in range(ROUNDS):
            moments = sorted(rng.uniform(0, left) for _ in range(processes))
            at_work = _killed_at(moments, lambda place=place: work(store=cd.Store.in_folder(place)))
            result.add(Result("", "", ends={"killed at work": at_work, "done before": processes - at_work}))
            killed, left = killed + at_work, max(left - moments[-1], whole / 10)
            if at_work < processes or killed >= count:
                break
        report = work(store=cd.Store.in_folder(place))
        answered, ended = answered + report.cost.kept, ended + 1
        if verdicts(report) != expected:
            result.faults.append(f"another report on store {ended}, seed {seed}")
        if noted := [note for note in _notes(report) if "results store" in note or "kept" in note]:
            result.faults.append(f"on store {ended}, seed {seed}: {noted[0]}")
    result.notes.append(
        f"{ended} times the work went on to its end: {answered} experiments were answered by what had been kept"
    )
    return result


def _killed_at(moments: Sequence[float], work: Callable[[], object]) -> int:
    """How many processes were killed at work, one at each of some moments since they began (seconds)."""
    children = [_forked(work) for _ in moments]
    begun = time.monotonic()
    for child, moment in zip(children, moments, strict=True):
        time.sleep(max(0.0, begun + moment - time.monotonic()))
        os.kill(child, signal.SIGKILL)
    return sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) < 0 for child in children)


def _notes(report: AnyReport) -> list[str]:
    circuits = report.circuits if isinstance(report, Report) else ()
    return [*report.notes, *(note for circuit in circuits for note in circuit.notes)]


def _forked(do: Callable[[], object]) -> int:
    """A child process that does something and ends."""
    child = os.fork()
    if child == 0:
        session._PAUSE = 0.05  # a check of two seconds stands for one of hours
        try:
            do()
        finally:  # as it is forked it must not go on with what its parent does
            os._exit(0)
    return child


FILES = ("readings", "means", "log")
"""Of a store: what is damaged. Means are read where readings are not known, so that these are taken away."""

HARM = ("flipped", "cut off", "zeros", "another type", "another layout")
KINDS = [(file, harm) for file in FILES for harm in HARM if file == "readings" or not harm.startswith("another")]


def damage(count: int, seed: int, folder: Path) -> Result:
    """Copies of a whole store and its means with flipped bits, cut off, or of another version."""
    bench, rng = Bench.in_folder(folder), random.Random(seed)
    result = Result(
        "damaged stores",
        "Copies of the store of a check and of the means beside it, each with a flipped bit or three, cut off "
        "somewhere, with rows of another type, or of another layout: the report must be the undisturbed one (a note "
        "apart), or the store is refused with a remedy. Where rows are lost, as by a flipped bit in a key, what is run "
        "again runs in other stacks, and the report must be the same to the bit all the same.",
    )
    whole, expected = folder / "whole", bench.check()
    with closing(sqlite3.connect(cd.Store.in_folder(folder / "open").path)) as other:
        other.execute("SELECT * FROM readings").fetchone()  # while another is open, the log is not merged into the file
        _checked(bench, folder / "open")
        shutil.copytree(folder / "open", folder / "log")
    shutil.copytree(folder / "open", whole)
    for number in range(count):
        place, (file, harm) = folder / f"damaged {number}", KINDS[number % len(KINDS)]
        shutil.copytree(folder / "log" if file == "log" else whole, place)
        _damage(place, file, harm, rng)
        what, check = f"{file} {harm} {number}, seed {seed}", partial(_checked, bench, place)
        compare(result, what, f"{file}, {harm}", expected, check)
        shutil.rmtree(place)
    return result


def _checked(bench: Bench, place: Path) -> Report:
    return bench.check(store=cd.Store.in_folder(place))


def compare(result: Result, what: str, kind: str, expected: Report, check: Callable[[], Report]) -> None:
    """How a check ends on a store that is not as it should be, beside the undisturbed one."""
    try:
        report = check()
    except InputError as error:
        result.ended(f"{kind}: refused")
        if not error.remedy:
            result.faults.append(f"{what}: no remedy for {error.message}")
        return
    except Exception as error:  # what the campaign looks for
        result.fault(f"{what}: {type(error).__name__}: {error!s:.200}")
        return
    told = any(word in note for note in _notes(report) for word in ("lack", "kept"))
    apart = difference(figures_of(expected), figures_of(report))
    same = "another report" if apart else "equal to the bit"
    result.ended(f"{kind}: {same}{', with a note' if told else ''}")
    if apart:
        result.faults.append(f"{what}: another report ({apart:.1g})")


def _damage(place: Path, file: str, harm: str, rng: random.Random) -> None:
    """Harm one file of a store."""
    readings = place / "results.sqlite"
    path = readings
    if file == "means":
        readings.unlink()
        path = rng.choice(sorted((place / "means").iterdir()))
    elif file == "log":
        path = place / "results.sqlite-wal"
    changed = bytearray(path.read_bytes())
    match harm:
        case "flipped":
            for _ in range(rng.choice((1, 3))):
                changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        case "cut off":
            del changed[rng.randrange(len(changed)) :]
        case "zeros":
            start = rng.randrange(len(changed))
            changed[start : start + 512] = bytes(len(changed[start : start + 512]))
        case _:
            pass
    path.write_bytes(changed)
    statement = {
        "another type": "UPDATE readings SET numbers = 'text' WHERE key IN (SELECT key FROM readings LIMIT 3)",
        "another layout": "ALTER TABLE readings RENAME COLUMN numbers TO figures",
    }.get(harm)
    if statement:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)

"""The work in pieces that do not depend on each other: run side by side, and kept, so that a call can go on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.code import hash_of, package_sources

if TYPE_CHECKING:
    from benchmarks.truth.calibration import Calibrated

ROOT = Path(__file__).parents[2]
PROCESSES = 2

Kind = Literal["read", "pool", "relay", "untrained", "random", "saving"]

PARTS: Mapping[str, tuple[Kind, ...]] = {
    "pools": ("read", "pool"),
    "planted": ("relay",),
    "untrained": ("untrained",),
    "random": ("random",),
    "saving": ("saving",),
}
"""What can be asked for by name (``--only``), and the pieces that it takes."""

BATCH: Mapping[Kind, int] = {"pool": 25, "relay": 20, "untrained": 6, "random": 1, "saving": 25}
"""Seeds of one piece."""


@dataclass(frozen=True)
class Settings:
    """How much is done: prompts of a pool, samples drawn of it, and how many models and groups of circuits."""

    suites: tuple[str, ...]
    pool: int = 1800
    samples: int = 400
    planted: int = 1020
    untrained: int = 60
    random: int = 20
    saving: int = 200
    counts: tuple[tuple[int, ...], ...] = ((20,), (60,), (200,), (20, 200))
    measures: tuple[str, ...] = ()
    """Of pools, the measurements that are calibrated; all of them where none is named."""

    @property
    def numbers(self) -> Mapping[Kind, int]:
        """Of how many seeds each kind is made."""
        return {
            "pool": self.samples,
            "relay": self.planted,
            "untrained": self.untrained,
            "random": self.random,
            "saving": self.saving,
        }


@dataclass(frozen=True)
class Piece:
    """Some seeds of one kind; of a pool its suite, size, the prompts of a sample (of two numbers, from the first to the
    second), and its measurements (all if none)."""

    kind: Kind
    seeds: tuple[int, int] = (0, 0)  # the first, and the one after the last
    suite: str = ""
    pool: int = 0
    looks: tuple[int, ...] = ()
    measures: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        about = [Path(self.suite).stem, *([f"{self.pool}"] if self.pool else []), "-".join(map(str, self.looks))]
        about.append("+".join(self.measures))
        return " ".join(filter(None, [self.kind, *about, "{}-{}".format(*self.seeds) if self.seeds[1] else ""]))


def pieces(settings: Settings, parts: Sequence[str]) -> tuple[tuple[Piece, ...], ...]:
    """All pieces, in groups of which each needs the ones before: pools are read before samples are drawn of them."""
    kinds: list[Kind] = [kind for part in parts for kind in PARTS[part]]
    suites = settings.suites if "read" in kinds else ()
    reads = [Piece("read", suite=suite, pool=settings.pool, measures=settings.measures) for suite in suites]
    others: list[Piece] = []
    for kind in kinds:
        if kind == "read":
            continue
        batches = tuple(_batches(settings.numbers[kind], BATCH[kind]))
        if kind == "pool":
            several = product(settings.suites, settings.counts, batches)
            others += [
                Piece(kind, seeds, suite, settings.pool, looks, settings.measures) for suite, looks, seeds in several
            ]
        else:
            size = settings.pool if kind == "saving" else 0
            others += [Piece(kind, seeds, pool=size) for seeds in batches]
    return tuple(filter(None, (tuple(reads), tuple(others))))


def _batches(number: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, number, size):
        yield start, min(start + size, number)


# --- carrying them out -------------------------------------------------------------------------------


def carry_out(
    groups: Sequence[Sequence[Piece]], folder: Path, tell: Callable[[str], None], processes: int = PROCESSES
) -> dict[Piece, Any]:
    """The result of every piece. Those that the folder has are not made again, if no code has changed since."""
    kept = folder / code()
    kept.mkdir(parents=True, exist_ok=True)
    done: dict[Piece, Any] = {}
    wanted = [piece for group in groups for piece in group]
    for piece in wanted:
        if (file := _file(kept, piece)).is_file():
            done[piece] = json.loads(file.read_text(encoding="utf-8"))
    if done:
        tell(f"{len(done)} of {len(wanted)} pieces are there already")
    started = time.monotonic()
    left = len(wanted) - len(done)
    made = 0
    for group in groups:
        for piece, result in _made([piece for piece in group if piece not in done], folder, processes):
            file = _file(kept, piece)
            unfinished = file.with_suffix(f".{os.getpid()}")
            unfinished.write_text(json.dumps(result), encoding="utf-8")
            unfinished.rename(file)  # in full, or not there
            done[piece] = result
            made += 1
            rest = (time.monotonic() - started) / made * (left - made)
            tell(f"{made} of {left}: {piece.name} ({result['seconds']:.0f} s); about {rest / 60:.0f} min left")
    return {piece: done[piece] for piece in wanted}


def _made(some: Sequence[Piece], folder: Path, processes: int) -> Iterator[tuple[Piece, Any]]:
    """The results of pieces as they come, made in several processes."""
    if processes == 1:
        yield from ((piece, make(piece, folder)) for piece in some)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(make, piece, folder): piece for piece in some}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def make(piece: Piece, folder: Path) -> dict[str, Any]:
    """Carry out one piece; ``seconds`` are those of the processor.

    What is found can be written as JSON: a list of claims with their counts, counts by name, or nothing of a read."""
    import torch

    from benchmarks.truth import calibration, pools, random_circuits, saving, trials, untrained

    torch.set_num_threads(1)
    started = time.process_time()
    seeds, readings = range(*piece.seeds), folder / "readings"
    match piece.kind:
        case "read":
            pools.read(pools.open_suite(piece.suite, piece.measures), piece.pool, readings)
            found: Any = None
        case "pool":
            suite = pools.open_suite(piece.suite, piece.measures)
            pool = pools.read(suite, piece.pool, readings)
            ways = {measure.endswith(pools.LED) for measure in piece.measures} or {False, True}
            found = [_written(each) for each in calibration.calibrate(suite, pool, piece.looks, seeds, ways)]
        case "relay":
            found = trials.trials(seeds)
        case "untrained":
            found = untrained.trials(seeds)
        case "random":
            found = random_circuits.trials(seeds, readings)
        case "saving":
            found = saving.trials(seeds, piece.pool, readings)
    return {"found": found, "seconds": time.process_time() - started}


def _written(each: Calibrated) -> dict[str, Any]:
    from benchmarks.truth.pools import LED, measure_of

    claim = each.claim
    measured = {
        "measure": f"{measure_of(claim)}{LED if each.led else ''}",
        "truth": each.truth,
        "counts": asdict(each.counts),
    }
    return {"claim": claim.text, "id": claim.id, **measured}


def _file(folder: Path, piece: Piece) -> Path:
    return folder / f"{piece.name}.json"


def code() -> str:
    """A hash of all that decides the results: the sources of the package and of this benchmark."""
    here = Path(__file__).parent
    presentation = {"document.py", "pictures.py", "results.py", "__main__.py"}
    own = [file for file in here.glob("*.py") if file.name not in presentation]
    return hash_of([*package_sources(), *own, *here.rglob("*.circuit")])

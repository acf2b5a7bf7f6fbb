"""``python -m benchmarks.robustness``: campaigns against the product, each with its count, written to one page.

Writes robustness.json (a record of each campaign's last run) and robustness.md to a folder.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from benchmarks.code import ROOT, hash_of, package_sources
from benchmarks.robustness import results
from benchmarks.robustness.disks import disks
from benchmarks.robustness.document import page
from benchmarks.robustness.injection import injection
from benchmarks.robustness.interrupts import interrupts
from benchmarks.robustness.pickles import pickles
from benchmarks.robustness.results import Record, Result
from benchmarks.robustness.sameness import many, sameness
from benchmarks.robustness.stores import crowd, damage, drafts, kills, refines, sweeps
from benchmarks.robustness.texts import dictionaries, prompts, relations, specs
from benchmarks.robustness.variants import variants
from circuitdsl.version import __version__

PARTS: Mapping[str, tuple[Callable[[int, int, Path], Result], int]] = {
    "specs": (specs, 5_000),
    "prompts": (prompts, 20_000),
    "relations": (relations, 5_000),
    "dictionaries": (dictionaries, 2_000),
    "kills": (kills, 60),
    "crowd": (crowd, 64),
    "sweeps": (sweeps, 40),
    "drafts": (drafts, 20),
    "refines": (refines, 20),
    "damage": (damage, 60),
    "disks": (disks, 40),
    "interrupts": (interrupts, 20),
    "variants": (variants, 20),
    "pickles": (pickles, 200),
    "injection": (injection, 100),
    "sameness": (sameness, 4),
    "many": (many, 50),
}
"""Campaigns by name, with how often each is tried unless its option says otherwise."""


def main(arguments: Sequence[str] | None = None) -> dict[str, Record]:
    """Run what is asked for, and write the page of all records, those of earlier runs too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.robustness", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS), help="these campaigns")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("docs"), help="where the page goes; default: docs")
    for name, (_, usual) in PARTS.items():
        parser.add_argument(f"--{name}", type=int, default=usual, help=f"how often ({usual})")
    asked = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(1)  # children are forked, which threads do not survive
    kept = asked.out / "robustness.json"
    for name in asked.only:
        record = carried_out(PARTS[name][0], getattr(asked, name), asked.seed)
        found = record.result
        _tell(f"{name}: {found.tried} tried, {len(found.faults)} faults, {record.seconds:.0f} s", *found.faults[:5])
        write(results.read(kept) | {name: record}, asked.out)
    if not asked.only:
        write(results.read(kept), asked.out)
    return results.read(kept)


def carried_out(campaign: Callable[[int, int, Path], Result], count: int, seed: int) -> Record:
    """Run a campaign in a folder of its own."""
    version = (
        __version__,
        _commit(),
        hash_of(package_sources()),
    )  # of what is imported now, whatever is written meanwhile
    with tempfile.TemporaryDirectory() as folder:
        started, worked = time.monotonic(), _processor_seconds()
        found = campaign(count, seed, Path(folder))
        seconds, work = time.monotonic() - started, _processor_seconds() - worked
    today = date.today().isoformat()
    return Record(found, seed, today, round(seconds, 1), round(work, 1), *version)


def write(records: Mapping[str, Record], folder: Path) -> None:
    """The records, in the order of the campaigns, and their page."""
    ordered = {name: records[name] for name in PARTS if name in records}
    results.write(ordered, folder / "robustness.json")
    missing = [name for name in PARTS if name not in records]
    (folder / "robustness.md").write_text(page(ordered, missing), encoding="utf-8")


def _processor_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _commit() -> str:
    """The last commit, "" outside of a repository."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _tell(*lines: str) -> None:
    print(*lines, sep="\n  ", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

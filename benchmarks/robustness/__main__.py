"""``python -m benchmarks.robustness``: campaigns against the product, each with its count, written to one page."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from benchmarks.robustness.interrupts import interrupts
from benchmarks.robustness.results import Result, page
from benchmarks.robustness.sameness import many, sameness
from benchmarks.robustness.stores import damage, kills
from benchmarks.robustness.texts import prompts, specs

PARTS: Mapping[str, tuple[Callable[[int, int, Path], Result], int]] = {
    "specs": (specs, 20_000),
    "prompts": (prompts, 20_000),
    "kills": (kills, 60),
    "damage": (damage, 60),
    "interrupts": (interrupts, 20),
    "sameness": (sameness, 4),
    "many": (many, 100),
}
"""Campaigns by name, with how often each is tried unless its option says otherwise."""


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Run what is asked for and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.robustness", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS), help="these campaigns")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("docs/robustness.md"))
    for name, (_, usual) in PARTS.items():
        parser.add_argument(f"--{name}", type=int, default=usual, help=f"how often ({usual})")
    asked = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(1)  # children are forked, which threads do not survive
    results = []
    for name in asked.only:
        campaign = PARTS[name][0]
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            found = campaign(getattr(asked, name), asked.seed, Path(folder))
            found.seconds = time.monotonic() - started
        print(
            f"{name}: {found.tried} tried, {len(found.faults)} faults", *found.faults[:5], sep="\n  ", file=sys.stderr
        )
        results.append(found)
        asked.out.write_text(page(results, asked.seed), encoding="utf-8")
    return results


if __name__ == "__main__":
    main()

"""``python -m benchmarks.one_more_claim``: what one more claim costs in a file whose results are stored.

A specification of mini is checked with an empty results store, then again unchanged and with each of some claims added:
by the workbench that made the first check, as ``check --watch`` and a notebook do, and by a workbench of its own each
time, as calls of the command line are. Printed is the work in forward passes over all prompts, and CPU seconds once the
model is open, both also as shares of the first check's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

import circuitdsl as cd
from circuitdsl.check.workbench import Workbench
from circuitdsl.engine.store import Store
from circuitdsl.library import find_spec
from circuitdsl.outcome import Cost

ADDED = {
    "attention": "expect attention(1.2 at END, END -> S1) <= 99%",
    "a knockout": "expect knockout(1.2 at S2) in -500% .. 500%",
    "an effect on the logits": "expect effect(1.2 at END -> logits) in -500% .. 500%",
    "an effect between heads": "expect effect(0.2 at S2 -> { 1.2 at S2 }.q) in -500% .. 500%",
    "of known readings": "expect faithfulness_gap <= 900",
}
"""Claims that the specifications of mini do not make, by what they are."""


HEADER = f"{'experiments':>11} {'passes':>8} {'of first':>9} {'seconds':>8} {'of first':>9}"


@dataclass(frozen=True)
class Took:
    """What a check took: its cost, and seconds without opening the model."""

    cost: Cost
    seconds: float


def opened(spec: Path, store: Store) -> Workbench:
    """A workbench on which the specification's model is open."""
    bench = Workbench(store=store)
    for circuit in cd.load(spec).circuits:
        bench.bench(circuit)
    return bench


def checked(spec: Path, bench: Workbench) -> Took:
    """A check on a workbench."""
    started = time.process_time()
    report = bench.check(cd.plan(cd.load(spec)))
    return Took(report.cost, time.process_time() - started)


def with_claim(text: str, claim: str) -> str:
    """A specification with a claim more at the end of its last block."""
    end = text.rindex("}")
    return f"{text[:end]}  {claim}\n{text[end:]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", default="specs/mini/ioi.circuit", help="one with the position S1, S2 and END")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    text = Path(find_spec(asked.spec)).read_text(encoding="utf-8")
    for same in (True, False):
        print(f"\n{'the same workbench' if same else 'a new one each time':28} {HEADER}")
        with tempfile.TemporaryDirectory() as folder:
            for line in rows(text, Path(folder), same):
                print(line, flush=True)


def rows(text: str, folder: Path, same: bool) -> Iterator[str]:
    """The first check, and those after it on the ``same`` workbench or on new ones."""
    spec, store = folder / "spec.circuit", Store.in_folder(folder)

    def again(claim: str) -> Took:
        spec.write_text(with_claim(text, claim), encoding="utf-8")
        return checked(spec, bench if same else opened(spec, store))

    spec.write_text(text, encoding="utf-8")
    bench = opened(spec, store)
    first = checked(spec, bench)
    yield row("the first check", first, first)
    yield row("nothing changed", again(""), first)
    yield from (row(f"and {name}", again(claim), first) for name, claim in ADDED.items())


def row(name: str, took: Took, first: Took) -> str:
    passes, seconds = took.cost.prompt_passes / first.cost.prompt_passes, took.seconds / first.seconds
    work = f"{name:28} {took.cost.experiments:11,} {took.cost.passes:8.2f} {passes:9.2%}"
    return f"{work} {took.seconds:8.2f} {seconds:9.1%}"


if __name__ == "__main__":
    main()

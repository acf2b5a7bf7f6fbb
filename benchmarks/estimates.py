"""``python -m benchmarks.estimates``: what the race for heads that are not listed loses on a model that was trained.

All heads that a circuit does not list are knocked out on a few prompts, and estimated to first order on the same ones.
These prompts are taken for all that there are: samples are drawn from them, with replacement, and each is searched with
estimates and without, and with all heads on all prompts. Counted are the heads that a race lost of those that the whole
search finds, all together and of the head that is lost most often, and what part of the measurements was made.

Templates are left out: a few prompts have one or two of each.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

import circuitdsl as cd
from circuitdsl.check.bench import Bench
from circuitdsl.check.search import Told, beyond, raced
from circuitdsl.check.workbench import Workbench
from circuitdsl.components import Node
from circuitdsl.judge.race import Raced, early_looks, sketched_looks
from circuitdsl.judge.units import IntArray, Units
from circuitdsl.measures.measurement import Failure, Measurement, Sample
from circuitdsl.plan.circuit import CircuitPlan, plan_circuit, sketch_jobs
from circuitdsl.plan.job import Started

SPEC = "specs/smollm2-135m/ioi.circuit"
COLUMNS = ("prompts", "samples", "estimates", "measured, of all", "found by all", "lost", "most often lost")

Measured = Mapping[Started, Measurement | Failure]


@dataclass(frozen=True)
class Drawn(Bench):
    """A bench on which some of the prompts that were ``measured`` are ``chosen``, each as often as it was drawn."""

    measured: Measured = field(default_factory=dict[Started, Measurement | Failure])
    chosen: IntArray = field(default_factory=lambda: np.array([], dtype=np.intp))

    def measure(self, jobs: Iterable[Started], count: int) -> dict[Started, Measurement | Failure]:
        return {job: self._drawn(self.measured[job], count) for job in jobs}

    def _drawn(self, found: Measurement | Failure, count: int) -> Measurement | Failure:
        if isinstance(found, Failure):
            return found
        samples = [replace(each, columns=each.columns[self.chosen[:count]]) for each in found.samples]
        return replace(found, samples=tuple(samples))

    def units(self, sample: Sample) -> Units:
        count = len(sample.columns)
        return Units(np.full(count, 1 / count), np.arange(count), np.zeros(count, dtype=np.intp))


def searched(plan: CircuitPlan, sketches: Mapping[Node, Started], bench: Drawn) -> tuple[Raced[Node], list[Node]]:
    """The race over one sample, and the heads that a search of all on all prompts finds."""
    method, size, number = plan.circuit.method, len(bench.chosen), len(plan.unlisted)
    looks = (sketched_looks if sketches else early_looks)(size)
    known = bench.measure(plan.unlisted.values(), size)
    by_node = {node: known[job] for node, job in plan.unlisted.items()}
    told = Told(method.floor, 1 - method.confidence, number)
    race = raced(plan.unlisted, sketches, size, looks, told, bench)
    return race, list(beyond(by_node, number, method, bench))


def row(plan: CircuitPlan, sketches: Mapping[Node, Started], known: Drawn, size: int, samples: int) -> list[str]:
    """A line of the table: so many samples of one size."""
    prompts = max(each.prompts for each in known.measured.values() if isinstance(each, Measurement))
    draw = np.random.default_rng(size)
    found, lost, done = Counter[Node](), Counter[Node](), 0
    for _ in range(samples):
        race, by_all = searched(plan, sketches, replace(known, chosen=draw.integers(prompts, size=size)))
        found.update(by_all)
        lost.update({*by_all} - {*race.rest})
        before = (0, *(count for count, _ in race.looks))
        done += sum(number * (count - last) for (count, number), last in zip(race.looks, before, strict=False))
    worst = max(found, key=lambda node: (lost[node], lost[node] / found[node]), default=None)
    return [
        str(size),
        str(samples),
        "yes" if sketches else "no",
        f"{done / (samples * size * len(plan.unlisted)):.0%}",
        str(found.total()),
        f"{lost.total() / max(1, found.total()):.2%}",
        f"{worst.component}: {lost[worst]} of {found[worst]}" if worst else "",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="?", default=SPEC, help=f"its first circuit is searched; default: {SPEC}")
    parser.add_argument("--prompts", type=int, default=30, help="on which heads are measured; default: 30")
    parser.add_argument("--sizes", default="60,180", help="of samples, comma-separated; default: 60,180")
    parser.add_argument("--samples", type=int, default=100, help="of each size; default: 100")
    asked = parser.parse_args(arguments)
    circuit = cd.load(asked.spec).circuits[0]
    plan = plan_circuit(circuit, unexplained=True)
    sketches = {node: Started(job) for node, job in sketch_jobs(circuit).items()}
    bench = Workbench().bench(circuit)
    measured = bench.measure([*plan.unlisted.values(), *sketches.values()], asked.prompts)
    known = Drawn(bench.session, measured=measured)
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
    for size in map(int, asked.sizes.split(",")):
        for estimated in ({}, sketches):
            print(f"| {' | '.join(row(plan, estimated, known, size, asked.samples))} |", flush=True)


if __name__ == "__main__":
    main()

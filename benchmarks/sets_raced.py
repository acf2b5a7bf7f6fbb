"""``python -m benchmarks.sets_raced SPEC``: what it would save to race the sets K of each minimality claim.

Minimality is the largest of what a node adds over several sets K of others. The race would measure all sets on a
quarter of the prompts, the one that is largest there on all, and the other sets on all only where that one does not
decide by itself, its p-value multiplied by the number of sets as it is now: so every claim keeps its verdict. Measured
are the passes of the sets, as they are planned, and how often the chosen set decides and is the largest on all.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import circuitdsl as cd
from circuitdsl.check.bench import Bench
from circuitdsl.engine.store import Store
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Circuit
from circuitdsl.measures.estimands import Estimand, Largest
from circuitdsl.measures.experiments import Experiment
from circuitdsl.measures.measurement import Measurement
from circuitdsl.plan.circuit import CircuitPlan
from circuitdsl.plan.job import Started, reading_job
from circuitdsl.plan.plan import Plan, make_plan

EARLY = 4
"""All sets are measured on one prompt of so many."""


def passes(circuit: Circuit, experiments: Iterable[Experiment]) -> float:
    """What some experiments cost on all first prompts beside the runs that they share, as planned."""
    asked = tuple(dict.fromkeys(experiments))
    job = reading_job((circuit.name, "sets"), "claim", circuit, lambda: asked, "the sets")
    planned = Plan(others=(Started(job),)).fast
    return planned.total - planned.shared


def _sets(measured: Measurement) -> tuple[Estimand, ...]:
    """What is added over each set."""
    assert isinstance(measured.estimand, Largest)
    return measured.estimand.of


def _sizes(measured: Measurement, bench: Bench) -> list[float]:
    return [bench.weighed(replace(measured, estimand=each)).value for each in _sets(measured)]


def race_of(plan: CircuitPlan, bench: Bench) -> str:
    """What the race of the sets of a circuit's listed nodes would be, in words."""
    method = plan.circuit.method
    members = {job: claim for claim, job in plan.claims.items() if claim.term.measure == "minimality"}
    early = bench.measure(members, math.ceil(method.prompts_first / EARLY))
    late = bench.measure(members, method.prompts_first)
    every: list[Experiment] = []
    needed: list[Experiment] = []
    decided = alike = 0
    for job, claim in members.items():
        few, known = early[job], late[job]
        if not isinstance(few, Measurement) or not isinstance(known, Measurement):
            continue
        at_first, in_the_end = _sizes(few, bench), _sizes(known, bench)
        best, number = at_first.index(max(at_first)), len(at_first)
        alone = bench.judged(replace(known, estimand=_sets(known)[best]), claim.bound, method.confidence).judgement
        sure = alone.p_value is not None and number * alone.p_value <= 1 - method.confidence
        whole = bench.judged(known, claim.bound, method.confidence).judgement
        assert not sure or whole.verdict is Verdict.HOLDS, "one set that is surely large is enough"
        _, *pairs = job.experiments
        every += pairs
        needed += pairs[2 * best : 2 * best + 2] if sure else pairs
        decided, alike = decided + sure, alike + (in_the_end[best] == max(in_the_end))
    total, rest = passes(plan.circuit, every), passes(plan.circuit, needed)
    raced = total / EARLY + rest * (1 - 1 / EARLY)
    return (
        f"{plan.circuit.name}: of {len(members)} claims one set decides {decided}, and is the largest in {alike}; "
        f"{total:.0f} passes, raced {raced:.0f}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sets_raced", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("spec")
    asked = parser.parse_args(arguments)
    plan = make_plan(cd.load(asked.spec), unexplained=False)
    workbench = cd.Workbench(store=Store.in_folder())
    for block in plan.circuits:
        print(race_of(block, workbench.bench(block.circuit)))


if __name__ == "__main__":
    main()

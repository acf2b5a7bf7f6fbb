"""``python -m benchmarks.race``: does the race for heads that are not listed find what a search of all of them finds?

Random planted models (``benchmarks.truth.relay``), whose true effects are known. Each is searched as a check searches
it, and then with all heads on all prompts. Counted are the heads that the race lost, those that it found and should not
have, how often the intervals of all that were found hold their true effects together, on fresh prompts and on those
that they were found by, and how large they are said to be in either case.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.truth.relay import COUNTERFACTUAL, Relay, random_relay
from benchmarks.truth.relay_claims import ABLATIONS, PROMPTS, resolved
from benchmarks.truth.trials import NOISY, REFERENCE, SLACK
from circuitdsl.check.bench import Bench
from circuitdsl.check.search import beyond, search
from circuitdsl.check.workbench import Workbench
from circuitdsl.components import Head
from circuitdsl.judge.estimates import Estimate
from circuitdsl.judge.verdicts import split_confidence
from circuitdsl.language.circuit import Circuit
from circuitdsl.plan.circuit import CircuitPlan, plan_circuit, sketch_jobs
from circuitdsl.plan.job import Started

COUNTS = (20, 60, 200)
COLUMNS = (
    "prompts",
    "models",
    "heads",
    "measured, of all",
    "found by all",
    "lost",
    "found falsely",
    "intervals hold: fresh",
    "the same prompts",
    "said over true: fresh",
    "the same prompts",
)


def trial(seed: int, prompts: int, sketched: bool = False) -> Counter[str]:
    """Search one random model, and count; ``sketched``: with estimates to first order, which large models have."""
    relay = random_relay(seed)
    with TemporaryDirectory() as folder:
        (Path(folder) / PROMPTS).write_text(relay.prompts(2 * prompts + REFERENCE, seed), encoding="utf-8")
        circuit = _circuit(relay, ABLATIONS[seed % len(ABLATIONS)], prompts, Path(folder))
        plan = plan_circuit(circuit, unexplained=True)
        if sketched:
            plan = replace(plan, sketches={node: Started(job) for node, job in sketch_jobs(circuit).items()})
        return _counted(relay, plan, Workbench(relay.build(), store=None).bench(circuit))


def _circuit(relay: Relay, ablate: str, prompts: int, folder: Path) -> Circuit:
    """One that lists nothing."""
    method = f"method {{ against {COUNTERFACTUAL} ablate {ablate} prompts {prompts} }}"
    text = f'circuit relay {{ model relay task file("{PROMPTS}") {method} expect logit_diff >= 0 }}'
    return resolved(relay, text, folder).circuits[0]


def _counted(relay: Relay, plan: CircuitPlan, bench: Bench) -> Counter[str]:
    method, heads = plan.circuit.method, len(plan.unlisted)
    raced = search(plan, bench)
    known = bench.measure(plan.unlisted.values(), method.prompts_first)
    whole = beyond({node: known[job] for node, job in plan.unlisted.items()}, heads, method, bench)
    fresh = {_head(row.head): row.estimate for row in raced.heads}
    each = split_confidence(method.confidence, heads)
    same = {node.component: bench.estimate(found, each) for node, found in whole.items() if node.component in fresh}
    truths = {head: -relay.lost({head}) for head in fresh}
    slack = SLACK if relay.noise == 0 else NOISY
    looks = raced.search.looks
    before = (0, *(count for count, _ in looks))
    counted = Counter(
        {
            "models": 1,
            "heads": heads,
            "measured": sum(number * (count - last) for (count, number), last in zip(looks, before, strict=False)),
            "all": heads * method.prompts_first,
            "found by all": len(whole),
            "lost": len({node.component for node in whole} - set(fresh)),
            "false": sum(abs(truth) < method.floor - slack for truth in truths.values()),
        }
    )
    if fresh:
        counted["with some"] = 1
        counted["true size"] = round(1e6 * sum(map(abs, truths.values())))
        for name, estimates in (("fresh", fresh), ("same", same)):
            counted[f"{name} hold"] = all(_holds(estimates[head], truths[head], slack) for head in fresh)
            counted[f"{name} size"] = round(1e6 * sum(abs(estimates[head].value or 0) for head in fresh))
    return counted


def _holds(estimate: Estimate, truth: float, slack: float) -> bool:
    if estimate.low is None or estimate.high is None:
        return False
    return estimate.low - slack <= truth <= estimate.high + slack


def _head(written: str) -> Head:
    layer, index = written.split(".")
    return Head(int(layer), int(index))


def _row(prompts: int, counted: Counter[str]) -> Iterator[str]:
    def share(part: str, of: str) -> str:
        return f"{counted[part] / counted[of]:.1%}" if counted[of] else ""

    yield str(prompts)
    yield from (str(counted[name]) for name in ("models", "heads"))
    yield share("measured", "all")
    yield from (str(counted[name]) for name in ("found by all", "lost", "false"))
    yield from (share(f"{name} hold", "with some") for name in ("fresh", "same"))
    yield from (share(f"{name} size", "true size") for name in ("fresh", "same"))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=200, help="for each number of prompts")
    parser.add_argument("--prompts", default=",".join(map(str, COUNTS)), help="comma-separated numbers")
    parser.add_argument("--sketched", action="store_true", help="with estimates to first order, as in large models")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
    for prompts in map(int, given.prompts.split(",")):
        counted = sum((trial(seed, prompts, given.sketched) for seed in range(given.models)), Counter[str]())
        print(f"| {' | '.join(_row(prompts, counted))} |", flush=True)


if __name__ == "__main__":
    main()

"""``python -m benchmarks.screening``: what a sweep costs that is screened in bfloat16 first.

All experiments are run in bfloat16; those whose effect may reach the floor are run again in float32.
Times are CPU seconds, or with ``--device cuda`` elapsed ones, everything included: the copy of the weights, the shared
runs in both precisions, the screen. On random weights the method's floor, 1% of F, would separate nothing, so the floor
is put where a given share of the heads has a larger effect.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.cases import CASES, experiments
from benchmarks.models import DATA, SHAPES, model_of, prompts_of
from benchmarks.timing import clock_of, forward_time
from circuitdsl.engine.base import Engine
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.judge.screen import Screened, screen
from circuitdsl.measures.experiments import Clean, Experiment, World
from circuitdsl.measures.measurement import Array, Failure
from circuitdsl.tasks.prompts import Prompt

CONFIDENCE = 0.95
COLUMNS = ("case", "above the floor", "in float32", "plain", "fast", "bfloat16 alone", "screened", "plain / screened")
(CLEAN,) = experiments([Clean()])


def effects(engine: Engine, prompts: Sequence[Prompt], asked: Sequence[Experiment]) -> dict[Experiment, float]:
    """How much each experiment changes F: (F changed - F) / |F|."""
    ran = engine.run(DATA, prompts, 0, len(prompts), [CLEAN, *asked])
    clean = _mean(ran[CLEAN])
    return {experiment: (_mean(ran[experiment]) - clean) / abs(clean) for experiment in asked}


def _mean(answer: Array | Failure) -> float:
    return float("nan") if isinstance(answer, Failure) else float(answer.mean())


def screened_time(
    engine: FastEngine, prompts: Sequence[Prompt], asked: Sequence[Experiment], floor: float
) -> tuple[float, Screened[Experiment]]:
    """Seconds of a sweep in which bfloat16 sorts out what is under the floor (a share of F), and what it left."""

    def sweep() -> Screened[Experiment]:
        engine.run_cache.clear()
        rough = engine.in_dtype("bfloat16")
        return screen(
            asked,
            floor,
            CONFIDENCE,
            lambda some: effects(rough, prompts, some),
            lambda some: effects(engine, prompts, some),
        )

    return clock_of(engine.model).warmed(sweep)


def plain_time(engine: PlainEngine, prompts: Sequence[Prompt], worlds: Sequence[World]) -> float:
    """Seconds that the plain engine would take for all worlds, from three of them."""
    clock = clock_of(engine.model)
    sample = experiments(worlds[:: len(worlds) // 3][:3])
    few, _ = clock.warmed(lambda: engine.run(DATA, prompts, 0, len(prompts), sample[:1]))
    more, _ = clock.timed(lambda: engine.run(DATA, prompts, 0, len(prompts), sample))
    return few + (more - few) / 2 * (len(worlds) - 1)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--length", type=int, default=16)
    parser.add_argument("--cases", default="a,a-total", help="comma-separated sweeps")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--shares", default="0.05,0.1,0.25", help="of the heads above the floor")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model = model_of(given.shape, given.device)
    clock = clock_of(model)
    prompts = prompts_of(given.prompts, given.length, SHAPES[given.shape].vocabulary)
    engine = FastEngine(model)
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
    for case in given.cases.split(","):
        worlds = CASES[case].worlds(model.geometry)
        asked = experiments(worlds)
        forward = forward_time(model, prompts)
        plain = plain_time(PlainEngine(model), prompts, worlds)

        def swept(asked: Sequence[Experiment] = asked) -> dict[Experiment, float]:
            engine.run_cache.clear()  # every time is that of a sweep on prompts that nothing is known of
            return effects(engine, prompts, asked)

        fast, true = clock.warmed(swept)
        coarse, _ = clock.warmed(lambda asked=asked: effects(engine.in_dtype("bfloat16"), prompts, asked))
        for share in map(float, given.shares.split(",")):
            floor = float(np.quantile(np.abs(list(true.values())), 1 - share))
            seconds, left = screened_time(engine, prompts, asked, floor)
            lost = [each for each in asked if abs(true[each]) >= floor and each not in left.rest]
            if lost:
                raise SystemExit(f"the screen lost {len(lost)} experiments that reach the floor")
            print(
                f"| {case} | {share:.0%} | {len(left.rest)} of {len(asked)} | {plain / forward:.0f} "
                f"| {fast / forward:.2f} | {coarse / forward:.2f} | {seconds / forward:.2f} | {plain / seconds:.1f} |",
                flush=True,
            )
    print(
        f"\n{given.shape}-shaped, {given.prompts} prompts of {given.length} tokens, one thread; costs in plain forward "
        f"passes of all prompts in float32, on {given.device}"
    )


if __name__ == "__main__":
    main()

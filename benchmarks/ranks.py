"""``python -m benchmarks.ranks``: which statistic of ranks has intervals that hold the truth?

Ranks of answers have a long tail: a model that knows most answers has rank 1 on most prompts, and on the others any
rank up to its vocabulary. Samples are drawn of populations of ranks, whose figures are the truth, and an interval of
95% of each statistic is counted by whether it holds it: the mean rank and the mean logarithm of the rank, by Student's
t; the mean reciprocal rank, within its limits, and the share of ranks up to ten, as a check judges them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.truth.pools import open_suite, read
from circuitdsl.judge.units import Origin, units_of
from circuitdsl.judge.verdicts import estimated
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.environment import PROPORTION, TaskRef
from circuitdsl.measures.estimands import Estimand, average, proportion
from circuitdsl.measures.experiments import Data, Intervened, Metric
from circuitdsl.measures.measurement import Measurement, sample

Array = NDArray[np.float64]

VOCABULARY, PROMPTS = 50_257, 100_000
COUNTS = (20, 60, 200)
DATA = Data(TaskRef("ranks"), 0, False)


@dataclass(frozen=True)
class Statistic:
    """A mean over prompts of a function of ranks, and how it is judged."""

    of: Callable[[Array], Array]
    judged: Estimand


STATISTICS: Mapping[str, Statistic] = {
    "rank": Statistic(lambda ranks: ranks, average()),
    "log rank": Statistic(np.log, average()),
    "reciprocal_rank": Statistic(lambda ranks: 1 / ranks, average(limits=PROPORTION)),
    "hit(10)": Statistic(lambda ranks: (ranks <= 10).astype(np.float64), proportion()),
}


def long_tailed(known: float, generator: np.random.Generator) -> Array:
    """Ranks of which a share is 1 and the others are spread evenly in their logarithm over the vocabulary."""
    others = np.floor(np.exp(generator.uniform(0, np.log(VOCABULARY), PROMPTS)))
    return np.where(generator.random(PROMPTS) < known, 1.0, others)


def of_mini() -> Array:
    """Ranks on mini's IOI without the heads that matter most, an intervention of a suite of ``benchmarks.truth``."""
    with TemporaryDirectory() as folder:
        columns = read(open_suite("ioi", ("reciprocal_rank",)), 1800, Path(folder)).columns
    reciprocal = Metric("reciprocal_rank")
    (found,) = (a for e, a in columns.items() if isinstance(e.world, Intervened) and e.reading == reciprocal)
    return np.round(1 / found)


def coverage(ranks: Array, statistic: Statistic, count: int, samples: int) -> float:
    """The share of samples whose interval of 95% holds the population's figure."""
    truth = float(statistic.of(ranks).mean())
    units = units_of([Origin("", place) for place in range(count)], {})
    held = 0
    for seed in range(samples):
        drawn = np.random.default_rng([seed, count]).choice(ranks, count)
        measured = Measurement((sample(DATA, statistic.of(drawn)),), statistic.judged)
        found = estimated(Weighed(measured, (units,)), 0.95)
        assert found.low is not None and found.high is not None
        held += found.low <= truth <= found.high
    return held / samples


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranks", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--samples", type=int, default=400, help="of each number of prompts; default: 400")
    asked = parser.parse_args(arguments)
    generator = np.random.default_rng(0)
    populations = {f"{known:.0%} known": long_tailed(known, generator) for known in (0.98, 0.9, 0.5)}
    populations["mini's IOI, broken"] = of_mini()
    print("| ranks | prompts | " + " | ".join(STATISTICS) + " |\n|" + " --- |" * (2 + len(STATISTICS)))
    for name, ranks in populations.items():
        for count in COUNTS:
            shares = [coverage(ranks, each, count, asked.samples) for each in STATISTICS.values()]
            print(f"| {name} | {count} | " + " | ".join(f"{share:.1%}" for share in shares) + " |")


if __name__ == "__main__":
    main()

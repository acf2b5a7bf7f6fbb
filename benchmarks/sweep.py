"""What sweeps of experiments cost, in plain forward passes of the same prompts on the same model in the same process.

The plain engine and TransformerLens's helpers are timed on a sample of the experiments and scaled up; the fast engine
is timed on all of them. The floor is the arithmetic that the experiments need, divided by the rate at which this
machine multiplies matrices of these sizes during the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.cases import CASES, experiments
from benchmarks.columns import helper_time, plain_time
from benchmarks.floor import Floor
from benchmarks.models import DATA
from benchmarks.timing import clock_of, forward_time, matmul_rate
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.references import references_over
from circuitdsl.measures.measurement import Failure, Results
from circuitdsl.models import Model
from circuitdsl.tasks.prompts import Prompt

FEW = 100  # prompts that the slow columns are timed on at most


@dataclass(frozen=True)
class Row:
    """One case. Costs are in plain forward passes of all its prompts in the process that bore them, from CPU seconds,
    or on a GPU from elapsed ones.

    ``plain``, ``helper`` and ``path_patching`` are extrapolated. ``difference`` is the largest between the plain and
    the fast engine on the sample, over the sample's largest figure; ``memory`` is what the fast engine added at most,
    in bytes.
    """

    shape: str
    case: str
    about: str
    prompts: int
    experiments: int
    forward: float  # seconds
    rate: float  # floating-point operations a second in matrix products
    plain: float
    fast: float
    floor: float
    difference: float
    memory: int | None
    helper: float | None = None
    path_patching: float | None = None
    path_patching_difference: float | None = None  # as ``difference``, from the fast engine's figures
    eap_ig: float | None = None

    @property
    def ratios(self) -> dict[str, float]:
        return {"plain / fast": self.plain / self.fast, "fast / floor": self.fast / self.floor}


def row_of(case: str, model: Model, prompts: Sequence[Prompt]) -> tuple[Row, Results]:
    """Time one case; also the fast engine's results."""
    worlds = CASES[case].worlds(model.geometry)
    asked = experiments(worlds)
    few = min(len(prompts), FEW)
    forward = forward_time(model, prompts[:few]) * len(prompts) / few
    engine = FastEngine(model)
    before = matmul_rate(model)
    references = references_over(prompts, asked)

    def swept() -> Results:
        engine.run_cache.clear()
        return engine.run(DATA, prompts, 0, len(prompts), asked, references)

    clock = clock_of(model)
    memory, (fast, results) = clock.peak_memory(lambda: clock.warmed(swept))
    rate = (before + matmul_rate(model)) / 2
    plain, sample = plain_time(model, prompts, few, asked)
    row = Row(
        model.geometry.model,
        case,
        CASES[case].about,
        len(prompts),
        len(asked),
        forward,
        rate,
        plain / forward,
        fast / forward,
        len(prompts) * Floor(model.geometry, prompts[0]).of(worlds) / rate / forward,
        difference(sample, results),
        memory,
    )
    return row, results


def with_helper(row: Row, model: Model, prompts: Sequence[Prompt]) -> Row:
    """The row with the column of TransformerLens's own helper, where it has one for the case."""
    few = prompts[:FEW]
    seconds = helper_time(row.case, model, few, row.experiments)
    return row if seconds is None else replace(row, helper=seconds * row.prompts / len(few) / row.forward)


def difference(sample: Results, results: Results) -> float:
    """The largest between a sample's figures on the first prompts and these results, over the sample's largest."""
    largest, furthest = 0.0, 0.0
    for key, value in sample.items():
        ours = results[key]
        if isinstance(value, Failure) or isinstance(ours, Failure):
            raise AssertionError(f"{key} could not be run: {value} {ours}")
        largest = max(largest, float(abs(value).max()))
        furthest = max(furthest, float(abs(value - ours[: len(value)]).max()))
    return furthest / largest

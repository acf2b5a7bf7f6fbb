"""What a measurement hands to the judge: per-prompt columns, and a function of their means."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from circuitdsl.actions import Ablation
from circuitdsl.components import ALL, Node
from circuitdsl.language.circuit import Argument, Circuit, Control, Method, Term
from circuitdsl.language.environment import MeasureInfo
from circuitdsl.measures.experiments import (
    Clean,
    Data,
    Experiment,
    FromCounterfactual,
    Mean,
    Metric,
    Reading,
    Resample,
    Source,
    World,
    Zero,
)

Array = NDArray[np.float64]

CLEAN = Clean()


@dataclass(frozen=True)
class Sample:
    """Columns measured on the same prompts: shape [prompts, columns]; resampled together."""

    data: Data
    columns: Array


@dataclass(frozen=True)
class Measurement:
    """An estimate as a function of means over prompts, so that an interval can be computed for any of them.

    ``combine`` maps means of all samples' columns, joined to shape [..., columns], to estimates of shape [...]; where
    the estimate is undefined it gives NaN. ``control`` maps them to the control's estimate where the claim compares
    with one. ``shares``: there is one column, of zeros and ones, and the estimate is its mean.
    ``parts`` are estimates for parts of the subject, for reports.
    """

    samples: tuple[Sample, ...]
    combine: Callable[[Array], Array]
    control: Callable[[Array], Array] | None = None
    shares: bool = False
    parts: tuple[tuple[str, Measurement], ...] = ()
    note: str = ""

    @property
    def prompts(self) -> int:
        """The number of prompts of the smallest sample."""
        return min(len(sample.columns) for sample in self.samples)


Asking = Generator[Sequence[Experiment], Mapping[Experiment, Array], Measurement]
"""A measurement at work: it yields experiments, is sent one array [prompts] for each, and returns a Measurement.

Most ask once. One that asks again, having seen results (greedy search), is called adaptive.
"""


@dataclass(frozen=True)
class Request:
    """What an estimator works on: a term of a claim, about a circuit, under a method, in a world.

    ``method`` is the circuit's or a variant of it. ``world`` is what outputs and attention are read in (interventions).
    ``parts`` says whether estimates for single heads are wanted too.
    """

    circuit: Circuit
    method: Method
    term: Term
    control: Control | None = None
    world: World = CLEAN
    parts: bool = True

    @property
    def data(self) -> Data:
        return Data(self.circuit.task, self.method.seed, self.method.bos)

    @property
    def metric(self) -> Metric:
        return Metric(self.method.metric)

    def argument(self, name: str) -> Argument | None:
        """The argument given for a parameter, or None where it was left out."""
        return dict(self.term.arguments).get(name)

    def source(self) -> Source:
        """Where the method's ablation takes its values from. Raises CannotMeasure, as :func:`ablation_source` does."""
        return ablation_source(self.method, self.method.ablate)

    def ask(self, world: World, reading: Reading | None = None) -> Experiment:
        """An experiment on the circuit's own prompts, of the method's metric unless another reading is given."""
        return Experiment(self.data, world, reading or self.metric)

    def placed(self, nodes: Iterable[Node]) -> frozenset[Node]:
        """The nodes where the method patches them: at their own positions, or at all."""
        if self.method.positions == "all":
            return frozenset(Node(node.component, ALL) for node in nodes)
        return frozenset(nodes)


Estimator = Callable[[Request], Asking]


class CannotMeasure(Exception):
    """The experiment that a claim asks for cannot be made; the claim's verdict is an error with this message."""


@dataclass(frozen=True)
class Failure:
    """Why an experiment or a measurement could not be had, for a person."""

    message: str


Results = Mapping[Experiment, Array | Failure]
"""What was read of experiments, one array [prompts] each, or why it could not be."""


@dataclass(frozen=True)
class Measure:
    """An entry of the registry: what the measurement is, and how it is estimated.

    ``adaptive`` are the options with which it asks again, having seen results.
    """

    info: MeasureInfo
    estimator: Estimator
    adaptive: frozenset[str] = frozenset()


Align = Iterable[tuple[str, str]]
"""Roles that are each other's counterparts, (role of the left circuit, role of the right one)."""


@dataclass(frozen=True)
class PairRequest:
    """What an estimator of two circuits works on: the circuits in the order of the term, and their counterparts."""

    first: Circuit
    second: Circuit
    align: tuple[tuple[str, str], ...] = ()
    control: Control | None = None


@dataclass(frozen=True)
class ComparisonMeasure:
    """An entry of the registry for compare blocks; without an estimator the two descriptions decide, and no model."""

    info: MeasureInfo
    estimator: Callable[[PairRequest], Asking] | None = None


def ablation_source(method: Method, ablate: Ablation) -> Source:
    """The source of ablated values for a kind of ablation.

    Means are over the task's own prompts where it has no counterfactual. Raises CannotMeasure for a kind that needs one
    there.
    """
    match ablate:
        case "zero":
            return Zero()
        case "mean" | "mean by template":
            return Mean(method.against, method.reference, by_template=ablate == "mean by template")
        case "resample" | "counterfactual":
            if not method.against:
                raise CannotMeasure(
                    f"`ablate {ablate}` takes values from a counterfactual and the task has none: write `ablate mean` "
                    "or `ablate mean by template`, which are then over the task's own prompts, or `ablate zero`"
                )
            return (
                Resample(method.against, method.reference, method.seed)
                if ablate == "resample"
                else FromCounterfactual(method.against)
            )
        case _:
            assert_never(ablate)


def sample(data: Data, *columns: Array) -> Sample:
    """Columns of shape [prompts] each, side by side."""
    return Sample(data, np.stack(columns, axis=-1))


def together(
    askings: Iterable[Asking],
) -> Generator[Sequence[Experiment], Mapping[Experiment, Array], tuple[Measurement, ...]]:
    """Several measurements run in lockstep: what they ask in the same round is asked at once."""
    waiting, done, results = dict(enumerate(askings)), dict[int, Measurement](), None
    while waiting:
        asked: dict[Experiment, None] = {}
        for place, asking in list(waiting.items()):
            try:
                asked |= dict.fromkeys(next(asking) if results is None else asking.send(results))
            except StopIteration as stop:
                done[place] = stop.value
                del waiting[place]
        if waiting:
            results = yield tuple(asked)
    return tuple(done[place] for place in sorted(done))


def combined(measurements: Sequence[Measurement], estimate: Callable[..., Array]) -> Measurement:
    """An estimate computed from several measurements' estimates.

    Columns of the same data become one sample, whose prompts are resampled and left out together, so it is paired.
    """
    columns: dict[Data, list[Array]] = {}
    for each in (sample for measurement in measurements for sample in measurement.samples):
        columns.setdefault(each.data, []).append(each.columns)
    samples = tuple(Sample(data, np.concatenate(some, axis=1)) for data, some in columns.items())
    widths = [sample.columns.shape[1] for sample in samples]
    free = dict(zip(columns, np.cumsum([0, *widths[:-1]]).tolist(), strict=True))  # the next column not yet taken

    def place(sample: Sample) -> range:
        start = free[sample.data]
        free[sample.data] += sample.columns.shape[1]
        return range(start, free[sample.data])

    own = [[column for sample in each.samples for column in place(sample)] for each in measurements]

    def combine(means: Array) -> Array:
        return estimate(*(each.combine(means[..., some]) for each, some in zip(measurements, own, strict=True)))

    return Measurement(samples, combine)


def first(means: Array) -> Array:
    """The first column's mean: the ``combine`` of a plain average over prompts."""
    return means[..., 0]


def ratio(numerator: Array, denominator: Array) -> Array:
    """numerator / denominator, NaN where the denominator is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, numerator / np.where(denominator == 0, 1.0, denominator))


def relative_change(means: Array) -> Array:
    """(F_changed - F) / |F| for columns F_changed, F."""
    return ratio(means[..., 0] - means[..., 1], np.abs(means[..., 1]))

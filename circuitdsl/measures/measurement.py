"""What a measurement hands to the judge: per-prompt columns, and what is estimated from their means."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

from circuitdsl.actions import Ablation
from circuitdsl.components import ALL, Node
from circuitdsl.language.circuit import Argument, Circuit, Control, Method, Term
from circuitdsl.language.environment import MeasureInfo
from circuitdsl.measures.estimands import Array, Dependence, Estimand, Led, Limits
from circuitdsl.measures.experiments import (
    Clean,
    Data,
    Drawn,
    Experiment,
    FromCounterfactual,
    Mean,
    Reading,
    Resample,
    Source,
    World,
    Zero,
)
from circuitdsl.measures.figures import Figure, figure_of

CLEAN = Clean()


@dataclass(frozen=True)
class Sample:
    """Columns measured on the same prompts: shape [prompts, columns].

    ``source`` is where replaced values came from if they depend on reference prompts, whose noise the judge counts.
    """

    data: Data
    columns: Array
    source: Drawn | None = None


@dataclass(frozen=True)
class RandomSets:
    """A control that is the same figure of random sets: ``figures``, of means of columns [..., columns] -> [..., sets].

    ``own`` is the real set's figure on the same prompts, where these are fewer than the measurement's; None where they
    are the same. ``looks`` counts the looks at random sets, this one among them: each could have decided.
    """

    figures: Callable[[Array], Array]
    own: Estimand | None = None
    looks: int = 1

    def of_few(self, own: Estimand, offset: int, width: int) -> RandomSets:
        """The same, of columns that stand ``offset`` further on and are ``width``, on fewer prompts."""

        def figures(means: Array) -> Array:
            return self.figures(means[..., offset : offset + width])

        return replace(self, figures=figures, own=own.moved(offset, width))


@dataclass(frozen=True)
class Paired:
    """A control that is one figure on the same prompts, and how far the measurement's own is above it."""

    figure: Estimand
    excess: Estimand


@dataclass(frozen=True)
class Shuffled:
    """A control that pairs each prompt's value with another prompt's of its template, at random, so many times."""

    times: int
    seed: int


@dataclass(frozen=True)
class Measurement:
    """What is estimated, a function of means over prompts, with the columns that these are taken of.

    The columns of all samples, joined in their order, are what the ``estimand`` counts. ``control`` is what the claim
    compares with, where it does. ``parts`` are estimates for parts of the subject, for reports.
    """

    samples: tuple[Sample, ...]
    estimand: Estimand
    control: RandomSets | Paired | Shuffled | None = None
    parts: tuple[tuple[str, Measurement], ...] = ()
    note: str = ""

    @property
    def prompts(self) -> int:
        """The number of prompts of the smallest sample; of a figure beside others that are measured on few, its own."""
        first, *others = (len(sample.columns) for sample in self.samples)
        beside_few = isinstance(self.estimand, Led) or (isinstance(self.control, RandomSets) and self.control.own)
        return first if beside_few else min([first, *others])

    def within(self, source_of: Callable[[Data], Drawn | None]) -> Measurement:
        """The same, its samples knowing the reference that they depend on.

        What is said of single prompts is said of them with the reference as it is.
        """
        if isinstance(self.estimand, Dependence):
            return self
        return replace(
            self,
            samples=tuple(replace(each, source=source_of(each.data)) for each in self.samples),
            parts=tuple((name, part.within(source_of)) for name, part in self.parts),
        )


class OnFew(tuple["Experiment", ...]):
    """Experiments of which the first ``prompts`` are enough. Whoever runs them may run more."""

    prompts: int

    def __new__(cls, experiments: Iterable[Experiment], prompts: int) -> OnFew:
        made = super().__new__(cls, experiments)
        made.prompts = prompts
        return made


Asking = Generator[Sequence[Experiment], Mapping[Experiment, Array], Measurement]
"""A measurement at work: it yields experiments, is sent one array [prompts] for each, and returns a Measurement.

Most ask once. One that asks again, having seen results (greedy search), is called adaptive. It may ask for the first
prompts alone (``OnFew``).
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
        """The circuit's prompts, asked for the answer after the position that the term names, or the method."""
        data = data_of(replace(self.circuit, method=self.method))
        return replace(data, at=self.term.at) if self.term.at else data

    @property
    def metric(self) -> Figure:
        """What the method's metric reads."""
        return figure_of(self.method.measured)

    @property
    def limits(self) -> Limits | None:
        """The least and the greatest value of the method's metric on a prompt; None where there are none."""
        return self.metric.limits

    def argument(self, name: str) -> Argument | None:
        """The argument given for a parameter, or None where it was left out."""
        return dict(self.term.arguments).get(name)

    def source(self) -> Source:
        """Where the method's ablation takes its values from. Raises CannotMeasure, as :func:`ablation_source` does."""
        return ablation_source(self.method, self.method.ablate)

    def ask(self, world: World, reading: Reading | None = None) -> Experiment:
        """An experiment on the circuit's own prompts, of the method's metric unless another reading is given."""
        return Experiment(self.data, world, reading or self.metric.reading)

    def compares_with(self, control: str) -> bool:
        """Whether the claim compares with the control of this name."""
        return self.control is not None and self.control.name == control

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
    """Why an experiment or a measurement could not be had, for a person; and what kind of reason it is, where somebody
    goes on by it: a patch changed nothing, or the work was ended before this was run."""

    message: str
    kind: Literal["", "unchanged", "ended"] = field(default="", repr=False)


Results = Mapping[Experiment, "Array | Failure"]
"""What was read of experiments, one array [prompts] each, or why it could not be."""


@dataclass(frozen=True)
class Leader:
    """For a measurement that is the largest of several figures: how one of them is measured alone.

    ``asking`` asks of the one that is largest in a measurement of all on fewer prompts; what comes of it is ``Led``.
    ``one`` are the experiments of one of them, whichever: what is planned of the leader; none of a single figure.
    """

    asking: Callable[[Request, Measurement], Asking]
    one: Callable[[Request], tuple[Experiment, ...]]


@dataclass(frozen=True)
class Stopping:
    """For a measurement that is the largest of several figures: how some of them are measured without the others.

    So a claim that bounds it from above is measured, whose figures stop one by one where few prompts tell that they are
    within. ``first`` asks of all that can be asked of before results are seen. ``asking`` asks of the one that is
    largest in what came of that, and of those that stand at some places there; what comes of it is ``Led``. ``one``
    are the experiments of one of them, whichever; none of a single figure.
    """

    first: Callable[[Request], Asking]
    asking: Callable[[Request, Measurement, Collection[int]], Asking]
    one: Callable[[Request], tuple[Experiment, ...]]


@dataclass(frozen=True)
class Measure:
    """An entry of the registry: what the measurement is, and how it is estimated.

    ``adaptive`` are the options with which it asks again, having seen results. ``leader`` or ``stopping``: it is the
    largest of several figures, each of which can be measured alone.
    """

    info: MeasureInfo
    estimator: Estimator
    adaptive: frozenset[str] = frozenset()
    leader: Leader | None = None
    stopping: Stopping | None = None


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


def data_of(circuit: Circuit) -> Data:
    """The prompts of a circuit's task by its method. A task that cannot list its prompts (another than the circuit's
    own, which a control task names) is drawn."""
    method = circuit.method
    listed = method.prompts_all and circuit.task_info.listed > 0
    return Data(circuit.task, method.seed, method.bos, listed, method.at)


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
    import numpy as np  # as in ``estimands``

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


def joined(measurements: Sequence[Measurement]) -> tuple[tuple[Sample, ...], tuple[Estimand, ...]]:
    """The columns of several measurements on the same prompts as one sample, and their estimands of these columns."""
    import numpy as np

    samples = [sample for measurement in measurements for sample in measurement.samples]
    assert len(samples) == len(measurements), "what is joined has one sample each"
    assert len({each.data for each in samples}) == 1, "what is joined is measured on the same prompts"
    widths = [each.columns.shape[1] for each in samples]
    offsets = np.cumsum([0, *widths[:-1]]).tolist()
    estimands = (each.estimand.moved(*place) for each, *place in zip(measurements, offsets, widths, strict=True))
    return (Sample(samples[0].data, np.concatenate([each.columns for each in samples], axis=1)),), tuple(estimands)

"""The contract of engines: what each runs, what it states of its cost, and the engines of this installation by name.

An engine is an entry point of the group ``circuitdsl.engines``: an :class:`EngineInfo`. Nothing here needs torch, for
plans read the costs and open no model.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

from circuitdsl.components import Geometry
from circuitdsl.engine.references import NO_REFERENCES, References
from circuitdsl.measures.experiments import Data, Experiment, Mean, World
from circuitdsl.measures.measurement import Array, Failure
from circuitdsl.plugins import installed
from circuitdsl.tasks import Layout, Prompt

if TYPE_CHECKING:
    from circuitdsl.models import KnownModel, Model

Tick = Callable[[int], None]
"""Called with a number of prompts that went through a whole forward pass."""


Keep = Callable[[Mapping[Experiment, Array]], None]
"""Told of readings as soon as they are finished, so that whoever ends a run loses little."""


def keep_nothing(readings: Mapping[Experiment, Array]) -> None:
    """For whoever takes all readings at the end."""


class Engine(Protocol):
    """Anything that runs experiments on one model.

    ``name`` is what reports call it. ``settings`` names what its readings depend on besides the model and the
    experiment (its name, its precision); ``dtype`` and ``device`` are the precision and the device as a report names
    them: "float32", "cpu", "cuda:0". ``note`` says why this engine runs where another was asked for; "" where it was
    asked for. ``model`` is open, or will be when something is run.
    """

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> Model | KnownModel: ...

    @property
    def note(self) -> str: ...

    @property
    def settings(self) -> tuple[str, ...]: ...

    @property
    def dtype(self) -> str: ...

    @property
    def device(self) -> str: ...

    def run(
        self,
        data: Data,
        stream: Sequence[Prompt],
        start: int,
        stop: int,
        experiments: Iterable[Experiment],
        references: References = NO_REFERENCES,
        keep: Keep = keep_nothing,
    ) -> dict[Experiment, Array | Failure]:
        """The readings of prompts ``start`` to ``stop`` of a stream, one array [stop - start] an experiment.

        ``references`` has what every mean and every resampled output is taken from. An experiment that cannot be run
        gives a Failure. ``keep`` may be told of readings before the last of them is known: only of such that the rest
        would come out the same, to the last bit, if it were run without them.
        """
        ...

    def in_dtype(self, dtype: str) -> Engine | None:
        """The same engine over a copy of the model in a lower precision; None if it can have none."""
        ...


# --- what it costs -----------------------------------------------------------------------------------


SKETCH = ("sketch", "sketch, back")
"""The passes that all sketches of a metric share: one forward, and one back, which is as much work."""


class SharedRun(NamedTuple):
    """A run that several worlds share, by what tells it apart.

    ``once``: it is made once for a model and some data; else anew for whatever the engine is given at once.
    ``over``: the source over whose reference it is made; None for one over all prompts that are run.
    """

    key: Hashable
    once: bool
    over: Mean | None = None


class Cost(Protocol):
    """What worlds will cost an engine, in forward passes over all prompts; estimated without a model or a tokenizer."""

    def shared(self, worlds: Iterable[World]) -> frozenset[SharedRun]:
        """The whole runs that worlds which are given at once share."""
        ...

    def own(self, worlds: Iterable[World], layouts: Sequence[Layout], geometry: Geometry) -> Mapping[World, float]:
        """What each of these worlds costs beyond the shared runs, over prompts laid out as these, in a model of this
        shape."""
        ...


# --- what memory it takes ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What an engine is given at once: experiments over the same data, on at most so many prompts, laid out as these.

    ``model`` tells models apart; ``templates``: how many the task has.
    """

    model: Hashable
    geometry: Geometry
    layouts: Sequence[Layout]
    templates: int
    prompts: int
    experiments: Sequence[Experiment]


@dataclass(frozen=True)
class Memory:
    """The most memory that is taken, in bytes.

    ``process``: libraries, and what the C library keeps of what was freed; ``weights``; ``runs`` that worlds share;
    ``means``; ``stacks`` of runs side by side; runs that are ``kept`` for the next call.
    """

    process: int
    weights: int
    runs: int
    means: int
    stacks: int
    kept: int

    @property
    def total(self) -> int:
        return sum(astuple(self))

    def to_dict(self) -> dict[str, int]:
        return asdict(self) | {"total": self.total}


class Peak(Protocol):
    """The most memory that an engine takes for all of this. A stack may take ``memory`` bytes, 0 for as much as the
    engine chooses, and so many ``threads`` run stacks at once."""

    def __call__(self, asked: Sequence[Asked], memory: int, threads: int) -> Memory: ...


# --- the engines by name -----------------------------------------------------------------------------


class Opened(Protocol):
    """How an engine is made: of a model; it reports work to ``tick``, and what it runs at once may take ``memory``
    bytes (0: as much as it chooses)."""

    def __call__(self, model: Model, tick: Tick, memory: int) -> Engine: ...


def declines_nothing(world: World) -> str:
    """Every world is run by the engine itself."""
    return ""


@dataclass(frozen=True)
class EngineInfo:
    """An engine as the registry has it. ``open`` may hand a model that it does not cover to the plain engine. ``peak``
    is None for an engine that does not say what memory it takes. ``declines`` says for what it leaves a world to the
    plain engine, as a report has it; "" for one that it runs itself."""

    name: str
    about: str
    cost: Cost
    open: Opened
    peak: Peak | None = None
    declines: Callable[[World], str] = declines_nothing


@cache
def engines() -> Mapping[str, EngineInfo]:
    """Every engine by name."""
    found = (entry.load() for entry in installed("engines").values())
    return {engine.name: engine for engine in found}

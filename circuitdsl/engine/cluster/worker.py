"""What runs on a node: one model, opened once, and steps of the calls on it. All that passes is plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitdsl.engine.base import Engine, engines
from circuitdsl.engine.cluster.places import hardware, settle
from circuitdsl.engine.manifest import Facts
from circuitdsl.engine.mean_store import MeanStore
from circuitdsl.engine.references import Reference, References
from circuitdsl.engine.steps import Divisible, Part, Steps, steps_of
from circuitdsl.errors import InputError, run_errors
from circuitdsl.language.circuit import Processing
from circuitdsl.measures.experiments import Data, Drawn, Experiment
from circuitdsl.measures.measurement import Array, Failure
from circuitdsl.models import Dtype, Opening, TokenizerText, open_model, text_of
from circuitdsl.tasks import Prompt
from circuitdsl.version import versions

if TYPE_CHECKING:
    from ray import ObjectRef


@dataclass(frozen=True)
class Wanted:
    """Which model is to be opened, and how; ``memory`` is its engine's. Names of folders count from ``folder``."""

    name: str
    processing: Processing
    device: str | None
    revision: str | None
    dtype: Dtype | None
    engine: str
    memory: int
    folder: str


@dataclass(frozen=True)
class Known:
    """What a model turned out to be on a node. ``tokenizer`` is None for one that is no text; ``hardware`` says on
    what its sums are made."""

    facts: Facts
    tokenizer: TokenizerText | None
    memory: int
    versions: Mapping[str, str]
    hardware: str


@dataclass(frozen=True)
class Refused:
    """An InputError that is to be raised where the call came from."""

    message: str
    remedy: str
    exit_code: int

    @classmethod
    def of(cls, error: InputError) -> Refused:
        return cls(error.message, error.remedy, error.exit_code)

    def raised_on(self, node: str) -> InputError:
        error = InputError(f"{self.message} (on the node {node})", self.remedy)
        error.exit_code = self.exit_code
        return error


@dataclass(frozen=True)
class Call:
    """All that an engine is given at once. ``dtype`` is the precision, "" for the model's; ``means`` are kept in this
    folder, None for nowhere, for the model of this hash."""

    number: int
    data: Data
    prompts: Sequence[Prompt]
    experiments: Sequence[Experiment]
    references: Mapping[Drawn, Reference]
    means: tuple[Path | None, str]
    memory: int
    dtype: str


@dataclass(frozen=True)
class Found:
    """What some steps answered, by the place of the experiment in the call; how many steps the call has, and how many
    prompts went through the model."""

    answers: Sequence[tuple[int, Array | Failure]]
    total: int
    prompts: int


@dataclass(frozen=True)
class _Begun:
    """A call that is begun: its steps, and the places of its experiments."""

    number: int
    steps: Steps
    places: Mapping[Experiment, int]


@dataclass(repr=False)  # Ray writes it out where a task raised, with all weights
class Worker:
    """One model on one node, on so many threads, and on the GPU that its process sees if it is to. Whatever is wrong
    with the input is answered, and not raised."""

    wanted: Wanted
    threads: int
    _engine: Engine | None = field(default=None, init=False)
    _coarse: dict[str, Engine] = field(default_factory=dict, init=False)
    _means: dict[tuple[Path | None, str], MeanStore] = field(default_factory=dict, init=False)
    _begun_call: _Begun | None = field(default=None, init=False)
    _prompts: int = field(default=0, init=False)

    def open(self) -> Known | Refused:
        """Open the model and make the engine."""
        settle(self.threads, self.wanted.folder)
        import torch

        wanted = self.wanted
        try:
            with run_errors():
                opening = Opening(wanted.device, wanted.revision, wanted.dtype)
                model = open_model(wanted.name, wanted.processing, opening)
                self._engine = engines()[wanted.engine].open(model, self._tick, wanted.memory)
        except InputError as error:
            return Refused.of(error)
        memory = self._engine.memory if isinstance(self._engine, Divisible) else 0
        facts = Facts.of(self._engine)
        return Known(facts, text_of(model.tokenizer), memory, versions(), hardware(torch.device(facts.device)))

    def facts_in(self, dtype: str) -> Facts | None:
        """What the engine in another precision is; None if there is none."""
        engine = self._in(dtype)
        return None if engine is None else Facts.of(engine)

    def run(self, given: Sequence[ObjectRef[Call]], number: int, part: Part) -> Found | Refused:
        """Some steps of a call, which is fetched where it is not the last one. None of them says how many there are."""
        before = self._prompts
        try:
            with run_errors():
                begun = self._begun(given, number)
                answers = begun.steps.run(part)
        except InputError as error:
            return Refused.of(error)
        found = [(begun.places[experiment], answer) for experiment, answer in answers.items()]
        return Found(found, begun.steps.total, self._prompts - before)

    def _begun(self, given: Sequence[ObjectRef[Call]], number: int) -> _Begun:
        """A call that is begun: the last one, or another in its place."""
        if self._begun_call is None or self._begun_call.number != number:
            self._begun_call = None  # whose steps hold the runs that they share
            import ray

            call: Any = ray.get(given[0])
            engine = self._in(call.dtype)
            assert engine is not None
            means = self._means.setdefault(call.means, MeanStore(*call.means))
            references = References(call.references, means)
            steps = steps_of(engine, call.data, call.prompts, call.experiments, references, call.memory)
            places = {experiment: place for place, experiment in enumerate(call.experiments)}
            self._begun_call = _Begun(number, steps, places)
        return self._begun_call

    def _in(self, dtype: str) -> Engine | None:
        """The engine in a precision."""
        if not dtype or self._engine is None:
            return self._engine
        if dtype not in self._coarse and (engine := self._engine.in_dtype(dtype)) is not None:
            self._coarse[dtype] = engine
        return self._coarse.get(dtype)

    def _tick(self, prompts: int) -> None:
        self._prompts += prompts

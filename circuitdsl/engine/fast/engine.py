"""The fast engine: worlds of a batch share caches, run only what they change, and run side by side.

It answers as the plain engine does, to rounding; what it does not cover it hands to the plain engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import InitVar, dataclass, field, replace
from threading import Lock

import torch

from circuitdsl.allocator import Heap
from circuitdsl.engine import hook_names
from circuitdsl.engine.base import Engine, Keep, keep_nothing
from circuitdsl.engine.batch import Batch, batch_of
from circuitdsl.engine.fast import coverage
from circuitdsl.engine.fast.answers import Answers
from circuitdsl.engine.fast.architecture import Network, in_dtype
from circuitdsl.engine.fast.cached import Required, joined
from circuitdsl.engine.fast.caches import Caches, reusing, sources_of
from circuitdsl.engine.fast.dictionaries import Dictionaries
from circuitdsl.engine.fast.memory import default_memory, default_run_cache
from circuitdsl.engine.fast.region import placed
from circuitdsl.engine.fast.required import required_of_clean, required_of_sources
from circuitdsl.engine.fast.run_cache import CLEAN_RUN, RunCache
from circuitdsl.engine.fast.stack_steps import StackSteps
from circuitdsl.engine.fast.threads import one_thread_a_stack
from circuitdsl.engine.fast.weights import NotCovered, network_of
from circuitdsl.engine.fast.work import Work
from circuitdsl.engine.fast.worlds import Places
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.readings import needed
from circuitdsl.engine.references import NO_REFERENCES, References
from circuitdsl.engine.slices import TOKENS_A_PASS, in_batches
from circuitdsl.engine.sources import Sources
from circuitdsl.engine.steps import Apart, Steps
from circuitdsl.measures.experiments import (
    Corrupted,
    Data,
    Experiment,
    FromCounterfactual,
    Reading,
    Source,
    World,
)
from circuitdsl.measures.measurement import Array, CannotMeasure, Failure
from circuitdsl.models import Model
from circuitdsl.tasks.prompts import Prompt

_ROUNDING = 1e-6  # of prompts: the layers of a stack are told one by one


@dataclass
class FastEngine:
    """Runs experiments on one model, as :class:`PlainEngine` does.

    On a CPU it runs as many stacks at once as torch has threads, each on one of them. ``tick`` is told of the work done
    in prompts through a whole forward pass: a run of some tokens through some layers counts as that part of one, and
    whole numbers are passed on as they are reached. ``memory``: bytes that a stack of runs may take, and as many the
    shared runs that are cached for the next call; both are halved when memory runs out. ``over``: a network to run in
    place of the model's own, as its copy in another precision. Raises NotCovered for a model whose architecture it does
    not compute.
    """

    model: Model
    tick: Callable[[int], None] = lambda prompts: None
    memory: int = 0  # 0: a share of what is free
    tokens: int = TOKENS_A_PASS
    over: InitVar[Network | None] = None
    network: Network = field(init=False)
    run_cache: RunCache = field(init=False)
    note: str = field(default="", init=False)

    name = "fast"

    def __post_init__(self, over: Network | None) -> None:
        self.network = over or network_of(self.model)
        device = self.network.embedding.device
        self._dictionaries = Dictionaries(device)
        self.run_cache = RunCache(self.memory or default_run_cache(device))
        self.memory = self.memory or default_memory(device)
        self._plain = PlainEngine(self.model, lambda prompts: self.tick(prompts), self.tokens)
        self._heap = Heap()
        self._owed = 0.0
        self._counting = Lock()

    @property
    def settings(self) -> tuple[str, ...]:
        """What its readings depend on besides the model and the experiment."""
        embedding = self.network.embedding
        return (self.name, str(embedding.dtype), embedding.device.type)

    @property
    def dtype(self) -> str:
        """The precision in which it runs: the network's."""
        return str(self.network.embedding.dtype).removeprefix("torch.")

    @property
    def device(self) -> str:
        """Where it runs: the network's device."""
        return str(self.network.embedding.device)

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
        """As PlainEngine.run: one array [stop - start] an experiment, or why it cannot be run.

        Raises ModelError for a dictionary that cannot be opened any more.
        """
        ours, theirs = self._shared_out(stream[start:stop], experiments, references)
        results: dict[Experiment, Array | Failure] = {}
        if ours:
            self._open_dictionaries(ours)
            with torch.inference_mode(), one_thread_a_stack(self.network.embedding.device) as threads:
                results = self._run(stream[start:stop], ours, references, keep, threads)
        return results | (self._plain.run(data, stream, start, stop, theirs, references, keep) if theirs else {})

    def in_steps(
        self,
        data: Data,
        prompts: Sequence[Prompt],
        experiments: Sequence[Experiment],
        references: References,
        memory: int,
    ) -> Steps:
        """As Divisible: the stacks of one batch, and what the plain engine runs, world by world. More batches are one
        step."""
        if len(in_batches(prompts, self.tokens)) > 1:
            engine = self if memory in (0, self.memory) else replace(self, memory=memory, over=self.network)
            return Apart(lambda some: engine.run(data, prompts, 0, len(prompts), some, references), [experiments])
        ours, theirs = self._shared_out(prompts, experiments, references)
        plain = self._plain.in_steps(data, prompts, theirs, references, memory)

        def begin(keep: Keep, threads: int) -> tuple[Answers, Work]:
            self._open_dictionaries(ours)
            answers = Answers(ours, 1, keep)
            work = self._work(prompts, answers, self._sources(ours, references, threads), memory, threads)
            work.begin(answers.open())
            self.run_cache.put(work.batch.prompts, work.caches.runs)
            return answers, work

        return StackSteps(begin, self.network.embedding.device, plain) if ours else plain

    def _shared_out(
        self, prompts: Sequence[Prompt], experiments: Iterable[Experiment], references: References
    ) -> tuple[list[Experiment], list[Experiment]]:
        """The experiments that this engine runs, and those that the plain one does."""
        ours: list[Experiment] = []
        theirs: list[Experiment] = []
        longest = max([references.longest, *(len(prompt.tokens) for prompt in prompts)])
        fits = longest <= self.network.longest
        for experiment in experiments:
            (ours if fits and self.covers(experiment) else theirs).append(experiment)
        return ours, theirs

    def covers(self, experiment: Experiment) -> bool:
        """Whether this engine runs an experiment itself, and not the plain one."""
        return coverage.covers(experiment, self.network)

    def _open_dictionaries(self, experiments: Iterable[Experiment]) -> None:
        """Give the network the dictionaries that experiments name, before any of them is run. Raises ModelError."""
        named = hook_names.dictionaries({each.world for each in experiments})
        self.network = replace(self.network, dictionaries=self._dictionaries.by_point(named))

    def _run(
        self,
        prompts: Sequence[Prompt],
        experiments: Sequence[Experiment],
        references: References,
        keep: Keep,
        threads: int,
    ) -> dict[Experiment, Array | Failure]:
        groups = in_batches(prompts, self.tokens)
        answers = Answers(experiments, len(groups), keep)
        sources = self._sources(experiments, references, threads)
        for group in groups:
            work = self._work(group, answers, sources, self.memory, threads)
            work.run(answers.open())
            if work.memory < self.memory:
                self.memory = work.memory
                self.run_cache = RunCache(self.run_cache.capacity // 2)
            self.run_cache.put(work.batch.prompts, work.caches.runs)
        return answers.results()

    def _sources(self, experiments: Iterable[Experiment], references: References, threads: int) -> Sources:
        """What experiments put in from elsewhere."""
        further = hook_names.further({each.world for each in experiments}, self.model.geometry)
        return sources_of(self.network, self.model.geometry, self.tokens, references, further, self._did, threads)

    def _work(self, prompts: Sequence[Prompt], answers: Answers, sources: Sources, memory: int, threads: int) -> Work:
        """What is to be done with the prompts of one batch."""
        batch = self._planned(prompts)
        caches = self._caches(batch, answers.open(), sources, threads)
        return Work(self.network, self.model, batch, caches, answers, memory, threads, self._did, self._heap)

    def _planned(self, prompts: Sequence[Prompt]) -> Batch:
        """A batch whose tokens are where the network is. Where its positions stand is looked up on the CPU, so that
        planning a run does not wait for a GPU to finish the last one."""
        batch = batch_of(prompts, torch.device("cpu"))
        return replace(batch, tokens=placed(batch.tokens, self.network.embedding.device))

    def _caches(self, batch: Batch, asked: dict[World, list[Reading]], sources: Sources, threads: int) -> Caches:
        """Caches of what these worlds require of the runs that they share, beside what earlier ones required."""
        geometry = self.model.geometry
        places = Places(batch, geometry)
        clean: Required = {}
        counterfactuals: dict[str, Required] = {}
        for world, readings in asked.items():
            inside: Required = dict.fromkeys(needed(readings))
            if isinstance(world, Corrupted):
                of_sources: dict[Source, Required] = {FromCounterfactual(world.counterfactual): inside}
            else:  # where an edit has not reached, all is as in the clean run
                clean, of_sources = joined(clean, inside), {}
            # That a prompt lacks something is found again, and reported, when the world is run.
            with suppress(CannotMeasure):
                clean = joined(clean, required_of_clean(world, places))
                of_sources |= required_of_sources(world, places)
            for source, required in of_sources.items():
                if isinstance(source, FromCounterfactual):  # the runs of other sources are not cached between calls
                    name = source.counterfactual
                    counterfactuals[name] = joined(counterfactuals.get(name, {}), required)
        widened, runs = reusing(self.run_cache.find(batch.prompts), {CLEAN_RUN: clean} | counterfactuals)
        return Caches(self.network, geometry, batch, sources, widened, runs, self._did, threads)

    def in_dtype(self, dtype: str) -> FastEngine:
        """The same engine over a copy of its network in a lower precision. The model is not touched."""
        over = in_dtype(self.network, getattr(torch, dtype))
        return FastEngine(self.model, self.tick, self.memory, self.tokens, over=over)

    def _did(self, work: float) -> None:
        with self._counting:  # threads tell of their own means and stacks
            self._owed += work
            whole = int(self._owed + _ROUNDING)
            if whole >= 1:
                self.tick(whole)
                self._owed -= whole


def engine_for(model: Model, tick: Callable[[int], None] = lambda prompts: None, memory: int = 0) -> Engine:
    """The fast engine where it covers the model, else the plain one, whose ``note`` says why."""
    try:
        return FastEngine(model, tick, memory)
    except NotCovered as reason:
        return PlainEngine(model, tick, note=f"the plain engine runs {model.name}: {reason}")

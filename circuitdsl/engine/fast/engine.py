"""The fast engine: worlds of a batch share caches, run only what they change, and run side by side.

It answers as the plain engine does, to rounding; what it does not cover it hands to the plain engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import InitVar, dataclass, field

import torch

from circuitdsl.engine.batch import Batch, batch_of, in_batches
from circuitdsl.engine.fast import wants
from circuitdsl.engine.fast.answers import Answers
from circuitdsl.engine.fast.architecture import Network, in_dtype
from circuitdsl.engine.fast.caches import Caches, reusing, sources_of
from circuitdsl.engine.fast.held import Wanted, joined
from circuitdsl.engine.fast.memory import default_memory, default_shelf
from circuitdsl.engine.fast.readers import reads_inside
from circuitdsl.engine.fast.shelf import CLEAN, Shelf
from circuitdsl.engine.fast.weights import NotCovered, network_of
from circuitdsl.engine.fast.work import Work
from circuitdsl.engine.fast.worlds import Places, components, exists
from circuitdsl.engine.hooks import Activations
from circuitdsl.engine.plain import TOKENS_A_PASS, PlainEngine
from circuitdsl.engine.readings import needed
from circuitdsl.engine.session import Engine
from circuitdsl.engine.sources import Sources
from circuitdsl.measures.experiments import (
    Corrupted,
    Data,
    Experiment,
    FromCounterfactual,
    Isolated,
    Mean,
    Patched,
    Reading,
    Source,
    World,
)
from circuitdsl.measures.measurement import Array, CannotMeasure
from circuitdsl.models import Model
from circuitdsl.plan.drive import Failure
from circuitdsl.tasks.prompts import Prompt


@dataclass
class FastEngine:
    """Runs experiments on one model, as :class:`PlainEngine` does.

    ``tick`` is told of the work done in prompts through a whole forward pass: a run of some tokens through some layers
    counts as that part of one, and whole numbers are passed on as they are reached. ``memory``: bytes that stacked runs
    may take, and as many again the shared runs that are kept for the next call; both are halved when memory runs out.
    ``over``: a network to run in place of the model's own, as its copy in another precision. Raises NotCovered for a
    model whose architecture it does not compute.
    """

    model: Model
    tick: Callable[[int], None] = lambda prompts: None
    memory: int = 0  # 0: a share of what is free
    tokens: int = TOKENS_A_PASS
    means: dict[Data, dict[Mean, dict[str, Activations]]] = field(default_factory=dict)
    over: InitVar[Network | None] = None
    network: Network = field(init=False)
    shelf: Shelf = field(init=False)
    note: str = field(default="", init=False)

    name = "fast"

    def __post_init__(self, over: Network | None) -> None:
        self.network = over or network_of(self.model)
        device = self.network.embedding.device
        self.shelf = Shelf(self.memory or default_shelf(device))
        self.memory = self.memory or default_memory(device)
        self._plain = PlainEngine(self.model, lambda prompts: self.tick(prompts), self.tokens, self.means)
        self._owed = 0.0

    @property
    def settings(self) -> tuple[str, ...]:
        """What its figures depend on besides the model and the experiment."""
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
        self, data: Data, stream: Sequence[Prompt], start: int, stop: int, experiments: Iterable[Experiment]
    ) -> dict[Experiment, Array | Failure]:
        """As PlainEngine.run: one array [stop - start] an experiment, or why it cannot be run."""
        ours: list[Experiment] = []
        theirs: list[Experiment] = []
        fits = all(len(prompt.tokens) <= self.network.longest for prompt in stream)
        for experiment in experiments:
            (ours if fits and self.covers(experiment) else theirs).append(experiment)
        with torch.inference_mode():
            results = self._run(data, stream, stream[start:stop], ours) if ours else {}
        return results | (self._plain.run(data, stream, start, stop, theirs) if theirs else {})

    def covers(self, experiment: Experiment) -> bool:
        """Whether this engine runs an experiment itself: attention is not read in isolated circuits or on paths."""
        inside = reads_inside(experiment.reading)
        return (not inside or not isinstance(experiment.world, Isolated | Patched)) and all(
            exists(component, self.network) for component in components(experiment.world)
        )

    def _run(
        self, data: Data, stream: Sequence[Prompt], prompts: Sequence[Prompt], experiments: Sequence[Experiment]
    ) -> dict[Experiment, Array | Failure]:
        answers = Answers(experiments)
        means = self.means.setdefault(data, {})
        sources = sources_of(self.network, self.model.geometry, stream, self.tokens, means, self._did)
        for group in in_batches(prompts, self.tokens):
            batch = batch_of(group, self.network.embedding.device)
            asked = answers.open()
            caches = self._caches(batch, asked, sources)
            work = Work(self.network, self.model, batch, caches, answers, self.memory, self._did)
            work.run(asked)
            if work.memory < self.memory:
                self.memory = work.memory
                self.shelf = Shelf(self.shelf.capacity // 2)
            self.shelf.put(batch.prompts, caches.runs)
        return answers.results()

    def _caches(self, batch: Batch, asked: dict[World, list[Reading]], sources: Sources) -> Caches:
        """Caches that keep what these worlds will read, where they will read it, beside what earlier ones read."""
        geometry = self.model.geometry
        places = Places(batch, geometry)
        clean: Wanted = {}
        found: dict[str, Wanted] = {}
        for world, readings in asked.items():
            inside: Wanted = dict.fromkeys(needed(readings))
            if isinstance(world, Corrupted):
                wanted: dict[Source, Wanted] = {FromCounterfactual(world.counterfactual): inside}
            else:  # where an edit has not reached, all is as in the clean run
                clean, wanted = joined(clean, inside), {}
            # What a prompt lacks is the world's failure, once it is begun.
            with suppress(CannotMeasure):
                clean, wanted = joined(clean, wants.of_clean(world, places)), wanted | wants.of_sources(world, places)
            for source, points in wanted.items():
                if isinstance(source, FromCounterfactual):
                    found[source.counterfactual] = joined(found.get(source.counterfactual, {}), points)
        widened, runs = reusing(self.shelf.find(batch.prompts), {CLEAN: clean} | found)
        return Caches(self.network, geometry, batch, sources, widened, runs, self._did)

    def _did(self, work: float) -> None:
        self._owed += work
        if self._owed >= 1:
            self.tick(int(self._owed))
            self._owed -= int(self._owed)


def coarser(engine: FastEngine, dtype: torch.dtype) -> FastEngine:
    """The same engine over a copy of its network in a lower precision. The model is not touched."""
    return FastEngine(engine.model, engine.tick, engine.memory, engine.tokens, over=in_dtype(engine.network, dtype))


def engine_for(model: Model, tick: Callable[[int], None] = lambda prompts: None, memory: int = 0) -> Engine:
    """The fast engine where it covers the model, else the plain one, whose ``note`` says why."""
    try:
        return FastEngine(model, tick, memory)
    except NotCovered as reason:
        return PlainEngine(model, tick, note=f"the plain engine runs {model.name}: {reason}")

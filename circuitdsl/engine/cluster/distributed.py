"""An engine whose calls are run in steps on the nodes of a cluster."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count, product
from pathlib import Path

from circuitdsl.engine.base import Keep, Tick, keep_nothing
from circuitdsl.engine.cluster.course import AHEAD, Course
from circuitdsl.engine.cluster.executor import Executor
from circuitdsl.engine.cluster.places import some_taken
from circuitdsl.engine.cluster.worker import Call, Known, Wanted
from circuitdsl.engine.cluster.workers import Placed, Workers
from circuitdsl.engine.manifest import Facts
from circuitdsl.engine.references import NO_REFERENCES, References
from circuitdsl.language.circuit import Processing
from circuitdsl.measures.experiments import Data, Experiment
from circuitdsl.measures.measurement import Array, Failure
from circuitdsl.models import KeptTokenizer, KnownModel, Opening, tokenizer_of
from circuitdsl.tasks import Prompt


@dataclass
class Lost:
    """What was done over since nodes were lost: over all calls of a model."""

    steps: int = 0
    answers: int = 0


@dataclass
class Distributed:
    """Runs every call in steps on all workers of a model. Its readings are those of one engine, to the last bit.

    ``facts`` are what the model and its engine are on the nodes; ``dtype_of`` the precision it was asked for in, "" for
    the model's own.
    """

    workers: Workers
    facts: Facts
    model: KnownModel
    tick: Tick
    dtype_of: str = ""
    lost: Lost = field(default_factory=Lost)
    numbers: count[int] = field(default_factory=count)

    @property
    def name(self) -> str:
        return self.facts.engine

    @property
    def settings(self) -> tuple[str, ...]:
        return self.facts.settings

    @property
    def dtype(self) -> str:
        return self.facts.dtype

    @property
    def device(self) -> str:
        return self.facts.device

    @property
    def note(self) -> str:
        """Why another engine runs than the one that was asked for, what was run again since nodes were lost, and which
        nodes did nothing."""
        lost, refused = self.workers.lost, self.workers.refused.values()
        again = f"{self.lost.steps} steps with {self.lost.answers} readings were run again"
        workers = f"{len(lost)} workers were lost ({', '.join(dict.fromkeys(lost))})" if lost else ""
        idle = (f"the node {host} ran nothing: {error.message}" for host, error in refused)
        taken = some_taken(self.workers.taken)
        return "; ".join(filter(None, (self.facts.note, workers and f"{workers}: {again}", *idle, taken)))

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
        """As an engine on one machine. Raises RunError where no worker is left; however it ends but well, workers are
        ended too."""
        asked = tuple(experiments)
        means = references.means.folder, references.means.model
        known = self.workers.first()
        number = next(self.numbers)
        prompts = tuple(stream[start:stop])
        call = Call(number, data, prompts, asked, references.of, means, known.memory, self.dtype_of)
        course = Course(len(asked))
        try:
            self._run(call, course, keep)
        except BaseException:
            self.workers.close()
            raise
        finally:
            self.lost.steps += course.again
            self.lost.answers += course.repeated
        return {experiment: course.answered[experiment] for experiment in asked}

    def _run(self, call: Call, course: Course, keep: Keep) -> None:
        shared = self.workers.put(call)
        planning: set[Placed] = set()
        while not course.done:
            for ahead, placed in product(range(AHEAD), tuple(self.workers.ready)):
                if len(placed.flying) > ahead:
                    continue
                part = course.due(placed.place.threads, placed in planning)
                if part is not None:
                    self.workers.hand(placed, shared, call.number, part)
                    planning.add(placed)
            for part, found in self.workers.next():
                if found is None:
                    course.lose(part)
                    continue
                self.tick(found.prompts)
                answers = {call.experiments[place]: answer for place, answer in found.answers}
                for told in course.take(part, answers, found.total):
                    keep({e: answer for e, answer in told.items() if not isinstance(answer, Failure)})
        self.workers.forget()

    def in_dtype(self, dtype: str) -> Distributed | None:
        """The same workers, with copies of the model in a lower precision; None if it can have none."""
        self.workers.first()
        facts = self.workers.facts_in(dtype)
        if facts is None:
            return None
        return Distributed(self.workers, facts, self.model, self.tick, dtype, self.lost, self.numbers)


def distributed(
    executor: Executor, name: str, processing: Processing, opening: Opening, engine: str, memory: int, tick: Tick
) -> Distributed:
    """An engine on all nodes of a cluster, with the model open on one of them at least.

    Raises InputError for a cluster that does not answer, and for a model that cannot be opened on the nodes.
    """
    ray = executor.connect()
    gc.collect()  # workers of models that nobody uses any more are references in circles, and have their nodes' memory
    device, revision = opening.device, opening.revision
    wanted = Wanted(name, processing, device, revision, opening.dtype, engine, memory, str(Path.cwd()))
    workers = Workers(ray, wanted)
    known = workers.first()
    return Distributed(workers, known.facts, _model(known, wanted), tick)


def _model(known: Known, wanted: Wanted) -> KnownModel:
    own = partial(tokenizer_of, wanted.name, wanted.revision)
    tokenizer = own() if known.tokenizer is None else KeptTokenizer(known.tokenizer, own)
    return known.facts.model(tokenizer, wanted.processing, wanted.revision)

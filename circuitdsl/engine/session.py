"""One call's work on one model: prompts are drawn once, and no experiment is run twice on a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import assert_never

import numpy as np

from circuitdsl.engine.base import Engine
from circuitdsl.engine.store import Store, key_of
from circuitdsl.errors import InputError
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Corrupted,
    Data,
    EdgesKept,
    Experiment,
    FromCounterfactual,
    Intervened,
    Isolated,
    Mean,
    Patched,
    Resample,
    Source,
    World,
    Zero,
)
from circuitdsl.measures.measurement import Array, Failure
from circuitdsl.models import Model
from circuitdsl.tasks import open_task
from circuitdsl.tasks.prompts import Prompt, PromptSet


@dataclass
class Session:
    """Feeds an engine with prompts and remembers what it answered, in memory and, with a ``store``, between calls.

    ``results`` holds, for each experiment, the readings of the first prompts of its data, as far as they were asked.
    ``ran`` counts the experiments that the engine ran, ``answered`` those that the store answered.
    """

    engine: Engine
    store: Store | None = None
    streams: dict[Data, PromptSet] = field(default_factory=dict)
    results: dict[Experiment, Array | Failure] = field(default_factory=dict)
    ran: int = 0
    answered: int = 0

    def prompts(self, data: Data, count: int) -> tuple[Prompt, ...]:
        """The first ``count`` prompts, or all if the task has no more.

        Raises TaskError, and InputError for a prompt that is longer than the model can read.
        """
        known = self.streams.get(data)
        if known is None or (len(known.prompts) < count and not known.exhausted):
            known = open_task(data.task).draw(self.engine.model.tokenizer, count, data.seed, data.bos)
            _check_lengths(known.prompts, self.engine.model)
            self.streams[data] = known
        return known.prompts[:count]

    def notes(self, data: Data) -> tuple[str, ...]:
        """What the task had to leave out with this tokenizer; known once prompts were drawn."""
        return self.streams[data].notes

    def run(self, experiments: Iterable[Experiment], count: int) -> dict[Experiment, Array | Failure]:
        """The readings of the first ``count`` prompts of each experiment's data; only what is missing is run."""
        experiments = tuple(dict.fromkeys(experiments))
        for (data, start), missing in self._missing(experiments, count).items():
            stop = len(self.prompts(data, count))
            for experiment, answer in self._answers(data, start, stop, missing).items():
                self.results[experiment] = _joined(self.results.get(experiment), answer)
        return {experiment: _upto(self.results[experiment], count) for experiment in experiments}

    def _missing(self, experiments: Iterable[Experiment], count: int) -> dict[tuple[Data, int], list[Experiment]]:
        """Experiments whose readings stop short of ``count``, by data and by the prompt at which they stop."""
        groups: dict[tuple[Data, int], list[Experiment]] = {}
        for experiment in experiments:
            known = self.results.get(experiment)
            if isinstance(known, Failure):
                continue
            have = 0 if known is None else len(known)
            if have < len(self.prompts(experiment.data, count)):
                groups.setdefault((experiment.data, have), []).append(experiment)
        return groups

    def _answers(
        self, data: Data, start: int, stop: int, experiments: Sequence[Experiment]
    ) -> dict[Experiment, Array | Failure]:
        """What the store has, and the engine's answers to the rest, which the store then keeps."""
        stream = self.prompts(data, max([stop, *(_reference(e.world) for e in experiments)]))
        if self.store is None:
            self.ran += len(experiments)
            return self.engine.run(data, stream, start, stop, experiments)
        keys = self._keys(stream, start, stop, experiments)
        found = self.store.get(keys.values())
        answers: dict[Experiment, Array | Failure] = {e: found[keys[e]] for e in experiments if keys[e] in found}
        self.answered += len(answers)
        rest = [e for e in experiments if e not in answers]
        if rest:
            self.ran += len(rest)
            run = self.engine.run(data, stream, start, stop, rest)
            self.store.put({keys[e]: answer for e, answer in run.items() if not isinstance(answer, Failure)})
            answers |= run
        return answers

    def _keys(
        self, stream: Sequence[Prompt], start: int, stop: int, experiments: Sequence[Experiment]
    ) -> dict[Experiment, str]:
        """A key for all that each experiment's readings depend on, the prompts of its means included."""
        prompts = key_of(stream[start:stop])
        reference = {n: key_of(stream[:n]) for n in {_reference(e.world) for e in experiments}}
        return {
            e: key_of(self._model_key, e.world, e.reading, prompts, reference[_reference(e.world)]) for e in experiments
        }

    @cached_property
    def _model_key(self) -> str:
        model = self.engine.model
        shape = replace(model.geometry, model="")
        config = tuple(str(getattr(model.bridge.cfg, name, None)) for name in _ARCHITECTURE)
        return key_of(model.fingerprint, shape, config, model.processing, self.engine.settings)


# What decides a forward pass besides the weights and their shapes.
_ARCHITECTURE = (
    "act_fn",
    "normalization_type",
    "positional_embedding_type",
    "eps",
    "attn_scale",
    "rotary_base",
    "rotary_dim",
    "attn_only",
)


def _check_lengths(prompts: Sequence[Prompt], model: Model) -> None:
    for prompt in prompts:
        if len(prompt.tokens) > model.geometry.n_ctx:
            raise InputError(
                f"a prompt has {len(prompt.tokens)} tokens and {model.name} reads at most {model.geometry.n_ctx}: "
                f"{prompt.text[:60]!r}...",
                "shorten the prompts, or choose a model with a longer context",
            )


def _reference(world: World) -> int:
    """How many prompts of the stream a world's means are taken over."""
    match world:
        case Ablated(source=source) | Isolated(source=source):
            return _reference_of(source)
        case Patched(under=under):
            return 0 if under is None else _reference(under)
        case Intervened(sources=sources):
            return max((_reference_of(source) for source in sources if source is not None), default=0)
        case Clean() | Corrupted() | EdgesKept():
            return 0
        case _:
            assert_never(world)


def _reference_of(source: Source) -> int:
    match source:
        case Mean(reference=reference) | Resample(reference=reference):
            return reference
        case Zero() | FromCounterfactual():
            return 0
        case _:
            assert_never(source)


def _joined(known: Array | Failure | None, more: Array | Failure) -> Array | Failure:
    if known is None or isinstance(more, Failure):
        return more
    return known if isinstance(known, Failure) else np.concatenate([known, more])


def _upto(result: Array | Failure, count: int) -> Array | Failure:
    return result if isinstance(result, Failure) else result[:count]

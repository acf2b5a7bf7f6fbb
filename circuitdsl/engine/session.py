"""One call's work on one model: prompts are drawn once, and no experiment is run twice on a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np

from circuitdsl.engine.base import Engine
from circuitdsl.engine.mean_store import MeanStore
from circuitdsl.engine.references import (
    Reference,
    References,
    drawn_sources,
    prompts_wanted,
    reference_over,
    reference_seed,
)
from circuitdsl.engine.shams import donors_of, with_shams
from circuitdsl.engine.store import Store, key_of
from circuitdsl.errors import InputError
from circuitdsl.measures.experiments import (
    Data,
    Drawn,
    Experiment,
    Source,
    takes_sham,
)
from circuitdsl.measures.measurement import Array, Failure
from circuitdsl.models import Model
from circuitdsl.tasks import draw, open_task
from circuitdsl.tasks.prompts import Prompt, PromptSet, numbered


@dataclass
class Session:
    """Feeds an engine with prompts and remembers what it answered, in memory and, with a ``store``, between calls.

    ``results`` holds, for each experiment, the readings of the first prompts of its data, as far as they were asked.
    ``drawn`` are the references of sources. ``ran`` counts the experiments that the engine ran, ``answered`` those that
    the store answered. Means are kept in the store's folder too.
    """

    engine: Engine
    store: Store | None = None
    streams: dict[Data, PromptSet] = field(default_factory=dict)
    results: dict[Experiment, Array | Failure] = field(default_factory=dict)
    drawn: dict[tuple[Data, Drawn], Reference] = field(default_factory=dict)
    ran: int = 0
    answered: int = 0

    def prompts(self, data: Data, count: int) -> tuple[Prompt, ...]:
        """The first ``count`` prompts, numbered, or all if the task has no more.

        Raises TaskError, and InputError for a prompt that is longer than the model can read or has other tokens.
        """
        known = self.streams.get(data)
        if known is None or (len(known.prompts) < count and not known.exhausted):
            known = draw(data.task, self.engine.model.tokenizer, count, data.seed, data.bos)
            _check_tokens(known.prompts, self.engine.model)
            known = replace(known, prompts=numbered(known.prompts))
            self.streams[data] = known
        return known.prompts[:count]

    def notes(self, data: Data) -> tuple[str, ...]:
        """What the task had to leave out with this tokenizer; known once prompts were drawn."""
        return self.streams[data].notes

    def shares(self, data: Data) -> Mapping[str, float]:
        """How much each template of some data counts, if not equally; known once prompts were drawn."""
        return self.streams[data].shares

    def reference(self, data: Data, source: Drawn) -> Reference:
        """What a source takes its values from for these prompts: prompts of the same task, drawn with another seed.

        Raises as ``prompts`` does.
        """
        if (data, source) not in self.drawn:
            stream = replace(data, seed=reference_seed(data.seed))
            # Templates take turns, so that as many prompts show all those that this tokenizer has.
            shown = self.prompts(stream, open_task(data.task).info.templates)
            wanted = prompts_wanted(source, len({prompt.template for prompt in shown}))
            self.drawn[data, source] = reference_over(self.prompts(stream, wanted), source)
        return self.drawn[data, source]

    def references(self, data: Data, experiments: Iterable[Experiment]) -> References:
        """What an engine needs of references to run some experiments."""
        sources = dict.fromkeys(source for e in experiments for source in drawn_sources(e.world))
        return References({source: self.reference(data, source) for source in sources}, self.means)

    def groups(self, data: Data, source: Source | None, count: int) -> tuple[str, ...]:
        """The group of the reference whose noise each of the first ``count`` prompts shares; "" where there is none
        to be counted."""
        prompts = self.prompts(data, count)
        if not isinstance(source, Drawn):
            return ("",) * len(prompts)
        reference = self.reference(data, source)
        return tuple(reference.cluster_of(prompt) for prompt in prompts)

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
        stream, references = self.prompts(data, stop), self.references(data, experiments)
        shammed = self._shammed(data, stream, experiments)
        if self.store is None:
            self.ran += len(experiments)
            return self.engine.run(data, shammed, start, stop, experiments, references)
        keys = self._keys(stream[start:stop], shammed[start:stop], experiments, references)
        found = self.store.get(keys.values())
        answers: dict[Experiment, Array | Failure] = {e: found[keys[e]] for e in experiments if keys[e] in found}
        self.answered += len(answers)
        rest = [e for e in experiments if e not in answers]
        if rest:
            self.ran += len(rest)
            run = self.engine.run(data, shammed, start, stop, rest, references)
            self.store.put({keys[e]: answer for e, answer in run.items() if not isinstance(answer, Failure)})
            answers |= run
        return answers

    def _shammed(self, data: Data, stream: Sequence[Prompt], experiments: Iterable[Experiment]) -> Sequence[Prompt]:
        """A stream from its beginning, with another prompt for each where an experiment takes outputs from there."""
        if not any(takes_sham(experiment.world) for experiment in experiments):
            return stream
        return with_shams(stream, partial(self.prompts, donors_of(data)))

    def _keys(
        self,
        prompts: Sequence[Prompt],
        shammed: Sequence[Prompt],
        experiments: Sequence[Experiment],
        references: References,
    ) -> dict[Experiment, str]:
        """A key for all that each experiment's readings depend on, the prompts of its references included."""
        of_prompts = {False: key_of(prompts), True: key_of(shammed)}

        def key(e: Experiment) -> str:
            drawn = [references.of[source].key for source in drawn_sources(e.world)]
            return key_of(self._model_key, e.world, e.reading, of_prompts[takes_sham(e.world)], drawn)

        return {e: key(e) for e in experiments}

    @cached_property
    def means(self) -> MeanStore:
        """The means that were made for this model, in the store's folder too if there is a store."""
        return MeanStore() if self.store is None else MeanStore(self.store.path.parent / "means", self._model_key)

    @cached_property
    def _model_key(self) -> str:
        return key_of(self.engine.model.identity, self.engine.settings)


def _check_tokens(prompts: Sequence[Prompt], model: Model) -> None:
    """Refuse prompts that are longer than the model reads, and tokens that it has no embedding for."""
    for prompt in prompts:
        if len(prompt.tokens) > model.geometry.n_ctx:
            raise InputError(
                f"a prompt has {len(prompt.tokens)} tokens and {model.name} reads at most {model.geometry.n_ctx}: "
                f"{prompt.text[:60]!r}...",
                "shorten the prompts, or choose a model with a longer context",
            )
        changed = (token for tokens in prompt.counterfactuals.values() for token in tokens)
        used = (*prompt.tokens, *changed, prompt.answer, *prompt.wrong, *prompt.right, *prompt.options)
        if (highest := max(used)) >= model.geometry.d_vocab:
            raise InputError(
                f"the tokenizer of {model.name} gives the token {highest} ({model.tokenizer.decode([highest])!r}), and "
                f"the model knows only tokens below {model.geometry.d_vocab}: {prompt.text[:60]!r}...",
                "the tokenizer is another model's, or has more tokens than the model: give the model's own",
            )


def _joined(known: Array | Failure | None, more: Array | Failure) -> Array | Failure:
    if known is None or isinstance(more, Failure):
        return more
    return known if isinstance(known, Failure) else np.concatenate([known, more])


def _upto(result: Array | Failure, count: int) -> Array | Failure:
    return result if isinstance(result, Failure) else result[:count]

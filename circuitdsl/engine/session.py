"""One call's work on one model: prompts are drawn once, and no experiment is run twice on a prompt."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import accumulate, pairwise

import numpy as np

from circuitdsl.components import END
from circuitdsl.engine.base import Engine
from circuitdsl.engine.guard import unchanged, unguarded
from circuitdsl.engine.mean_store import MeanStore
from circuitdsl.engine.references import (
    Reference,
    References,
    drawn_sources,
    prompts_wanted,
    reference_of_all,
    reference_over,
    reference_seed,
)
from circuitdsl.engine.shams import donors_of, with_shams
from circuitdsl.engine.slices import TOKENS_A_PASS, in_batches
from circuitdsl.engine.store import Found, Store, StoreError, key_of
from circuitdsl.errors import InputError
from circuitdsl.language.methods import MOST_LISTED
from circuitdsl.measures.experiments import (
    Data,
    Drawn,
    Experiment,
    Mean,
    Source,
    takes_sham,
)
from circuitdsl.measures.measurement import Array, Failure
from circuitdsl.models import KnownModel, Model
from circuitdsl.tasks import draw, draw_all, open_task
from circuitdsl.tasks.prompts import Prompt, PromptSet, numbered, read_at


@dataclass
class Session:
    """Feeds an engine with prompts and remembers what it answered, in memory and, with a ``store``, between calls.

    ``results`` holds, for each experiment, the readings of the first prompts of its data, as far as they were asked.
    ``drawn`` are the references of sources. ``ran`` counts the experiments that the engine ran, ``answered`` those that
    the store answered, ``damaged`` the rows that it had to measure again; ``unkept`` says why readings were not kept,
    if they were not. Means are kept in the store's folder too. ``closed`` is why nothing more is run: then what is not
    known is a failure. ``idle``: on how many prompts a patch changed nothing, which more prompts may yet show to do so.
    """

    engine: Engine
    store: Store | None = None
    streams: dict[Data, PromptSet] = field(default_factory=dict)
    results: dict[Experiment, Array | Failure] = field(default_factory=dict)
    drawn: dict[tuple[Data, Drawn], Reference] = field(default_factory=dict)
    idle: dict[Experiment, int] = field(default_factory=dict)
    ran: int = 0
    answered: int = 0
    damaged: int = 0
    unkept: str = ""
    closed: str = ""

    def prompts(self, data: Data, count: int) -> tuple[Prompt, ...]:
        """The first ``count`` prompts, numbered, or all if the task has no more.

        Raises TaskError, and InputError for a prompt that is longer than the model can read or has other tokens.
        """
        known = self.streams.get(data)
        if known is None or (len(known.prompts) < count and not known.exhausted):
            known = self._drawn(data, count) if data == read_at_end(data) else self._read_elsewhere(data, count)
            self.streams[data] = known
        return known.prompts[:count]

    def _drawn(self, data: Data, count: int) -> PromptSet:
        tokenizer = self.engine.model.tokenizer
        if data.listed:
            drawn = draw_all(data.task, tokenizer, data.seed, data.bos)
        else:
            drawn = draw(data.task, tokenizer, count, data.seed, data.bos)
        _check_tokens(drawn.prompts, self.engine.model)
        return replace(drawn, prompts=numbered(drawn.prompts))

    def _read_elsewhere(self, data: Data, count: int) -> PromptSet:
        """All prompts that are known at END, at least ``count`` where there are so many, asked for the answers after
        another position."""
        whole = read_at_end(data)
        self.prompts(whole, count)
        known = self.streams[whole]
        return replace(known, prompts=tuple(read_at(prompt, data.at) for prompt in known.prompts))

    def all_of(self, data: Data) -> tuple[Prompt, ...]:
        """Every prompt of a task whose prompts are listed. Raises as ``prompts`` does."""
        return self.prompts(data, MOST_LISTED)

    def notes(self, data: Data) -> tuple[str, ...]:
        """What the task had to leave out with this tokenizer; known once prompts were drawn."""
        return self.streams[data].notes

    def shares(self, data: Data) -> Mapping[str, float]:
        """How much each template of some data counts, if not equally; known once prompts were drawn."""
        return self.streams[data].shares

    def reference(self, data: Data, source: Drawn) -> Reference:
        """What a source takes its values from for these prompts: prompts of the same task, drawn with another seed; a
        mean over prompts of which all are listed is over all of them.

        Raises as ``prompts`` does.
        """
        data = read_at_end(data)  # outputs are the same wherever the answer is read
        if (data, source) not in self.drawn and data.listed and isinstance(source, Mean):
            self.drawn[data, source] = reference_of_all(self.all_of(data), source)
        if (data, source) not in self.drawn:
            stream = replace(data, seed=reference_seed(data.seed), listed=False)
            # Templates take turns, so that as many prompts show all those that this tokenizer has.
            shown = self.prompts(stream, open_task(data.task).info.templates)
            wanted = prompts_wanted(source, len({prompt.template for prompt in shown}))
            self.drawn[data, source] = reference_over(self.prompts(stream, wanted), source)
        return self.drawn[data, source]

    def references(self, data: Data, experiments: Iterable[Experiment]) -> References:
        """What an engine needs of references to run some experiments."""
        sources = dict.fromkeys(source for e in experiments for source in drawn_sources(e.world))
        return References({source: self.reference(data, source) for source in sources}, self.means)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What of the results store should be known."""
        found: list[str] = []
        if self.damaged:
            rows = f"{self.damaged} readings in it lack" if self.damaged > 1 else "a reading in it lacks"
            found.append(f"the results store is damaged: {rows} the checksum; what was asked with them was run again")
        if damaged := self.means.damaged:
            files = (
                f"{damaged} files of means lack their checksums"
                if damaged > 1
                else "a file of means lacks its checksum"
            )
            found.append(f"beside the results store {files}: these means were made again")
        if self.store is not None and not self.store.writable:
            found.append(f"the results store {self.store.path} may only be read: nothing new was kept")
        return (*found, *([f"nothing more was kept: {self.unkept}"] if self.unkept else []))

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
        missing_of = self._missing(experiments, count)
        if self.closed:
            ended = Failure(self.closed, "ended")
            unknown = {experiment for missing in missing_of.values() for experiment in missing}
            return {e: ended if e in unknown else _upto(self.results[e], count) for e in experiments}
        for (data, start), missing in missing_of.items():
            stop = len(self.prompts(data, count))
            answers = self._answers(data, start, stop, missing)
            answers |= self._completed(data, start, stop, answers) if start else {}
            for experiment, answer in answers.items():
                self.results[experiment] = _joined(self.results.get(experiment), answer)
                self.idle.pop(experiment, None)
                if _is_unchanged(answer):
                    self.idle[experiment] = stop
        return {experiment: _upto(self.results[experiment], count) for experiment in experiments}

    def _completed(
        self, data: Data, start: int, stop: int, answers: Mapping[Experiment, Array | Failure]
    ) -> dict[Experiment, Array | Failure]:
        """Answers from ``start`` on for patches that change something on the prompts before it or from there on, and
        nothing on the others, which is no failure then: the others are run without the guard, or where it cannot be
        left out, all prompts are. What is known of the prompts before goes into ``results``."""
        idle = {e for e in answers if isinstance(self.results[e], Failure)}
        since = [e for e in idle if not isinstance(answers[e], Failure)]
        before = [e for e, answer in answers.items() if e not in idle and _is_unchanged(answer)]
        self.results |= self._unguarded(data, 0, start, since)
        found = self._unguarded(data, start, stop, before)
        rest = [e for e in (*since, *before) if unguarded(e.world) is None]
        for experiment in rest:
            del self.results[experiment]
            self.idle.pop(experiment, None)
        return found | (self._answers(data, 0, stop, rest) if rest else {})

    def _unguarded(
        self, data: Data, start: int, stop: int, experiments: Iterable[Experiment]
    ) -> dict[Experiment, Array | Failure]:
        """Answers without the guard, of those experiments that have one which can be left out."""
        free = {e: replace(e, world=world) for e in experiments if (world := unguarded(e.world)) is not None}
        found: dict[Experiment, Array | Failure] = {
            other: known[start:stop]
            for other in free.values()
            if isinstance(known := self.results.get(other), np.ndarray) and len(known) >= stop
        }
        rest = [other for other in free.values() if other not in found]
        found |= self._answers(data, start, stop, rest) if rest else {}
        return {experiment: found[other] for experiment, other in free.items()}

    def _have(self, experiment: Experiment) -> int:
        """How many readings of an experiment are known."""
        known = self.results.get(experiment)
        return 0 if known is None or isinstance(known, Failure) else len(known)

    def _missing(self, experiments: Iterable[Experiment], count: int) -> dict[tuple[Data, int], list[Experiment]]:
        """Experiments whose readings stop short of ``count``, by data and by the prompt at which they stop."""
        groups: dict[tuple[Data, int], list[Experiment]] = {}
        for experiment in experiments:
            wanted = len(self.prompts(experiment.data, count))
            failed = isinstance(self.results.get(experiment), Failure)
            have = self.idle.get(experiment, wanted) if failed else self._have(experiment)
            if have < wanted:
                groups.setdefault((experiment.data, have), []).append(experiment)
        return groups

    def _answers(
        self, data: Data, start: int, stop: int, experiments: Sequence[Experiment]
    ) -> dict[Experiment, Array | Failure]:
        """What the store has, and the engine's answers to the rest, which the store keeps as they come.

        Prompts are taken in slices, as an engine would take them into one batch and the next. When it is interrupted,
        what is known by then goes into ``results``, where it follows on the readings that are there.
        """
        stream, references = self.prompts(data, stop), self.references(data, experiments)
        shammed = self._shammed(data, stream, experiments)
        known = _Known({experiment: [] for experiment in experiments})
        slices = _slices(stream, start, stop)
        try:
            for first, last in slices:
                self._slice(data, stream, shammed, first, last, known, references)
        except KeyboardInterrupt:
            for experiment, readings in known.complete(len(slices)).items():
                before = self.results.get(experiment)
                if not isinstance(before, Failure) and self._have(experiment) == start:
                    self.results[experiment] = _joined(before, readings)
            raise
        finally:
            self.ran += len(known.ran)
            self.answered += len(experiments) - len(known.ran)
        whole = known.changed_in_some(len(slices))  # whether a patch changes nothing is a question to all prompts
        again = self.engine.run(data, shammed, start, stop, whole, references) if whole else {}
        return known.answers() | again

    def _slice(
        self,
        data: Data,
        stream: Sequence[Prompt],
        shammed: Sequence[Prompt],
        first: int,
        last: int,
        known: _Known,
        references: References,
    ) -> None:
        """Add the readings of the prompts from ``first`` to ``last`` to those that are known."""
        experiments = known.going_on
        if self.store is None:
            known.ran.update(experiments)
            known.add(self.engine.run(data, shammed, first, last, experiments, references, known.hold))
            return
        keys = self._keys(stream[first:last], shammed[first:last], experiments, references)
        found = self._kept(self.store, keys.values())
        known.add({e: found.readings[keys[e]] for e in experiments if keys[e] in found.readings})
        rest = [e for e in experiments if keys[e] not in found.readings]
        if not rest:
            return
        known.ran.update(rest)
        writer = _Writer(self.store, keys)

        def keep(readings: Mapping[Experiment, Array]) -> None:
            known.hold(readings)
            writer.add(readings)

        try:
            run = self.engine.run(data, shammed, first, last, rest, references, keep)
            keep({e: answer for e, answer in run.items() if not isinstance(answer, Failure)})
            known.add(run)
        finally:
            writer.write()
            self.unkept = self.unkept or writer.refused

    def _kept(self, store: Store, keys: Iterable[str]) -> Found:
        """What the store has. One that cannot be read has nothing: no check ends for that.

        With a damaged row all of them are measured again: on a GPU a reading may have another last digit beside other
        experiments.
        """
        try:
            found = store.get(keys)
        except StoreError as error:
            self.unkept = self.unkept or f"{error.message} ({error.remedy})"
            return Found({})
        self.damaged += found.damaged
        return Found({}) if found.damaged else found

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


@dataclass
class _Known:
    """The readings of experiments, slice by slice. ``idle`` counts the slices on which a patch changed nothing.

    ``held`` are readings of the slice that is being run. ``ran``: what the engine was asked for any slice.
    """

    pieces: dict[Experiment, list[Array]]
    failures: dict[Experiment, Failure] = field(default_factory=dict[Experiment, Failure])
    idle: Counter[Experiment] = field(default_factory=Counter[Experiment])
    held: dict[Experiment, Array] = field(default_factory=dict[Experiment, Array])
    ran: set[Experiment] = field(default_factory=set[Experiment])

    @property
    def going_on(self) -> list[Experiment]:
        """Those that have not failed."""
        return [experiment for experiment in self.pieces if experiment not in self.failures]

    def hold(self, readings: Mapping[Experiment, Array]) -> None:
        """Readings of the slice that is being run, of which there may be more."""
        self.held.update(readings)

    def add(self, answers: Mapping[Experiment, Array | Failure]) -> None:
        """The answers of a slice, as far as they are known."""
        for experiment, answer in answers.items():
            self.held.pop(experiment, None)
            if not isinstance(answer, Failure):
                self.pieces[experiment].append(answer)
            elif answer.kind == "unchanged":
                self.idle[experiment] += 1
            else:
                self.failures[experiment] = answer

    def complete(self, slices: int) -> dict[Experiment, Array]:
        """What is known of all slices, before the last was run to its end."""
        parts = {e: [*pieces, *([self.held[e]] if e in self.held else [])] for e, pieces in self.pieces.items()}
        return {e: np.concatenate(each) for e, each in parts.items() if len(each) == slices and e not in self.failures}

    def changed_in_some(self, slices: int) -> list[Experiment]:
        """Those whose patch changed something on some slices and nothing on others."""
        return [e for e, idle in self.idle.items() if idle < slices and e not in self.failures]

    def answers(self) -> dict[Experiment, Array | Failure]:
        """Readings, or why there are none."""
        return {e: self._answer(e) for e in self.pieces}

    def _answer(self, experiment: Experiment) -> Array | Failure:
        if experiment in self.failures:
            return self.failures[experiment]
        if self.idle[experiment]:
            return unchanged(experiment.world)
        return np.concatenate(self.pieces[experiment])


def read_at_end(data: Data) -> Data:
    """The same prompts, asked for the answer after the last token."""
    return replace(data, at=END.name)


@dataclass
class _Writer:
    """Puts readings into the store about once a second. ``refused``: why the store took no more, if it did not."""

    store: Store
    keys: Mapping[Experiment, str]
    waiting: dict[str, Array] = field(default_factory=dict[str, Array])
    done: set[str] = field(default_factory=set[str])
    wrote: float = field(default_factory=time.monotonic)
    refused: str = ""

    def add(self, readings: Mapping[Experiment, Array]) -> None:
        new = {self.keys[e]: answer for e, answer in readings.items() if self.keys[e] not in self.done}
        self.waiting.update(new)
        if time.monotonic() - self.wrote >= _PAUSE:
            self.write()

    def write(self) -> None:
        """Put what waits into the store, all or none of it: the stacks of an engine stay whole."""
        if self.waiting and not self.refused:
            try:
                self.store.put(self.waiting)
            except StoreError as error:  # an hour of experiments is worth more than what could not be kept
                self.refused = f"{error.message} ({error.remedy})"
        self.done.update(self.waiting)
        self.waiting = {}
        self.wrote = time.monotonic()


_PAUSE = 1.0  # seconds


def _slices(stream: Sequence[Prompt], start: int, stop: int) -> list[tuple[int, int]]:
    """Prompts ``start`` to ``stop`` cut as engines cut them into batches, each with its first and the one after its
    last."""
    sizes = map(len, in_batches(stream[start:stop], TOKENS_A_PASS))
    return list(pairwise(accumulate(sizes, initial=start)))


def _check_tokens(prompts: Sequence[Prompt], model: Model | KnownModel) -> None:
    """Refuse prompts that are longer than the model reads, and tokens that it has no embedding for."""
    for prompt in prompts:
        if len(prompt.tokens) > model.geometry.n_ctx:
            raise InputError(
                f"a prompt has {len(prompt.tokens)} tokens and {model.name} reads at most {model.geometry.n_ctx}: "
                f"{prompt.text[:60]!r}...",
                "shorten the prompts, or choose a model with a longer context",
            )
        changed = (token for tokens in prompt.counterfactuals.values() for token in tokens)
        later = (token for each in prompt.elsewhere.values() for token in (*each.right, *each.wrong, *each.options))
        used = (*prompt.tokens, *changed, prompt.answer, *prompt.wrong, *prompt.right, *prompt.options, *later)
        if (highest := max(used)) >= model.geometry.d_vocab:
            raise InputError(
                f"the tokenizer of {model.name} gives the token {highest} ({model.tokenizer.decode([highest])!r}), and "
                f"the model knows only tokens below {model.geometry.d_vocab}: {prompt.text[:60]!r}...",
                "the tokenizer is another model's, or has more tokens than the model: give the model's own",
            )


def _joined(known: Array | Failure | None, more: Array | Failure) -> Array | Failure:
    """What is known with the readings of the prompts after it; a failure of either is one of both."""
    if known is None or isinstance(more, Failure):
        return more
    return known if isinstance(known, Failure) else np.concatenate([known, more])


def _is_unchanged(answer: Array | Failure) -> bool:
    return isinstance(answer, Failure) and answer.kind == "unchanged"


def _upto(result: Array | Failure, count: int) -> Array | Failure:
    return result if isinstance(result, Failure) else result[:count]

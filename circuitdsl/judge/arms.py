"""An intervention taken apart: in whole, each action alone, by random heads; what it repairs, and what it moves.

Everything is measured on the same prompts, so that every difference is paired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitdsl.engine.session import Session
from circuitdsl.judge.intervals import Bootstrap, interval
from circuitdsl.judge.outcome import Arm, Downstream, Example, Figure, HeadChange
from circuitdsl.language.circuit import Circuit, Head, Intervention
from circuitdsl.language.environment import RANDOM_HEADS
from circuitdsl.measures.changes import FEWEST, change_by_importance
from circuitdsl.measures.experiments import Experiment, Metric, World
from circuitdsl.measures.measurement import CLEAN, Array, CannotMeasure, Measurement, Request, first, sample
from circuitdsl.plan.arms import LOGIT_DIFF, Parts
from circuitdsl.plan.drive import Failure
from circuitdsl.plan.worlds import intervened

EXAMPLES = 3
"""How many repaired and how many broken prompts are shown."""

NOTHING = Figure(None, None, None)


@dataclass(frozen=True)
class Taken:
    """What taking an intervention apart gives, for its report."""

    accuracy: str
    arms: tuple[Arm, ...]
    p_value: float | None
    downstream: tuple[Downstream, ...]
    notes: tuple[str, ...]


def take_apart(intervention: Intervention, circuit: Circuit, session: Session, bootstrap: Bootstrap) -> Taken:
    """Measure an intervention's arms and what it changes downstream, on the circuit's first prompts.

    Of one whose actions cannot be done there is nothing but a note.
    """
    bench = _Bench(Parts(intervention, circuit), session, bootstrap)
    try:
        intervened(intervention.actions, circuit.method)
    except CannotMeasure as reason:
        return Taken(bench.accuracy.name, (), None, (), (str(reason),))
    arms, p_value, notes = bench.arms()
    return Taken(bench.accuracy.name, arms, p_value, tuple(bench.downstream()), notes)


@dataclass(frozen=True)
class _Bench:
    parts: Parts
    session: Session
    bootstrap: Bootstrap

    @property
    def circuit(self) -> Circuit:
        return self.parts.circuit

    @property
    def request(self) -> Request:
        return self.parts.request

    @property
    def accuracy(self) -> Metric:
        return self.parts.accuracy

    # --- readings --------------------------------------------------------------------------------

    def read(self, experiments: Iterable[Experiment]) -> Mapping[Experiment, Array | Failure]:
        return self.session.run(tuple(experiments), self.circuit.method.prompts_first)

    def figure(self, columns: Sequence[Array | Failure], combine: Callable[[Array], Array]) -> Figure:
        """A figure of the columns' means; None where one of them could not be read."""
        whole = [column for column in columns if not isinstance(column, Failure)]
        if len(whole) < len(columns):
            return NOTHING
        measured = Measurement((sample(self.request.data, *whole),), combine)
        return interval(measured, self.bootstrap, self.circuit.method.confidence)

    def share(self, column: Array) -> Figure:
        """The share of prompts that a column of zeros and ones marks."""
        measured = Measurement((sample(self.request.data, column),), first, shares=True)
        return interval(measured, self.bootstrap, self.circuit.method.confidence)

    # --- arms ------------------------------------------------------------------------------------

    def arms(self) -> tuple[tuple[Arm, ...], float | None, tuple[str, ...]]:
        """The arms, the p-value of the whole against random heads, and what could not be had."""
        worlds = self.parts.worlds()
        try:
            randoms, notes = tuple(self.parts.random_worlds()), ()
        except CannotMeasure as reason:
            randoms, notes = (), (f"no random heads: {reason}",)
        results = self.read(self.parts.asked((*worlds.values(), *randoms)))
        arms = [self.arm(name, [world], results) for name, world in worlds.items()]
        done = [world for world in randoms if not isinstance(results[self.request.ask(world, self.accuracy)], Failure)]
        if done:
            arms.append(self.arm(RANDOM_HEADS, done, results))
        return tuple(arms), self.p_value(worlds["all"], done, results), notes

    def arm(self, name: str, worlds: Sequence[World], results: Mapping[Experiment, Array | Failure]) -> Arm:
        """One arm; of several worlds (random sets), their mean."""

        def columns(reading: Metric) -> list[Array | Failure]:
            return [results[self.request.ask(world, reading)] for world in (CLEAN, *worlds)]

        right, difference = columns(self.accuracy), columns(LOGIT_DIFF)
        whole = [column for column in right if not isinstance(column, Failure)]
        if len(whole) < len(right):
            reasons = dict.fromkeys(column.message for column in right if isinstance(column, Failure))
            return Arm(name, NOTHING, NOTHING, NOTHING, NOTHING, 0.0, 0.0, note="; ".join(reasons))
        before, after = whole[0], np.stack(whole[1:])
        shown = difference if len(worlds) == 1 else ()
        return Arm(
            name=name,
            accuracy=self.share(whole[1]) if len(worlds) == 1 else self.figure(right, _after),
            accuracy_change=self.figure(right, _change),
            logit_diff=self.figure(difference, _after),
            logit_diff_change=self.figure(difference, _change),
            repaired=float((after > before).sum(axis=-1).mean()),
            broken=float((after < before).sum(axis=-1).mean()),
            repaired_examples=self.examples(np.flatnonzero(after[0] > before), shown),
            broken_examples=self.examples(np.flatnonzero(after[0] < before), shown),
        )

    def examples(self, where: NDArray[np.intp], differences: Sequence[Array | Failure]) -> tuple[Example, ...]:
        """The first of the prompts at these indices, with the logit difference before and after if it was read."""
        if not differences:
            return ()
        few = where[:EXAMPLES].tolist()
        prompts = self.session.prompts(self.request.data, max(few, default=0) + 1)
        before, after = differences
        return tuple(Example(prompts[i].text, _at(before, i), _at(after, i)) for i in few)

    def p_value(
        self, whole: World, randoms: Sequence[World], results: Mapping[Experiment, Array | Failure]
    ) -> float | None:
        """The share of sets, the real one counted in, that are at least as accurate as the real one."""
        right = [results[self.request.ask(world, self.accuracy)] for world in (whole, *randoms)]
        means = [float(column.mean()) for column in right if not isinstance(column, Failure)]
        if not randoms or len(means) < len(right):
            return None
        return float(np.mean(np.array(means) >= means[0]))

    # --- downstream ------------------------------------------------------------------------------

    def downstream(self) -> Iterator[Downstream]:
        """The heads after the intervention, wherever a claim speaks of their attention."""
        for where, heads in self.parts.looks().items():
            rows = [_Row(self, head, self.parts.of_head(head, where)) for head in heads]
            results = self.read([e for row in rows for e in row.experiments])
            changes = tuple(row.change(results) for row in rows)
            yield Downstream(f"{where.query} -> {where.key}", changes, self.correlation(rows, results))

    def correlation(self, rows: Sequence[_Row], results: Mapping[Experiment, Array | Failure]) -> Figure:
        """Spearman's between the change of attention and the size of the direct effect, over heads."""
        if len(rows) < FEWEST or not self.circuit.method.against:
            return NOTHING
        columns = [results[row.asked[name]] for name in ("before", "after", "direct") for row in rows]

        return self.figure([*columns, results[rows[0].asked["clean"]]], change_by_importance)


@dataclass(frozen=True)
class _Row:
    """One head's readings, with and without the intervention, by name."""

    bench: _Bench
    head: Head
    asked: Mapping[str, Experiment]

    @property
    def experiments(self) -> Iterable[Experiment]:
        return self.asked.values()

    def change(self, results: Mapping[Experiment, Array | Failure]) -> HeadChange:
        def difference(changed: str, base: str) -> Figure:
            if changed not in self.asked:
                return NOTHING
            return self.bench.figure([results[self.asked[name]] for name in (base, changed)], _change)

        def mean(name: str) -> Figure:
            return self.bench.figure([results[self.asked[name]]], first)

        circuit = self.bench.circuit
        roles = tuple(role.name for role in circuit.roles if self.head in role.heads)
        return HeadChange(
            head=str(self.head),
            roles=roles,
            before=mean("before"),
            after=mean("after"),
            change=difference("after", "before"),
            effect_before=difference("removed", "clean"),
            effect_after=difference("whole removed", "whole"),
            importance=difference("direct", "clean"),
        )


def _after(means: Array) -> Array:
    """Of columns before, after, ...: the mean of those after."""
    return means[..., 1:].mean(axis=-1)


def _change(means: Array) -> Array:
    return _after(means) - means[..., 0]


def _at(column: Array | Failure, index: int) -> float | None:
    return None if isinstance(column, Failure) else float(column[index])

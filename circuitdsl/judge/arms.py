"""An intervention taken apart: in whole, each action alone, by random heads; what it repairs, and what it moves.

Everything is measured on the same prompts, so that every difference is paired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuitdsl.engine.session import Session
from circuitdsl.judge.intervals import Bootstrap, interval, mean_intervals, zero_p_values
from circuitdsl.judge.outcome import Arm, Change, DirectEffect, Downstream, Example, Figure, HeadChange
from circuitdsl.judge.verdicts import holm
from circuitdsl.language.circuit import ALL, Circuit, FromTo, Head, Intervention
from circuitdsl.language.environment import RANDOM_HEADS
from circuitdsl.measures.changes import FEWEST, change_by_importance
from circuitdsl.measures.experiments import Experiment, Metric, World
from circuitdsl.measures.measurement import CLEAN, Array, CannotMeasure, Measurement, Request, Sample, first, sample
from circuitdsl.plan.arms import LOGIT_DIFF, Parts
from circuitdsl.plan.drive import Failure
from circuitdsl.plan.worlds import intervened

EXAMPLES = 3
"""How many repaired and how many broken prompts are shown."""

ROUNDING = 1e-5
"""A change of at most this share of the figures that it is a difference of is not told from none."""

NOTHING = Figure(None, None, None)
UNMEASURED = Change(NOTHING, NOTHING, NOTHING, None, False)
"""Of a head of which nothing could be measured."""

Column = Array | Failure
Results = Mapping[Experiment, Column]


@dataclass(frozen=True)
class Taken:
    """What taking an intervention apart gives, for its report."""

    accuracy: str
    arms: tuple[Arm, ...]
    p_value: float | None
    downstream: tuple[Downstream, ...]
    direct: tuple[DirectEffect, ...]
    notes: tuple[str, ...]


def take_apart(intervention: Intervention, circuit: Circuit, session: Session, bootstrap: Bootstrap) -> Taken:
    """Measure an intervention's arms and what it changes downstream, on the circuit's first prompts.

    Of one whose actions cannot be done there is nothing but a note.
    """
    bench = _Bench(Parts(intervention, circuit), session, bootstrap)
    try:
        intervened(intervention.actions, circuit.method)
    except CannotMeasure as reason:
        return Taken(bench.accuracy.name, (), None, (), (), (str(reason),))
    arms, p_value, notes = bench.arms()
    return Taken(bench.accuracy.name, arms, p_value, *bench.downstream(), notes)


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

    def read(self, experiments: Iterable[Experiment]) -> Results:
        return self.session.run(tuple(experiments), self.circuit.method.prompts_first)

    def figure(self, columns: Sequence[Column], combine: Callable[[Array], Array]) -> Figure:
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

    def arm(self, name: str, worlds: Sequence[World], results: Results) -> Arm:
        """One arm; of several worlds (random sets), their mean."""

        def columns(reading: Metric) -> list[Column]:
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

    def examples(self, where: NDArray[np.intp], differences: Sequence[Column]) -> tuple[Example, ...]:
        """The first of the prompts at these indices, with the logit difference before and after if it was read."""
        if not differences:
            return ()
        few = where[:EXAMPLES].tolist()
        prompts = self.session.prompts(self.request.data, max(few, default=0) + 1)
        before, after = differences
        return tuple(Example(prompts[i].text, _at(before, i), _at(after, i)) for i in few)

    def p_value(self, whole: World, randoms: Sequence[World], results: Results) -> float | None:
        """The share of sets, the real one counted in, that are at least as accurate as the real one."""
        right = [results[self.request.ask(world, self.accuracy)] for world in (whole, *randoms)]
        means = [float(column.mean()) for column in right if not isinstance(column, Failure)]
        if not randoms or len(means) < len(right):
            return None
        return float(np.mean(np.array(means) >= means[0]))

    # --- downstream ------------------------------------------------------------------------------

    def downstream(self) -> tuple[tuple[Downstream, ...], tuple[DirectEffect, ...]]:
        """The heads after the intervention: where they look, wherever the document speaks of it, and what they do."""
        parts = self.parts
        looks, heads = parts.looks(), parts.heads()
        patched = bool(heads and self.circuit.method.against)
        asked = [e for where, named in looks.items() for e in parts.asked_of(where, named)]
        results = self.read([*asked, *(parts.asked_directly() if patched else ())])
        effects = self.effects(heads, results) if patched else dict.fromkeys(heads, UNMEASURED)
        places = tuple(self.place(where, named, effects, results) for where, named in looks.items())
        claimed = {head for named in looks.values() for head in named}
        direct = (
            DirectEffect(str(head), self.roles(head), head in claimed or bool(self.roles(head)), effect)
            for head, effect in effects.items()
        )
        return places, tuple(direct) if patched else ()

    def effects(self, heads: Sequence[Head], results: Results) -> dict[Head, Change]:
        """What the metric changes by where a head's way to the logits is patched, without and with the intervention."""
        clean, whole = (results[experiment] for experiment in self.parts.metric)
        columns: dict[Head, tuple[Column, Column]] = {}
        for head in heads:
            before, after = self.parts.direct(head)
            columns[head] = _less(results[before], clean), _less(results[after], whole)
        means = [abs(float(each.mean())) for each in (clean, whole) if not isinstance(each, Failure)]
        return self.changes(columns, max(means, default=1.0))

    def place(
        self, where: FromTo, claimed: Sequence[Head], effects: Mapping[Head, Change], results: Results
    ) -> Downstream:
        """All heads' attention from one place to another; ``claimed`` are those that claims name there."""
        columns: dict[Head, tuple[Column, Column]] = {}
        for head in effects:
            before, after = self.parts.attention(head, where)
            columns[head] = results[before], results[after]
        looks = self.changes(columns, 1.0)
        here = (where.query, ALL)
        standing = {node.component for role in self.circuit.roles for node in role.nodes if node.position in here}

        def change(head: Head) -> HeadChange:
            named = head in claimed or head in standing
            before, after = self.knockout(head, where, results) if head in claimed else (NOTHING, NOTHING)
            return HeadChange(str(head), self.roles(head), named, looks[head], before, after, effects[head].before)

        measured = [head for head, effect in effects.items() if effect.before.value is not None]
        return Downstream(
            f"{where.query} -> {where.key}",
            tuple(map(change, effects)),
            self.correlation(claimed, where, results),
            self.correlation(measured, where, results),
        )

    def roles(self, head: Head) -> tuple[str, ...]:
        return tuple(role.name for role in self.circuit.roles if head in role.heads)

    def knockout(self, head: Head, where: FromTo, results: Results) -> tuple[Figure, Figure]:
        """What the metric changes by without a head, without and with the intervention."""
        pair = self.parts.knockout(head, where)
        if pair is None:
            return NOTHING, NOTHING
        (clean, whole), (before, after) = self.parts.metric, pair
        return (
            self.figure([results[clean], results[before]], _change),
            self.figure([results[whole], results[after]], _change),
        )

    def changes(self, columns: Mapping[Head, tuple[Column, Column]], scale: float) -> dict[Head, Change]:
        """Each head's figure without and with the intervention, for all heads at once. ``scale`` is the size of the
        figures that the columns are made of."""
        found = dict.fromkeys(columns, UNMEASURED)
        known = {head: pair for head, pair in columns.items() if not any(isinstance(each, Failure) for each in pair)}
        if not known:
            return found
        before, after = (np.stack(each, axis=-1) for each in zip(*known.values(), strict=True))
        data, confidence = self.request.data, self.circuit.method.confidence
        befores, afters, differences = (
            mean_intervals(Sample(data, each), self.bootstrap, confidence) for each in (before, after, after - before)
        )
        adjusted = holm(zero_p_values(Sample(data, after - before), self.bootstrap, ROUNDING * scale))
        for head, was, becomes, change, p in zip(known, befores, afters, differences, adjusted, strict=True):
            found[head] = Change(was, becomes, change, p, certain=p is not None and p < 1 - confidence)
        return found

    def correlation(self, heads: Sequence[Head], where: FromTo, results: Results) -> Figure:
        """Spearman's between the change of attention and the size of the direct effect, over heads."""
        if len(heads) < FEWEST or not self.circuit.method.against:
            return NOTHING
        looks = [self.parts.attention(head, where) for head in heads]
        asked = [*(before for before, _ in looks), *(after for _, after in looks)]
        asked += [self.parts.direct(head)[0] for head in heads]
        return self.figure([results[e] for e in (*asked, self.parts.metric[0])], change_by_importance)


def _after(means: Array) -> Array:
    """Of columns before, after, ...: the mean of those after."""
    return means[..., 1:].mean(axis=-1)


def _less(column: Column, base: Column) -> Column:
    """The difference, or why one of the two could not be read."""
    if isinstance(column, Failure):
        return column
    return base if isinstance(base, Failure) else column - base


def _change(means: Array) -> Array:
    return _after(means) - means[..., 0]


def _at(column: Column, index: int) -> float | None:
    return None if isinstance(column, Failure) else float(column[index])

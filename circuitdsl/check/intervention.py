"""Check an intervention: its claims; in whole, each action alone, by random heads; what it repairs, and what it moves.

Everything is measured on the same prompts, so that every difference is paired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from circuitdsl.check.bench import Bench
from circuitdsl.check.declined import left_to_plain
from circuitdsl.check.references import notes_on
from circuitdsl.components import ALL, Head
from circuitdsl.engine.references import drawn_sources
from circuitdsl.judge.estimates import NOTHING, Estimate
from circuitdsl.judge.evidence import Evidence, student
from circuitdsl.judge.verdicts import holm, interval, zero_p_value
from circuitdsl.language.circuit import Circuit, FromTo
from circuitdsl.language.environment import PROPORTION, RANDOM_HEADS
from circuitdsl.measures.changes import CHANGE_BY_IMPORTANCE, FEWEST
from circuitdsl.measures.estimands import Contrast, Estimand, Limits, Mean, average, column, proportion
from circuitdsl.measures.experiments import Metric, World
from circuitdsl.measures.measurement import (
    CLEAN,
    Array,
    Failure,
    Measurement,
    Request,
    Results,
    sample,
)
from circuitdsl.outcome import Arm, Change, DirectEffect, Downstream, Example, HeadChange, InterventionReport
from circuitdsl.plan.intervention import LOGIT_DIFF, InterventionPlan, Questions
from circuitdsl.plan.job import Started

EXAMPLES = 3
"""How many repaired and how many broken prompts are shown."""

UNCHANGED = 1e-5
"""A change of at most this share of the estimates that it is a difference of is not told from none."""

UNMEASURED = Change(NOTHING, NOTHING, NOTHING, None, False)
"""Of a head of which nothing could be measured."""

Column: TypeAlias = "Array | Failure"


def check_intervention(plan: InterventionPlan, bench: Bench) -> InterventionReport:
    """Judge the claims of an intervention on a circuit's task, and take it apart.

    Of one whose actions cannot be done there is nothing but a note beside the claims.
    """
    outcomes = bench.judge(plan.claims)
    taken, model = _Taken(plan, bench), bench.session.engine.model
    report = InterventionReport(
        intervention=plan.intervention,
        model=model.name,
        prompts=max((outcome.prompts for outcome in outcomes), default=0),
        claims=outcomes,
        first=len(bench.session.prompts(taken.request.data, taken.circuit.method.prompts_first)),
        accuracy=taken.accuracy.name,
        fingerprint=model.fingerprint,
        revision=model.revision,
    )
    if isinstance(plan.arms.first, Failure):
        return replace(report, notes=(plan.arms.first.message,))
    arms, p_value, notes = taken.arms()
    downstream, direct = taken.downstream()
    notes += (*left_to_plain(plan.jobs(), bench.session.engine.name),)
    notes += notes_on(bench.session, taken.request.data, *drawn_sources(taken.questions.whole))
    return replace(report, arms=arms, p_value=p_value, downstream=downstream, direct=direct, notes=notes)


@dataclass(frozen=True)
class _Taken:
    """An intervention at work."""

    plan: InterventionPlan
    bench: Bench

    @property
    def questions(self) -> Questions:
        return self.plan.questions

    @property
    def circuit(self) -> Circuit:
        return self.questions.circuit

    @property
    def request(self) -> Request:
        return self.questions.request

    @property
    def accuracy(self) -> Metric:
        return self.questions.accuracy

    # --- readings --------------------------------------------------------------------------------

    def read(self, jobs: Iterable[Started]) -> Results:
        """What was read of everything that some jobs ask for."""
        experiments = [experiment for job in jobs for experiment in job.experiments]
        return self.bench.session.run(experiments, self.circuit.method.prompts_first)

    def estimate(self, columns: Sequence[Column], estimand: Estimand) -> Estimate:
        """An estimate from the columns' means; None where one of them could not be read."""
        whole = [column for column in columns if not isinstance(column, Failure)]
        if len(whole) < len(columns):
            return NOTHING
        return self.bench.estimate(self.measured(whole, estimand), self.circuit.method.confidence)

    def share(self, column: Array) -> Estimate:
        """The share of prompts that a column of zeros and ones marks."""
        return self.bench.estimate(self.measured([column], proportion()), self.circuit.method.confidence)

    def measured(self, columns: Sequence[Array], estimand: Estimand) -> Measurement:
        """Columns on the circuit's prompts, which may depend on the reference of its method or of an action."""
        found = Measurement((sample(self.request.data, *columns),), estimand)
        source = next((each for world in self.questions.worlds().values() for each in drawn_sources(world)), None)
        return found.within(lambda _: source)

    # --- arms ------------------------------------------------------------------------------------

    def arms(self) -> tuple[tuple[Arm, ...], float | None, tuple[str, ...]]:
        """The arms, the p-value of the whole against random heads, and what could not be had."""
        worlds, random_heads = self.questions.worlds(), self.plan.random_heads
        if isinstance(random_heads.first, Failure):
            randoms, notes = (), (f"no random heads: {random_heads.first.message}",)
        else:
            randoms, notes = tuple(self.questions.random_worlds()), ()
        results = self.read([self.plan.arms, random_heads])
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
            return Arm(name, NOTHING, NOTHING, NOTHING, NOTHING, 0.0, 0.0, note="; ".join(reasons), sets=len(worlds))
        before, after = whole[0], np.stack(whole[1:])
        shown = difference if len(worlds) == 1 else ()
        return Arm(
            name=name,
            accuracy=self.share(whole[1])
            if len(worlds) == 1
            else self.estimate(right, _after(len(worlds), PROPORTION)),
            accuracy_change=self.estimate(right, _change(len(worlds), PROPORTION)),
            logit_diff=self.estimate(difference, _after(len(worlds))),
            logit_diff_change=self.estimate(difference, _change(len(worlds))),
            repaired=float((after > before).sum(axis=-1).mean()),
            broken=float((after < before).sum(axis=-1).mean()),
            repaired_examples=self.examples(np.flatnonzero(after[0] > before), shown),
            broken_examples=self.examples(np.flatnonzero(after[0] < before), shown),
            sets=len(worlds),
        )

    def examples(self, where: NDArray[np.intp], differences: Sequence[Column]) -> tuple[Example, ...]:
        """The first of the prompts at these indices, with the logit difference before and after if it was read."""
        if not differences:
            return ()
        few = where[:EXAMPLES].tolist()
        prompts = self.bench.session.prompts(self.request.data, max(few, default=0) + 1)
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
        """The heads after the intervention: where they look, wherever the document names it, and what they do."""
        questions, direct_job = self.questions, self.plan.direct
        places, heads = questions.places(), questions.heads()
        results = self.read([*self.plan.downstream.values(), *((direct_job,) if direct_job else ())])
        effects = self.effects(heads, results) if direct_job else dict.fromkeys(heads, UNMEASURED)
        found = tuple(self.place(where, named, effects, results) for where, named in places.items())
        claimed = {head for named in places.values() for head in named}
        direct = (
            DirectEffect(str(head), self.roles(head), head in claimed or bool(self.roles(head)), effect)
            for head, effect in effects.items()
        )
        return found, tuple(direct) if direct_job else ()

    def effects(self, heads: Sequence[Head], results: Results) -> dict[Head, Change]:
        """What the metric changes by where a head's way to the logits is patched, without and with the intervention."""
        clean, whole = (results[experiment] for experiment in self.questions.metric)
        columns: dict[Head, tuple[Column, Column]] = {}
        for head in heads:
            before, after = self.questions.direct(head)
            columns[head] = _less(results[before], clean), _less(results[after], whole)
        means = [abs(float(each.mean())) for each in (clean, whole) if not isinstance(each, Failure)]
        return self.changes(columns, max(means, default=1.0))

    def place(
        self, where: FromTo, claimed: Sequence[Head], effects: Mapping[Head, Change], results: Results
    ) -> Downstream:
        """All heads' attention from one place to another; ``claimed`` are those that claims name there."""
        columns: dict[Head, tuple[Column, Column]] = {}
        for head in effects:
            before, after = self.questions.attention(head, where)
            columns[head] = results[before], results[after]
        attention = {head: _of_shares(change) for head, change in self.changes(columns, 1.0).items()}
        here = (where.query, ALL)
        standing = {node.component for role in self.circuit.roles for node in role.nodes if node.position in here}

        def change(head: Head) -> HeadChange:
            named = head in claimed or head in standing
            before, after = self.knockout(head, where, results) if head in claimed else (NOTHING, NOTHING)
            return HeadChange(str(head), self.roles(head), named, attention[head], before, after, effects[head].before)

        measured = [head for head, effect in effects.items() if effect.before.value is not None]
        return Downstream(
            f"{where.query} -> {where.key}",
            tuple(map(change, effects)),
            self.correlation(claimed, where, results),
            self.correlation(measured, where, results),
        )

    def roles(self, head: Head) -> tuple[str, ...]:
        return tuple(role.name for role in self.circuit.roles if head in role.heads)

    def knockout(self, head: Head, where: FromTo, results: Results) -> tuple[Estimate, Estimate]:
        """What the metric changes by without a head, without and with the intervention."""
        pair = self.questions.knockout(head, where)
        if pair is None:
            return NOTHING, NOTHING
        (clean, whole), (before, after) = self.questions.metric, pair
        return (
            self.estimate([results[clean], results[before]], _change(1)),
            self.estimate([results[whole], results[after]], _change(1)),
        )

    def changes(self, columns: Mapping[Head, tuple[Column, Column]], scale: float) -> dict[Head, Change]:
        """Each head's estimate without and with the intervention, for all heads at once. ``scale`` is the size of the
        estimates that the columns are made of."""
        found = dict.fromkeys(columns, UNMEASURED)
        known = {head: pair for head, pair in columns.items() if not any(isinstance(each, Failure) for each in pair)}
        if not known:
            return found
        before, after = (np.stack(each, axis=-1) for each in zip(*known.values(), strict=True))
        confidence = self.circuit.method.confidence
        befores, afters, differences = (self.every_mean(each) for each in (before, after, after - before))
        adjusted = holm([zero_p_value(each, UNCHANGED * scale) for each in differences])
        for head, *three, p in zip(known, befores, afters, differences, adjusted, strict=True):
            was, becomes, change = (interval(each, confidence) for each in three)
            found[head] = Change(was, becomes, change, p, certain=p is not None and p < 1 - confidence)
        return found

    def every_mean(self, columns: Array) -> list[Evidence]:
        """Evidence on the mean of each column."""
        samples = self.measured(list(columns.T), average()).samples
        units = self.bench.units(samples[0])
        means, residuals = units.mean(columns), units.residuals(columns)
        return [student(float(mean), each, units) for mean, each in zip(means, residuals.T, strict=True)]

    def correlation(self, heads: Sequence[Head], where: FromTo, results: Results) -> Estimate:
        """Spearman's between the change of attention and the size of the direct effect, over heads."""
        if len(heads) < FEWEST or not self.circuit.method.against:
            return NOTHING
        attention = [self.questions.attention(head, where) for head in heads]
        asked = [*(before for before, _ in attention), *(after for _, after in attention)]
        asked += [self.questions.direct(head)[0] for head in heads]
        return self.estimate([results[e] for e in (*asked, self.questions.metric[0])], CHANGE_BY_IMPORTANCE)


def _after(worlds: int, limits: Limits | None = None) -> Mean:
    """The mean of all columns but the first: of the worlds after an intervention, where the first is before it."""
    return Mean(Contrast(tuple((place, 1 / worlds) for place in range(1, worlds + 1)), limits))


def _less(column: Column, base: Column) -> Column:
    """The difference, or why one of the two could not be read."""
    if isinstance(column, Failure):
        return column
    return base if isinstance(base, Failure) else column - base


def _change(worlds: int, limits: Limits | None = None) -> Mean:
    """The mean of all columns but the first, less the first."""
    return Mean(_after(worlds, limits).of.less(column(0, limits)))


def _of_shares(change: Change) -> Change:
    """Intervals end where a share, and a change of one, cannot be."""
    before, after = (_within(each, 0.0, 1.0) for each in (change.before, change.after))
    return replace(change, before=before, after=after, change=_within(change.change, -1.0, 1.0))


def _within(found: Estimate, least: float, most: float) -> Estimate:
    low, high = (None if end is None else min(max(end, least), most) for end in (found.low, found.high))
    return Estimate(found.value, low, high)


def _at(column: Column, index: int) -> float | None:
    return None if isinstance(column, Failure) else float(column[index])

"""The same is asked of many things: on one half of the prompts, corrected for all, and on the other of what entered."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from circuitdsl.check.bench import Bench
from circuitdsl.check.work import Watch
from circuitdsl.draft.entry import Rule
from circuitdsl.judge.estimates import NOTHING, Estimate, Verdict
from circuitdsl.judge.verdicts import p_value
from circuitdsl.language.circuit import Bound, Circuit
from circuitdsl.measures.measurement import Failure, Measurement
from circuitdsl.outcome.refinement import SurveyOutcome
from circuitdsl.plan.job import Job, Started
from circuitdsl.plan.plan import Plan

Item = TypeVar("Item", bound=Hashable)


@dataclass(frozen=True)
class Test:
    """A figure, and what it has to be. ``unchanged`` is the p-value where a patch changes nothing at all, None where
    that tells nothing."""

    job: Job
    bound: Bound
    unchanged: float | None = None


@dataclass(frozen=True)
class Survey(Generic[Item]):
    """What is asked of some items. It is true of an item for which all of its tests are met: its p-value is the largest
    of theirs (an intersection-union test, Berger 1982), its figure that of the first test.

    Tests are made from the last to the first, for cheap ones to stand last: an item that does not meet one is asked no
    more, for whatever the others say it cannot enter. ``number`` counts the items that were sorted out before, too.
    """

    about: str
    items: tuple[Item, ...]
    tests: Callable[[Circuit, Item], Sequence[Test]]
    number: int = 0


@dataclass(frozen=True)
class Seen:
    """The figure of an item on some prompts, and its p-value; of an item that does not meet a test, those of that."""

    estimate: Estimate
    p_value: float | None


@dataclass(frozen=True)
class Answer:
    """Of an item: what was seen on the finding prompts, its p-value there corrected for all items, and what was seen
    on the judging prompts."""

    found: Seen
    p_adjusted: float | None
    confirmed: Seen


@dataclass
class Inquiry:
    """One circuit on two halves of its prompts. ``asked`` has what was asked so far."""

    bench: Bench
    finding: Circuit
    judging: Circuit
    rule: Rule
    watch: Watch
    asked: list[SurveyOutcome] = field(default_factory=list[SurveyOutcome])

    def about(self, circuit: Circuit) -> Inquiry:
        """The same of a circuit with other roles and claims."""

        def changed(half: Circuit) -> Circuit:
            return replace(half, roles=circuit.roles, claims=circuit.claims)

        return replace(self, finding=changed(self.finding), judging=changed(self.judging))

    def ask(self, survey: Survey[Item]) -> dict[Item, Answer]:
        """The items of which it is true: by the rule on the finding prompts, and each by itself on the judging ones."""
        found = self._seen(survey, survey.items, self.finding, self.rule.share)
        number = max(survey.number, len(survey.items))
        enters, adjusted = self.rule.entering([each.p_value for each in found.values()], [None] * len(found), number)
        entered = {item: p for item, enter, p in zip(found, enters, adjusted, strict=True) if enter}
        again = self._seen(survey, tuple(entered), self.judging, 1 - self.finding.method.confidence)
        confirmed = {
            item: Answer(found[item], p, again[item]) for item, p in entered.items() if self.is_met(again[item])
        }
        if number:
            self.asked.append(SurveyOutcome(survey.about, number, len(entered), len(confirmed)))
        return confirmed

    def is_met(self, seen: Seen) -> bool:
        """Whether a survey is true of an item by itself."""
        return _at_most(seen.p_value, 1 - self.finding.method.confidence)

    def holds(self, tests: Callable[[Circuit], Test]) -> bool:
        """Whether a test is met on both halves."""
        for half in (self.finding, self.judging):
            test = tests(half)
            started = Started(test.job)
            measured = self.bench.measure([started], half.method.prompts_first)
            judged = self.bench.judged(measured[started], test.bound, half.method.confidence)
            if judged.judgement.verdict is not Verdict.HOLDS:
                return False
        return True

    def _seen(self, survey: Survey[Item], items: Sequence[Item], half: Circuit, level: float) -> dict[Item, Seen]:
        """Each item's figure and its largest p-value, of the tests as far as none before is above the ``level``."""
        due = {item: list(survey.tests(half, item)) for item in items}
        seen: dict[Item, Seen] = {}
        left = items
        while left:
            tests = {item: due[item].pop() for item in left}
            jobs = {item: Started(test.job) for item, test in tests.items()}
            self.watch.step(Plan(others=tuple(jobs.values())), survey.about)
            measured = self.bench.measure(jobs.values(), half.method.prompts_first)
            for item, job in jobs.items():
                seen[item] = _larger(seen.get(item), self._one(tests[item], measured[job]))
            left = [item for item in left if due[item] and _at_most(seen[item].p_value, level)]
        return seen

    def _one(self, test: Test, measured: Measurement | Failure) -> Seen:
        if isinstance(measured, Failure):
            nothing = measured.kind == "unchanged" and test.unchanged is not None
            return Seen(Estimate(0.0, 0.0, 0.0) if nothing else NOTHING, test.unchanged if nothing else None)
        estimate = self.bench.estimate(measured, self.finding.method.confidence)
        return Seen(estimate, p_value(self.bench.weighed(measured), test.bound))


def _at_most(p: float | None, level: float) -> bool:
    return p is not None and p <= level


def _larger(before: Seen | None, now: Seen) -> Seen:
    """What was seen last, with the larger p-value; None, for what cannot be measured, is the largest."""
    if before is None or before.p_value is None or now.p_value is None:
        return now
    return replace(now, p_value=max(before.p_value, now.p_value))

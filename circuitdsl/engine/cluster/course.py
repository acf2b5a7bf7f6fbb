"""How far a call is: which steps were handed out, which came back, and what of them may be told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from circuitdsl.engine.steps import Answered, Part
from circuitdsl.errors import RunError

MOST_LOSSES = 3
"""So often the same steps are handed out again."""

AHEAD = 2
"""So many pieces of work a worker has at a time: one that it runs, and one that it need not wait for."""

STACKS_A_THREAD = 2
"""So many steps a piece has for each thread of a worker: a node that is lost loses little."""

MANY = 64
"""Experiments for which all workers plan at once; with fewer of them the first one alone plans, and others follow where
there are steps for them."""


@dataclass
class Course:
    """Hands out the steps of one call of so many ``experiments`` in their order, what was lost first. How many steps
    there are is known with the first answer.

    ``answered`` are the answers of the first ``told`` steps: those that came back out of order wait. ``again`` counts
    the steps that were handed out again, ``repeated`` the answers that these gave.
    """

    experiments: int
    total: int | None = None
    answered: Answered = field(default_factory=dict)
    told: int = 0
    again: int = 0
    repeated: int = 0
    _ahead: int = 0
    _lost: list[Part] = field(default_factory=list)
    _losses: dict[int, int] = field(default_factory=dict)
    _waiting: dict[int, tuple[Part, Answered]] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return self.told == self.total

    def due(self, threads: int, planned: bool) -> Part | None:
        """What a worker of so many threads is to do next; whether it has ``planned`` the call already.

        No step at all is a piece of work, too: the worker plans, and makes the runs that steps share.
        """
        part = self.next(STACKS_A_THREAD * threads)
        if part is None and self.total is None and not planned and self.experiments >= MANY:
            return Part(0, 0)
        return part

    def next(self, size: int) -> Part | None:
        """At most ``size`` more steps; the first by itself, and nothing until it has come back."""
        if self._lost:
            return self._lost.pop(0)
        stop = 1 if self.total is None else min(self._ahead + size, self.total)
        if stop <= self._ahead:
            return None
        part, self._ahead = Part(self._ahead, stop), stop
        return part

    def lose(self, part: Part) -> None:
        """Steps that were handed out will not come back. Raises RunError for steps that are lost again and again."""
        if part.first == part.stop:
            return
        losses = self._losses[part.first] = self._losses.get(part.first, 0) + 1
        if losses > MOST_LOSSES:
            raise RunError(
                f"{losses} workers ended while they ran the same {part.stop - part.first} steps",
                "they may have run out of memory: give a smaller --memory; what was measured so far is kept",
            )
        self._lost.append(part)
        self.again += part.stop - part.first

    def take(self, part: Part, answers: Answered, total: int) -> Iterator[Answered]:
        """The answers of some steps that came back: those that may be told now, step by step in their order."""
        if self.total not in (None, total):
            raise AssertionError(f"one worker cuts a call into {self.total} steps, and another into {total}")
        self.total = total
        if part.first == part.stop:
            return
        if part.first in self._losses:
            self.repeated += len(answers)
        self._waiting[part.first] = part, answers
        while self.told in self._waiting:
            known, found = self._waiting.pop(self.told)
            self.told = known.stop
            self.answered |= found
            yield found

"""The steps of one batch: its shared runs, its stacks, and what is left to the plain engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from circuitdsl.engine.base import Keep
from circuitdsl.engine.fast.answers import Answers
from circuitdsl.engine.fast.threads import one_thread_a_stack
from circuitdsl.engine.fast.work import Work
from circuitdsl.engine.steps import Answered, Part, Steps
from circuitdsl.measures.experiments import Experiment
from circuitdsl.measures.measurement import Array


@dataclass
class StackSteps:
    """Step 0 answers what is read of shared runs, and what is known to fail once these have been made; then come the
    stacks, and then ``plain``.

    ``begin`` makes the shared runs, once, and has what is read of them kept; it is told how many stacks may run at
    once.
    """

    begin: Callable[[Keep, int], tuple[Answers, Work]]
    device: torch.device
    plain: Steps
    _kept: Answered = field(default_factory=dict, init=False)
    _shared: Answered = field(default_factory=dict, init=False)
    _begun: tuple[Answers, Work] | None = field(default=None, init=False)
    _stacks: int = field(default=0, init=False)

    @property
    def total(self) -> int:
        if self._begun is None:
            self.run(Part(0, 0))
        return 1 + self._stacks + self.plain.total

    def run(self, part: Part) -> Answered:
        """As Steps."""
        with torch.inference_mode(), one_thread_a_stack(self.device) as threads:
            if self._begun is None:
                self._begun = self.begin(self._keep, threads)
                self._shared, self._kept = self._begun[0].failures() | self._kept, {}
            answers, work = self._begun
            self._stacks = work.take(Part(max(0, part.first - 1), max(0, part.stop - 1)))
        found, self._kept = self._kept, {}
        before = 1 + self._stacks
        more = self.plain.run(Part(max(0, part.first - before), max(0, part.stop - before)))
        return (self._shared if part.first == 0 < part.stop else {}) | answers.further_failures() | found | more

    def _keep(self, readings: Mapping[Experiment, Array]) -> None:
        self._kept.update(readings)

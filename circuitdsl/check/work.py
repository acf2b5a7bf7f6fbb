"""What is run for a report, and how far it is."""

from __future__ import annotations

import time
from dataclasses import dataclass

from circuitdsl.check.open_models import OpenModels
from circuitdsl.check.progress import Progress
from circuitdsl.outcome import Cost, Ran
from circuitdsl.plan.plan import Plan
from circuitdsl.version import JUDGED, versions


@dataclass(frozen=True)
class Begun:
    """When some work on models began, and how many experiments they had run and answered by then."""

    models: OpenModels
    started: float
    ran: int
    answered: int

    @classmethod
    def now(cls, models: OpenModels) -> Begun:
        return cls(models, time.monotonic(), models.ran, models.answered)

    def since(self, done: int, prompts: int, planned: float, plain: float) -> Ran:
        """What was run since then: ``done`` prompts went through a model, in passes of so many ``prompts``.

        ``planned`` and ``plain`` are the passes that were planned for the engine at work and for the plain one.
        """
        models = self.models
        cost = Cost(
            experiments=models.ran - self.ran,
            prompt_passes=done,
            passes=round(done / max(1, prompts), 2),
            kept=models.answered - self.answered,
            planned=round(planned, 2),
            plain=round(plain, 2),
        )
        return Ran(
            versions=versions(JUDGED),
            seconds=time.monotonic() - self.started,
            cost=cost,
            engine=models.engines,
            dtype=models.dtypes,
            device=models.devices,
        )


@dataclass
class Watch:
    """How far some work is, in prompts through the model: how much is to come is known a step at a time.

    ``planned`` and ``plain`` are the passes planned so far, for the engine at work and for the plain one.
    """

    progress: Progress
    engine: str = ""  # known once the model is open
    what: str = "the task itself"
    done: int = 0
    expected: int = 0
    planned: float = 0.0
    plain: float = 0.0

    def tick(self, prompts: int) -> None:
        self.done += prompts
        self.progress(self.done, max(self.done, self.expected), self.what)

    def step(self, plan: Plan, what: str) -> None:
        """What a plan has is run next."""
        self.what = what
        self.planned += plan.cost(self.engine).total
        self.plain += plan.plain.total
        self.expected = self.done + round(plan.cost(self.engine).total * plan.prompts)

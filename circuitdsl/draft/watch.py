"""How far a draft or a refinement is."""

from __future__ import annotations

from dataclasses import dataclass

from circuitdsl.check.progress import Progress
from circuitdsl.plan.plan import Plan


@dataclass
class Watch:
    """In prompts through the model: how much is to come is known a step at a time.

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

    def stage(self, plan: Plan, number: int) -> None:
        """A stage of a search begins."""
        self.step(plan, f"stage {number}")

    def step(self, plan: Plan, what: str) -> None:
        """What a plan has is run next."""
        self.what = what
        self.planned += plan.cost(self.engine).total
        self.plain += plan.plain.total
        self.expected = self.done + round(plan.cost(self.engine).total * plan.prompts)

"""The workbench: open models, and the plans that are carried out on them."""

from __future__ import annotations

from circuitdsl.check.conductor import Conductor
from circuitdsl.check.function import check_function
from circuitdsl.check.open_models import OpenModels
from circuitdsl.check.progress import Progress, unwatched
from circuitdsl.outcome import FunctionalComparison, Report, SweepReport
from circuitdsl.plan.function import FunctionPlan
from circuitdsl.plan.plan import Plan


class Workbench(OpenModels):
    """Carries out plans on models that it opens once; its arguments are those of :class:`OpenModels`."""

    def check(self, plan: Plan, progress: Progress = unwatched) -> Report:
        """Carry out a plan. Raises InputError for a model or a task that cannot be had."""
        return self._conductor(plan, progress).report()

    def sweep(self, plan: Plan, progress: Progress = unwatched) -> SweepReport:
        """Carry out the one sweep of a plan. Raises as :meth:`check` does."""
        return self._conductor(plan, progress).sweep()

    def _conductor(self, plan: Plan, progress: Progress) -> Conductor:
        if any(task.name == "file" for circuit in plan.all_circuits for task in circuit.tasks):
            self.benches.clear()  # the file's prompts may not be those of the last check
        conductor = Conductor(self, plan, progress)
        self.listener = conductor.tick
        return conductor

    def compare(self, plan: FunctionPlan, quoted: float | None = None) -> FunctionalComparison:
        """Compare two circuits of one model in structure and in function."""
        return check_function(plan, self.bench(plan.right), quoted)

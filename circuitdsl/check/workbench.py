"""The workbench: open models, and the plans that are carried out on them."""

from __future__ import annotations

from circuitdsl.check.borrowed import borrowed
from circuitdsl.check.conductor import Conductor
from circuitdsl.check.function import check_function
from circuitdsl.check.open_models import OpenModels
from circuitdsl.check.progress import Progress, unwatched
from circuitdsl.errors import run_errors
from circuitdsl.outcome import FunctionalComparison, Report, SweepReport
from circuitdsl.plan.function import FunctionPlan
from circuitdsl.plan.plan import Plan


class Workbench(OpenModels):
    """Carries out plans on models that it opens once; its arguments are those of :class:`OpenModels`.

    Threads take turns. A model that was given as an object is in evaluation mode meanwhile, and as it was afterwards.
    """

    def check(self, plan: Plan, progress: Progress = unwatched) -> Report:
        """Carry out a plan. Raises InputError for a model or a task that cannot be had, and Interrupted with what is
        known where it was interrupted."""
        with self.turn, borrowed(self.model):
            conductor = self._conductor(plan, progress)
            with run_errors():
                return conductor.report()

    def sweep(self, plan: Plan, progress: Progress = unwatched) -> SweepReport:
        """Carry out the one sweep of a plan. Raises InputError as :meth:`check` does."""
        with self.turn, borrowed(self.model):
            conductor = self._conductor(plan, progress)
            with run_errors():
                return conductor.sweep()

    def _conductor(self, plan: Plan, progress: Progress) -> Conductor:
        if any(task.name == "file" for circuit in plan.all_circuits for task in circuit.tasks):
            self.benches.clear()  # the file's prompts may not be those of the last check
        self.require_unhooked()
        conductor = Conductor(self, plan, progress)
        self.listener = conductor.tick
        return conductor

    def compare(self, plan: FunctionPlan, quoted: float | None = None) -> FunctionalComparison:
        """Compare two circuits of one model in structure and in function."""
        with self.turn, borrowed(self.model):
            self.require_unhooked()
            with run_errors():
                return check_function(plan, self.bench(plan.right), quoted)

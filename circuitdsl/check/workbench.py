"""The workbench: open models, and the plans that are carried out on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from circuitdsl.check.borrowed import borrowed
from circuitdsl.check.conductor import Conductor
from circuitdsl.check.function import check_function
from circuitdsl.check.open_models import OpenModels
from circuitdsl.check.progress import Progress, unwatched
from circuitdsl.check.work import Watch
from circuitdsl.engine.deferred import Stale
from circuitdsl.errors import InputError, require, run_errors
from circuitdsl.language.circuit import Circuit
from circuitdsl.outcome import FunctionalComparison, Report, SweepReport
from circuitdsl.plan.function import FunctionPlan
from circuitdsl.plan.plan import Plan
from circuitdsl.tasks import files_of

Found = TypeVar("Found")


class Workbench(OpenModels):
    """Carries out plans on models that it opens once; its arguments are those of :class:`OpenModels`.

    Threads take turns. A model that was given as an object is in evaluation mode meanwhile, and as it was afterwards.
    """

    def check(self, plan: Plan, progress: Progress = unwatched) -> Report:
        """Carry out a plan. Raises InputError for a model or a task that cannot be had, and Interrupted with what is
        known where it was interrupted."""
        _require_plan(plan, Plan, progress, 'plan("my.circuit")')
        return self.carried_out(lambda: self._conductor(plan, progress).report())

    def sweep(self, plan: Plan, progress: Progress = unwatched) -> SweepReport:
        """Carry out the one sweep of a plan. Raises InputError as :meth:`check` does, and for a plan of no sweep."""
        _require_plan(plan, Plan, progress, 'plan_sweep("ioi")')
        if len(plan.sweeps) != 1:
            raise InputError(f"one sweep is carried out, and this plan has {len(plan.sweeps)}", "plan it by plan_sweep")
        return self.carried_out(lambda: self._conductor(plan, progress).sweep())

    def compare(
        self, plan: FunctionPlan, quoted: float | None = None, progress: Progress = unwatched
    ) -> FunctionalComparison:
        """Compare two circuits of one model in structure and in function. Raises InputError as :meth:`check` does."""
        _require_plan(plan, FunctionPlan, progress, "plan_function(left, right, ()), of circuitdsl.plan.function")

        def compared() -> FunctionalComparison:
            watch = Watch(progress)
            self.begin((plan.left, plan.right), watch.tick)
            bench = self.bench(plan.right)  # which says what engine is at work
            watch.engine = self.engines
            watch.step(Plan(others=tuple(plan.jobs())), f"{plan.left.name} with {plan.right.name}")
            return check_function(plan, bench, quoted)

        return self.carried_out(compared)

    def carried_out(self, work: Callable[[], Found]) -> Found:
        """What some work finds; done over where a model is not what it was known as."""
        with self.turn, borrowed(self.model), run_errors():
            try:
                return work()
            except Stale as stale:
                self.distrust(stale.manifest)
                return work()

    def begin(self, circuits: Iterable[Circuit], listener: Callable[[int], None]) -> None:
        """Work on some circuits begins, of which ``listener`` is told. Raises InputError for a model with hooks."""
        if any(files_of(task) for circuit in circuits for task in circuit.tasks):
            self.forget_prompts()  # the file's prompts may not be those of the last check
        self.require_unhooked()
        self.listener = listener

    def _conductor(self, plan: Plan, progress: Progress) -> Conductor:
        """One who carries out a plan on these models, and is told of their work."""
        conductor = Conductor(self, plan, progress)
        self.begin(plan.all_circuits, conductor.tick)
        return conductor


def _require_plan(plan: object, kind: type, progress: object, example: str) -> None:
    require(plan, kind, f"a workbench carries out a {kind.__name__}", f"write {example}")
    if not callable(progress):
        raise InputError("progress is a function that is told of the work", "write progress=print")

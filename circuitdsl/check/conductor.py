"""One check: carry out a plan round by round, have everything judged, and fill the report.

1. The models that are needed are opened, so that a wrong one is refused before anything is run.
2. The first questions of all jobs are run in as few rounds as can be; what is common to them is shared.
3. Block by block, the jobs are resumed, judged, and asked again on more prompts while a claim is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from circuitdsl.check.circuit import check_circuit
from circuitdsl.check.comparison import check_comparison
from circuitdsl.check.interrupted import INTERRUPTED, Interrupted
from circuitdsl.check.intervention import check_intervention
from circuitdsl.check.open_models import OpenModels
from circuitdsl.check.progress import Progress
from circuitdsl.check.sweep import check_sweep
from circuitdsl.check.work import Begun
from circuitdsl.outcome import CircuitReport, ComparisonReport, InterventionReport, Ran, Report, SweepReport, argue
from circuitdsl.plan.circuit import CircuitPlan
from circuitdsl.plan.comparison import ComparisonPlan
from circuitdsl.plan.intervention import InterventionPlan
from circuitdsl.plan.job import Round, Started
from circuitdsl.plan.plan import Plan, Planned


@dataclass
class Conductor:
    """One check of a plan on open models."""

    models: OpenModels
    plan: Plan
    progress: Progress
    done: int = field(default=0, init=False)  # prompts that went through a model
    what: str = field(default="", init=False)

    def report(self) -> Report:
        """Check everything. Raises InputError for a model or a task that cannot be had; Interrupted, if it was
        interrupted and anything is known by then."""
        begun = Begun.now(self.models)
        try:
            self._first_rounds()
            return self._report(begun)
        except KeyboardInterrupt:
            if not self.models.close(INTERRUPTED):
                raise
            raise Interrupted(self._report(begun)) from None
        finally:
            self.models.open_again()

    def _report(self, begun: Begun) -> Report:
        """Judge block by block."""
        circuits = tuple(map(self._circuit, self.plan.circuits))
        interventions = tuple(map(self._intervention, self.plan.interventions))
        comparisons = tuple(map(self._comparison, self.plan.comparisons))
        self.progress(self.done, self.done, self.what)  # what was expected is an estimate
        return Report(
            circuits=circuits,
            comparisons=comparisons,
            interventions=interventions,
            argument=argue(circuits, comparisons, interventions),
            notes=self.models.notes,
            **vars(self._ran(begun)),
        )

    def sweep(self) -> SweepReport:
        """Carry out the one sweep of a plan. Raises as :meth:`report` does."""
        begun = Begun.now(self.models)
        (planned,) = self.plan.sweeps
        bench = self.models.bench(planned.circuit)
        self._begin(f"sweep of {planned.circuit.task}")
        found = check_sweep(planned, bench)
        self.progress(self.done, self.done, self.what)
        notes = (*found.notes, *self.models.notes)
        return replace(found, notes=notes, **vars(self._ran(begun)))

    # --- blocks -----------------------------------------------------------------------------------

    def _first_rounds(self) -> None:
        """Run what all jobs ask for at first but the searches for unlisted heads, which come by themselves. The
        sessions remember it for whoever asks again."""
        for circuit in self.plan.measured:
            self.models.bench(circuit)
        self._begin("all claims")
        for each, jobs in self.plan.rounds().items():
            if not each.search:
                self._first_round(each, jobs)

    def _first_round(self, each: Round, jobs: Sequence[Started]) -> None:
        """Run what jobs ask for at first, of those that are led by one of several figures that one's part."""
        bench = self.models.bench_of(jobs[0].job.model, jobs[0].job.method)
        leaders = bench.leaders(jobs)
        asked = (leaders.get(started, started) for started in jobs)
        bench.session.run((e for started in asked for e in started.experiments), each.prompts)

    def _circuit(self, plan: CircuitPlan) -> CircuitReport:
        self._begin(plan.circuit.name)
        return check_circuit(plan, self.models.bench(plan.circuit))

    def _intervention(self, plan: InterventionPlan) -> InterventionReport:
        self._begin(plan.intervention.name)
        return check_intervention(plan, self.models.bench(plan.questions.circuit))

    def _comparison(self, plan: ComparisonPlan) -> ComparisonReport:
        self._begin(f"{plan.left.name} with {plan.right.name}")
        return check_comparison(plan, self.models.bench)

    # --- progress and cost -----------------------------------------------------------------------

    def _begin(self, what: str) -> None:
        """Say what is done now, before any of it is: prompts may have to be drawn first."""
        self.what = what
        self.progress(self.done, max(self.done, self._expected), what)

    def tick(self, prompts: int) -> None:
        """Work done, in prompts through a model."""
        self.done += prompts
        self.progress(self.done, max(self.done, self._expected), self.what)

    @property
    def _expected(self) -> int:
        """Prompts through the model if every claim is decided at the first look and nothing is known."""
        return round(self._planned.total * self.plan.prompts)

    @property
    def _planned(self) -> Planned:
        """What the plan says of the engine at work."""
        return self.plan.cost(self.models.engines)

    def _ran(self, begun: Begun) -> Ran:
        """What every report says of the work since it was ``begun``."""
        return begun.since(self.done, self.plan.prompts, self._planned.total, self.plan.plain.total)

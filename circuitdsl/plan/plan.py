"""Document -> Plan: every job by block, started once, with its distinct experiments and their cost.

The plan is what is printed, what is run, what progress counts, and what the cost is compared with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property

from circuitdsl.components import Geometry
from circuitdsl.display import Displayed
from circuitdsl.engine.base import Asked, Memory, engines
from circuitdsl.engine.references import prompts_had
from circuitdsl.language.circuit import Circuit, Document
from circuitdsl.language.environment import TaskInfo, TaskRef
from circuitdsl.measures.experiments import Data, Experiment, World
from circuitdsl.measures.measurement import Failure
from circuitdsl.plan.circuit import CircuitPlan, plan_circuit
from circuitdsl.plan.comparison import ComparisonPlan, plan_comparison
from circuitdsl.plan.function import FunctionPlan
from circuitdsl.plan.intervention import InterventionPlan, plan_intervention
from circuitdsl.plan.job import Job, Round, Started
from circuitdsl.plan.sweep import SweepPlan
from circuitdsl.tasks import Layout, describe, open_task


@dataclass(frozen=True)
class Line:
    """What one job asks for. ``new`` of its experiments are asked for by no earlier job of the plan.

    The cost is that of the worlds that no earlier job needs, in forward passes over the job's own prompts: ``passes``
    of the plain engine, and ``fast``, an estimate, of the fast one.
    """

    job: Job
    experiments: int
    new: int
    passes: int
    fast: float
    note: str = ""


@dataclass(frozen=True)
class Planned:
    """Forward passes over all prompts of a plan: of runs that worlds share (clean and counterfactual prompts, means,
    models with everything replaced), and in total."""

    shared: float
    total: float

    def to_dict(self) -> dict[str, float]:
        return {"shared": round(self.shared, 2), "total": round(self.total, 2)}


@dataclass(frozen=True, repr=False)
class Plan(Displayed):
    """All jobs of a call, by block, and their cost in the first round, in forward passes over ``prompts`` prompts.

    ``others`` are jobs of no block, ``used`` circuits that the blocks only refer to. Stacks may take ``stacked`` bytes,
    0 for the default. ``asked`` counts experiments with repetitions, ``distinct`` without. ``plain`` is the cost to the
    engine that runs worlds one by one, ``fast`` what the fast engine is expected to need. Both are lower bounds where
    ``adaptive`` jobs will ask for more once they have seen results. ``prompts`` are the most that any job begins with,
    fewer where a file has no more; a pass over fewer counts as that part of one.
    """

    circuits: tuple[CircuitPlan, ...] = ()
    comparisons: tuple[ComparisonPlan, ...] = ()
    interventions: tuple[InterventionPlan, ...] = ()
    functions: tuple[FunctionPlan, ...] = ()
    sweeps: tuple[SweepPlan, ...] = ()
    others: tuple[Started, ...] = ()
    used: tuple[Circuit, ...] = ()
    stacked: int = 0

    def jobs(self) -> Iterator[Started]:
        """Every job, in order."""
        for block in (*self.circuits, *self.comparisons, *self.interventions, *self.functions, *self.sweeps):
            yield from block.jobs()
        yield from self.others

    @property
    def all_circuits(self) -> tuple[Circuit, ...]:
        """Every circuit that is checked, swept or referred to."""
        return (*(block.circuit for block in (*self.circuits, *self.sweeps)), *self.used)

    @property
    def measured(self) -> tuple[Circuit, ...]:
        """The circuits whose models are needed, each once: all but those that are only compared in structure."""
        found = [
            *(block.circuit for block in self.circuits),
            *(block.questions.circuit for block in self.interventions),
            *(circuit for block in self.comparisons if block.claims for circuit in (block.left, block.right)),
        ]
        return tuple({circuit.name: circuit for circuit in found}.values())

    def rounds(self) -> Mapping[Round, tuple[Started, ...]]:
        """The jobs whose first questions an engine is given together, searches for unlisted heads apart."""
        found: dict[Round, list[Started]] = {}
        for started in self.jobs():
            found.setdefault(started.job.round, []).append(started)
        return {each: tuple(jobs) for each, jobs in found.items()}

    # --- cost ------------------------------------------------------------------------------------

    @property
    def asked(self) -> int:
        return sum(ask.experiments for ask in self._asks)

    @property
    def distinct(self) -> int:
        return sum(ask.new for ask in self._asks)

    @property
    def worlds(self) -> int:
        return sum(len(ask.worlds) for ask in self._asks)

    @cached_property
    def prompts(self) -> int:
        """The most that any job begins with, as far as its tasks have so many."""
        return max((self._begins_with(started) for started in self.jobs()), default=0)

    def _begins_with(self, started: Started) -> int:
        wanted = started.job.round.prompts
        data = dict.fromkeys(experiment.data for experiment in started.experiments)
        return max((self._had(each, wanted) for each in data), default=wanted)

    def _had(self, data: Data, wanted: int) -> int:
        """How many of the prompts that are wanted a task has."""
        lines = self._infos(data.task).lines
        return min(wanted, sum(lines)) if lines else wanted

    @cached_property
    def _infos(self) -> Callable[[TaskRef], TaskInfo]:
        """What tasks are, each opened once."""
        return cache(describe)

    @property
    def adaptive(self) -> int:
        return sum(started.job.adaptive for started in self.jobs())

    @property
    def raced(self) -> int:
        return sum(started.job.raced for started in self.jobs())

    @property
    def led(self) -> int:
        return sum(bool(started.one) for started in self.jobs())

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """A line a job. Raises UnknownName for a task that is not there."""
        plain, fast = self._own("plain"), self._own("fast")

        def cost(own: Mapping[_Run, Mapping[World, float]], ask: _Ask) -> float:
            return sum(own[run][world] * self._share(run) for run, world in ask.worlds)

        return tuple(
            Line(ask.job, ask.experiments, ask.new, round(cost(plain, ask)), cost(fast, ask), ask.note)
            for ask in self._asks
        )

    @cached_property
    def plain(self) -> Planned:
        return self._planned("plain")

    @cached_property
    def fast(self) -> Planned:
        return self._planned("fast")

    def cost(self, engine: str) -> Planned:
        """What a built-in engine is expected to need: the plain one, or the fast one for any other name."""
        return self.plain if engine == "plain" else self.fast

    # --- memory ----------------------------------------------------------------------------------

    @cached_property
    def memory(self) -> Memory:
        """The most that the fast engine takes on this machine's cores, on as many prompts as methods allow, as far as
        jobs ask at first. Raises UnknownName for a task that is not there."""
        peak = engines()["fast"].peak
        assert peak is not None, "the fast engine says what memory it takes"
        return peak(tuple(self.given()), self.stacked, cores())

    def given(self) -> Iterator[Asked]:
        """What an engine is given at once, over the most prompts that a method allows."""
        given: dict[_Run, list[Experiment]] = {}
        most: dict[_Run, int] = {}
        for started in self.jobs():
            job = started.job
            for experiment in started.experiments:
                run = _Run(job.round, experiment.data, job.geometry)
                given.setdefault(run, []).append(experiment)
                most[run] = max(most.get(run, 0), job.method.prompts_most)
        for run, experiments in given.items():
            info = self._infos(run.data.task)
            prompts = self._had(run.data, most[run])
            model = (run.round.model, run.round.processing)
            yield Asked(model, run.geometry, _typical(run), info.templates, prompts, experiments)

    @cached_property
    def _asks(self) -> tuple[_Ask, ...]:
        return tuple(_asks(self.jobs()))

    @cached_property
    def _together(self) -> Mapping[_Run, tuple[World, ...]]:
        """The worlds that an engine is given at once, each with the first job that needs it."""
        found: dict[_Run, list[World]] = {}
        for ask in self._asks:
            for run, world in ask.worlds:
                found.setdefault(run, []).append(world)
        return {run: tuple(worlds) for run, worlds in found.items()}

    def _share(self, run: _Run) -> float:
        """The share of its round's prompts that a world is run on."""
        return self._had(run.data, run.prompts) / self._had(run.data, run.round.prompts)

    def _own(self, engine: str) -> Mapping[_Run, Mapping[World, float]]:
        cost = engines()[engine].cost
        return {run: cost.own(worlds, _typical(run), run.geometry) for run, worlds in self._together.items()}

    def _planned(self, engine: str) -> Planned:
        if not self.prompts:
            return Planned(0, 0)
        shared, own = self._shared(engine), self._own(engine)
        runs = (self._had(run.data, run.prompts) * sum(worlds.values()) for run, worlds in own.items())
        return Planned(shared / self.prompts, (shared + sum(runs)) / self.prompts)

    def _shared(self, engine: str) -> int:
        """What is shared, in prompts through the model."""
        cost = engines()[engine].cost
        runs: dict[Hashable, int] = {}
        for run, worlds in self._together.items():
            for shared in cost.shared(worlds):
                place = (run.round.model, run.round.processing, run.data) if shared.once else run
                over = shared.over
                prompts = (
                    self._had(run.data, run.prompts) if over is None else prompts_had(over, self._infos(run.data.task))
                )
                runs[place, shared.key] = max(prompts, runs.get((place, shared.key), 0))
        return sum(runs.values())

    def to_dict(self) -> dict[str, object]:
        return {
            "schema": "circuitdsl/plan/2",
            "experiments": {"asked": self.asked, "distinct": self.distinct},
            "worlds": self.worlds,
            "passes": self.plain.to_dict(),
            "fast_passes": self.fast.to_dict(),
            "memory": self.memory.to_dict(),
            "prompts": self.prompts,
            "adaptive": self.adaptive,
            "lines": [
                {
                    "key": list(line.job.key),
                    "purpose": line.job.purpose,
                    "about": line.job.about,
                    "experiments": line.experiments,
                    "new": line.new,
                    "passes": line.passes,
                    "fast_passes": round(line.fast, 3),
                    "note": line.note,
                }
                for line in self.lines
            ],
        }


def make_plan(document: Document, unexplained: bool = True, stacked: int = 0, examples: bool = False) -> Plan:
    """Start every job of a document, in order. No model and no tokenizer is needed.

    ``unexplained`` looks for heads that matter and are not listed. ``stacked``: bytes that stacks of runs may take.
    ``examples`` reads single prompts of every circuit, to be shown.
    """
    return Plan(
        circuits=tuple(plan_circuit(circuit, unexplained, examples) for circuit in document.circuits),
        comparisons=tuple(plan_comparison(document, comparison) for comparison in document.comparisons),
        interventions=tuple(
            plan_intervention(intervention, document.circuit(intervention.on))
            for intervention in document.interventions
        ),
        used=document.used,
        stacked=stacked,
    )


def cores() -> int:
    """How many stacks of runs are at work at once on a CPU: as many as torch takes threads."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) else os.cpu_count() or 1


# --- what is asked, and what of it is new ----------------------------------------------------------


@dataclass(frozen=True)
class _Run:
    """What an engine runs at once: a round's experiments on the same data, in a model of this shape. ``few``: on the
    first of its prompts alone, as many; 0 for all of them."""

    round: Round
    data: Data
    geometry: Geometry
    few: int = 0

    @property
    def prompts(self) -> int:
        return self.few or self.round.prompts


@dataclass(frozen=True)
class _Ask:
    """What a job asks for at first, and the worlds of it that no earlier one needs."""

    job: Job
    experiments: int
    new: int
    worlds: tuple[tuple[_Run, World], ...]
    note: str = ""


def _asks(jobs: Iterable[Started]) -> Iterator[_Ask]:
    jobs, seen = tuple(jobs), set[tuple[str, str, Experiment]]()
    worlds: set[tuple[str, str, Data, World]] = set()
    on_all = {(*_model(each.job), e.data, e.world) for each in jobs for e in each.on_all}
    for started in jobs:
        job = started.job
        if isinstance(started.first, Failure):
            yield _Ask(job, 0, 0, (), started.first.message)
            continue
        experiments = started.first
        model = _model(job)
        new = {(*model, e) for e in experiments} - seen
        seen |= new
        own = dict.fromkeys((*model, e.data, e.world) for e in experiments if (*model, e) in new)
        mine = tuple(
            (_Run(job.round, world[2], job.geometry, 0 if world in on_all else job.few), world[3])
            for world in own
            if world not in worlds
        )
        worlds |= set(own)
        yield _Ask(job, len(experiments), len(new), mine, _changes(started))


def _model(job: Job) -> tuple[str, str]:
    return job.model, job.method.processing


def _changes(started: Started) -> str:
    """In which way a job may come to take another number of passes."""
    job = started.job
    if job.raced:
        return "at most: it is measured on fewer prompts where they settle it"
    said = ["asks for more once it has seen results"] if job.adaptive else []
    said += [job.lead.otherwise] if job.lead and started.one else []
    return "; ".join(said)


def _typical(run: _Run) -> tuple[Layout, ...]:
    layouts = (replace(each, read=run.data.at) for each in open_task(run.data.task).layouts())
    return tuple(each.after_bos() if run.data.bos else each for each in layouts)

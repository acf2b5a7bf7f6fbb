"""The plan of a call: which distinct experiments its claims need, and what they cost, before anything runs."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from circuitdsl.measures.experiments import Data, Experiment, Mean, World, passes, shared_passes
from circuitdsl.plan.drive import Failure, first_round
from circuitdsl.plan.fast import Prompts, own_runs, shared_runs
from circuitdsl.plan.jobs import Job, Round
from circuitdsl.tasks import open_task


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


@dataclass(frozen=True)
class Plan:
    """All jobs of a call and their cost at the first look, in forward passes over ``prompts`` prompts.

    ``asked`` counts experiments with repetitions, ``distinct`` without. ``plain`` is the cost to the engine that runs
    worlds one by one, ``fast`` what the fast engine is foretold to need. Both are lower bounds where ``adaptive`` jobs
    will ask for more once they have seen results. ``prompts`` are the most that any job begins with; a pass over fewer
    counts as that part of one.
    """

    lines: tuple[Line, ...]
    asked: int
    distinct: int
    worlds: int
    plain: Planned
    fast: Planned
    prompts: int
    adaptive: int

    def to_dict(self) -> dict[str, object]:
        return {
            "schema": "circuitdsl/plan/1",
            "experiments": {"asked": self.asked, "distinct": self.distinct},
            "worlds": self.worlds,
            "passes": self.plain.to_dict(),
            "fast_passes": self.fast.to_dict(),
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


def make_plan(jobs: Sequence[Job]) -> Plan:
    """The plan of these jobs, in their order. No model and no tokenizer is needed.

    Raises UnknownName for a task that is not there.
    """
    asks = _asks(jobs)
    prompts = max((job.method.prompts_first for job in jobs), default=0)
    together: dict[_Run, list[World]] = {}
    for ask in asks:
        for run, world in ask.worlds:
            together.setdefault(run, []).append(world)
    fast = {run: own_runs(worlds, _typical(run)) for run, worlds in together.items()}
    lines = tuple(
        Line(
            ask.job,
            ask.experiments,
            ask.new,
            sum(passes(world) for _, world in ask.worlds),
            sum(fast[run][world] for run, world in ask.worlds),
            ask.note or ("asks for more once it has seen results" if ask.job.adaptive else ""),
        )
        for ask in asks
    )

    def planned(shared: float, own: Iterable[tuple[Job, float]]) -> Planned:
        if not prompts:
            return Planned(0, 0)
        return Planned(shared / prompts, (shared + sum(job.round.prompts * each for job, each in own)) / prompts)

    return Plan(
        lines=lines,
        asked=sum(ask.experiments for ask in asks),
        distinct=sum(ask.new for ask in asks),
        worlds=sum(len(ask.worlds) for ask in asks),
        plain=planned(_shared_by_plain(together), ((line.job, line.passes) for line in lines)),
        fast=planned(_shared_by_fast(together), ((line.job, line.fast) for line in lines)),
        prompts=prompts,
        adaptive=sum(job.adaptive for job in jobs),
    )


@dataclass(frozen=True)
class _Run:
    """What an engine runs at once: a round's experiments on the same data, in a model of so many layers."""

    round: Round
    data: Data
    layers: int


@dataclass(frozen=True)
class _Ask:
    """What a job asks for at first, and the worlds of it that no earlier one needs."""

    job: Job
    experiments: int
    new: int
    worlds: tuple[tuple[_Run, World], ...]
    note: str = ""


def _asks(jobs: Iterable[Job]) -> list[_Ask]:
    seen: set[tuple[str, str, Experiment]] = set()
    worlds: set[tuple[str, str, Data, World]] = set()
    asks: list[_Ask] = []
    for job in jobs:
        experiments = first_round(job)
        if isinstance(experiments, Failure):
            asks.append(_Ask(job, 0, 0, (), experiments.message))
            continue
        model = (job.model, job.method.processing)
        new = {(*model, e) for e in experiments} - seen
        seen |= new
        own = dict.fromkeys((*model, e.data, e.world) for e in experiments if (*model, e) in new)
        mine = tuple(
            (_Run(job.round, world[2], job.geometry.n_layers), world[3]) for world in own if world not in worlds
        )
        worlds |= set(own)
        asks.append(_Ask(job, len(experiments), len(new), mine))
    return asks


def _typical(run: _Run) -> Prompts:
    layouts = open_task(run.data.task).layouts()
    return Prompts(tuple(each.after_bos() for each in layouts) if run.data.bos else layouts, run.layers)


# --- what is shared, in prompts through the model --------------------------------------------------


def _shared_by_plain(together: Mapping[_Run, Iterable[World]]) -> int:
    """Every cache is made once for a model and some data."""
    caches: dict[Hashable, int] = {}
    for run, worlds in together.items():
        for name in frozenset[Hashable]().union(*map(shared_passes, worlds)):
            caches[run.round.model, run.round.processing, run.data, name] = run.round.prompts
    return sum(caches.values())


def _shared_by_fast(together: Mapping[_Run, Iterable[World]]) -> int:
    """Every round makes its own, but for means, which are made once for a model and some data."""
    runs: dict[Hashable, int] = {}
    for run, worlds in together.items():
        for shared in shared_runs(worlds):
            if isinstance(shared, Mean):
                runs[run.round.model, run.round.processing, run.data, shared] = shared.reference
            else:
                runs[run, shared] = run.round.prompts
    return sum(runs.values())

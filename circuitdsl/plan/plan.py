"""The plan of a call: which distinct experiments its claims need, and what they cost, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from circuitdsl.measures.experiments import Data, Experiment, World, passes, shared_passes
from circuitdsl.plan.drive import Failure, first_round
from circuitdsl.plan.jobs import Job


@dataclass(frozen=True)
class Line:
    """What one job asks for. ``new`` of its experiments are asked for by no earlier job of the plan."""

    job: Job
    experiments: int
    new: int
    passes: int  # forward passes for the worlds that no earlier job needs
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """All jobs of a call and their cost in forward passes over the prompts, for the engine that runs them one by one.

    ``asked`` counts experiments with repetitions, ``distinct`` without. ``passes`` is a lower bound where ``adaptive``
    jobs will ask for more once they have seen results.
    """

    lines: tuple[Line, ...]
    asked: int
    distinct: int
    worlds: int
    shared: int
    passes: int
    prompts: int
    adaptive: int

    def to_dict(self) -> dict[str, object]:
        return {
            "schema": "circuitdsl/plan/1",
            "experiments": {"asked": self.asked, "distinct": self.distinct},
            "worlds": self.worlds,
            "passes": {"shared": self.shared, "total": self.passes},
            "prompts": self.prompts,
            "adaptive": self.adaptive,
            "lines": [
                {
                    "key": list(line.job.key),
                    "purpose": line.job.purpose,
                    "experiments": line.experiments,
                    "new": line.new,
                    "passes": line.passes,
                    "note": line.note,
                }
                for line in self.lines
            ],
        }


def make_plan(jobs: Sequence[Job]) -> Plan:
    """The plan of these jobs, in their order. No model and no prompt is needed."""
    seen: set[tuple[str, Experiment]] = set()
    worlds: set[tuple[str, Data, World]] = set()
    caches: set[tuple[str, Data, str]] = set()
    lines, asked = [], 0
    for job in jobs:
        experiments = first_round(job)
        if isinstance(experiments, Failure):
            lines.append(Line(job, 0, 0, 0, experiments.message))
            continue
        asked += len(experiments)
        new = {(job.model, e) for e in experiments} - seen
        seen |= new
        new_worlds = {(model, e.data, e.world) for model, e in new} - worlds
        worlds |= new_worlds
        caches |= {(m, data, name) for m, data, world in new_worlds for name in shared_passes(world)}
        note = "asks for more once it has seen results" if job.adaptive else ""
        lines.append(Line(job, len(experiments), len(new), sum(passes(w) for _, _, w in new_worlds), note))
    return Plan(
        lines=tuple(lines),
        asked=asked,
        distinct=len(seen),
        worlds=len(worlds),
        shared=len(caches),
        passes=sum(line.passes for line in lines) + len(caches),
        prompts=max((job.method.prompts_first for job in jobs), default=0),
        adaptive=sum(job.adaptive for job in jobs),
    )

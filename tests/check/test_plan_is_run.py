"""The plan that is printed is the plan that is run: the same experiments, every job started once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import circuitdsl as cd
from cheap import with_reference
from circuitdsl import api
from circuitdsl.check.workbench import Workbench
from circuitdsl.engine.session import Session
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Document
from circuitdsl.measures.experiments import Experiment
from circuitdsl.plan.function import plan_function
from circuitdsl.plan.job import Job, Started
from circuitdsl.plan.plan import Plan

SPECS = Path(__file__).parents[2] / "specs" / "planted"
PROMPTS, REFERENCE = 8, 4


def loaded(*names: str) -> Document:
    """Planted specs, measured on a few prompts."""
    document = api.with_prompts(cd.load(*(SPECS / f"{name}.circuit" for name in names)), PROMPTS)
    return with_reference(document, REFERENCE)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> set[Experiment]:
    """Every experiment that a session is asked for."""
    seen: set[Experiment] = set()
    run = Session.run

    def recorded(self, experiments, count):
        experiments = tuple(experiments)
        seen.update(experiments)
        return run(self, experiments, count)

    monkeypatch.setattr(Session, "run", recorded)
    return seen


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the job of each key was started."""
    counted: Counter[str] = Counter()
    made = Started.__post_init__

    def wrapped(self):
        start = self.job.start

        def once():
            counted[" ".join(self.job.key)] += 1
            return start()

        self.job = replace(self.job, start=once)
        made(self)

    monkeypatch.setattr(Started, "__post_init__", wrapped)
    return counted


def planned(plan: Plan) -> set[Experiment]:
    return {experiment for started in plan.jobs() for experiment in started.experiments}


@pytest.mark.parametrize("names", [["ioi", "colored_objects", "reuse"], ["repair"]])
def test_a_check_runs_what_its_plan_holds_and_starts_every_job_once(names, ran, starts):
    document = loaded(*names)
    plan = api.plan(document)
    report = Workbench().check(plan)
    # What is not listed is looked for where the model does the task, which so few prompts may leave open.
    idle = {c.circuit.name for c in report.circuits if c.performance and c.performance.verdict is not Verdict.HOLDS}
    spared = {
        experiment
        for circuit in plan.circuits
        if circuit.circuit.name in idle
        for started in circuit.unlisted.values()
        for experiment in started.experiments
    }
    assert ran <= planned(plan)
    assert planned(plan) - ran <= spared
    # In a race the same is asked again, on more prompts: at a quarter, a half and all of them.
    looks = {name: count for name, count in starts.items() if " unlisted " in name}
    assert {count for name, count in starts.items() if name not in looks} == {1}
    assert all(1 <= count <= 3 for count in looks.values())
    assert len(starts) == len(plan.lines) == len({started.job.key for started in plan.jobs()})


def test_a_comparison_in_function_runs_what_its_plan_holds(ran, starts):
    document = loaded("reuse")
    left, right = document.used
    plan = plan_function(left, right)
    Workbench().compare(plan)
    assert ran == {experiment for started in plan.jobs() for experiment in started.experiments}
    assert set(starts.values()) == {1}


def test_a_second_check_of_a_plan_gives_the_same(ran):
    """Askings are taken up once; a plan that is checked again starts them anew."""
    document = loaded("induction")
    plan, bench = api.plan(document, unexplained=False), Workbench()
    first, second = bench.check(plan), bench.check(plan)
    assert [outcome.to_dict() for outcome in first.outcomes] == [outcome.to_dict() for outcome in second.outcomes]
    assert second.cost.experiments == 0


def test_a_job_that_cannot_be_asked_says_why():
    document = cd.load(SPECS / "induction.circuit")
    circuit = document.circuits[0]

    def start():
        from circuitdsl.measures.measurement import CannotMeasure

        raise CannotMeasure("no such thing")

    job = Job(("c", "1"), "claim", circuit.model, circuit.method, circuit.geometry, start)
    started = Started(job)
    assert str(started.first) == "Failure(message='no such thing')"
    assert started.experiments == ()

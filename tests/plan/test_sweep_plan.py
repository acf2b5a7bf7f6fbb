"""The plan of a sweep: a job a sender, what it shares with a specification, what it costs."""

from __future__ import annotations

import pytest

import circuitdsl as cd
from circuitdsl.errors import InputError
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.experiments import Ablated, Patched
from circuitdsl.plan.plan import Plan
from circuitdsl.plan.sweep import SweepPlan


def planned(*terms: str, prompts: int = 200) -> tuple[Plan, SweepPlan]:
    plan = cd.plan_sweep("ioi", *terms, model="mini", prompts=prompts)
    (sweep,) = plan.sweeps
    return plan, sweep


def test_every_sender_has_a_job_of_its_own():
    plan, sweep = planned("{ heads mlps } at END -> logits", "attention(heads, END -> S2)")
    effects, attention = sweep.series
    assert (len(effects.senders), len(attention.senders), sweep.senders) == (36, 32, 68)
    assert {started.job.purpose for started in sweep.jobs()} == {"performance", "sweep"}
    assert len({started.job.key for started in plan.jobs()}) == 69
    worlds = {e.world for started in effects.senders.values() for e in started.experiments}
    assert sum(isinstance(world, Patched) and len(world.senders) == 1 for world in worlds) == 36


def test_senders_that_write_too_late_are_left_out():
    _, sweep = planned("{ heads mlps } at END -> { 1.0 2.0 }.q at END")
    (series,) = sweep.series
    left_out = {str(node.component) for node in series.left_out}
    assert left_out == {*(f"{layer}.{head}" for layer in (2, 3) for head in range(8)), "mlp 2", "mlp 3"}
    assert len(series.senders) + len(left_out) == 36


def test_a_figure_of_heads_takes_no_mlps():
    with pytest.raises(InputError, match="attention is a figure of attention heads"):
        planned("attention({ heads mlps }, END -> S2)")


def test_experiments_are_those_of_claims_that_say_the_same():
    spec = """circuit c { model mini task ioi method { prompts 200 }
      expect effect(3.0 at END -> logits) <= 0%
      expect knockout({ 0.1 }) <= 0% }"""
    of_spec = {
        e for started in cd.plan(resolve_text(spec, "c", cd.environment()), False).jobs() for e in started.experiments
    }
    plan, _ = planned("heads at END -> logits", "knockout(heads)")
    of_sweep = {e for started in plan.jobs() for e in started.experiments}
    assert of_spec <= of_sweep
    assert sum(isinstance(e.world, Ablated) for e in of_sweep) == 32


def test_its_cost_is_that_of_its_worlds():
    plan, _ = planned("{ heads mlps } at END -> logits", prompts=50)
    assert plan.prompts == 50
    assert plan.distinct == 36 + 2
    assert plan.plain.total == 2 + 36 + 1 or plan.plain.total >= 36
    assert plan.fast.total < plan.plain.total / 5
    page = cd.show(plan)
    assert "each sender alone" in page and "effect({ heads mlps } at END -> logits)" in page
    assert plan.to_dict()["schema"] == "circuitdsl/plan/2"

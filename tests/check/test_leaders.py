"""Minimality is led by one of its sets: fewer runs, and the verdicts of all sets on all prompts."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from dataclasses import replace

import pytest
import torch

import circuitdsl as cd
from arrays import array
from circuitdsl.check.bench import Bench
from circuitdsl.check.workbench import Workbench
from circuitdsl.language.circuit import Bound
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.estimands import Led
from circuitdsl.measures.measurement import Measurement
from circuitdsl.plan.circuit import CircuitPlan, plan_circuit
from circuitdsl.plan.job import Started

torch.set_num_threads(1)

SPEC = """circuit c {
  model mini
  task  ioi
  method { against abc  ablate mean by template  prompts PROMPTS  reference 4  floor 0.1% }
  role gatherer        { 0.3 0.5 0.6 0.7 }
  role lookup   at S2  { 1.0 1.1 1.5 }
  role fetcher  at END { 2.3 2.6 2.7 3.0 3.6 3.7 }
}
"""


def planned(prompts: str, engine: str = "fast") -> tuple[CircuitPlan, Bench]:
    (circuit,) = resolve_text(SPEC.replace("PROMPTS", prompts), "c.circuit", cd.environment()).circuits
    return plan_circuit(circuit, unexplained=False), Workbench(engine=engine, store=None).bench(circuit)


@pytest.fixture(scope="module")
def forty() -> tuple[CircuitPlan, Bench]:
    return planned("60")


def bounds(plan: CircuitPlan, low: float | None = None) -> dict[Started, Bound]:
    found: dict[Started, Bound] = {}
    for claim, job in plan.claims.items():
        assert isinstance(claim.bound, Bound)
        found[job] = claim.bound if low is None else Bound(">=", low=low)
    return found


def test_verdicts_are_those_of_all_sets_on_all_prompts_and_less_is_run():
    plan, bench = planned("60")  # of its own, for what was run is looked at
    settled = bench.settled(bounds(plan), 60)
    led = {
        job: each for job, each in settled.items() if isinstance(each, Measurement) and isinstance(each.estimand, Led)
    }
    assert len(led) >= 8
    assert len(led) < len(settled), "what 3.6 adds is not told from nothing"
    few = {e: len(array(bench.session.results[e])) for job in led for e in job.experiments}
    assert set(few.values()) == {15, 60}
    assert sum(count == 15 for count in few.values()) > len(few) / 2
    whole = bench.measure(plan.claims.values(), 60)
    for claim, job in plan.claims.items():
        ours, theirs = (bench.judged(each[job], claim.bound, 0.95).judgement for each in (settled, whole))
        assert ours.verdict is theirs.verdict
        assert ours.p_value is not None and theirs.p_value is not None and ours.p_value >= theirs.p_value - 1e-12


def test_where_the_leader_does_not_decide_all_sets_are_measured_on_all_prompts(forty: tuple[CircuitPlan, Bench]):
    plan, bench = forty
    settled = bench.settled(bounds(plan, low=9.0), 60)
    assert not any(isinstance(each, Measurement) and isinstance(each.estimand, Led) for each in settled.values())


def test_bounds_that_one_large_set_does_not_meet_are_judged_by_all(forty: tuple[CircuitPlan, Bench]):
    plan, bench = forty
    settled = bench.settled({job: Bound("<=", high=9.0) for job in plan.claims.values()}, 60)
    assert not any(isinstance(each, Measurement) and isinstance(each.estimand, Led) for each in settled.values())


def test_the_table_of_heads_has_the_figures_of_their_claims_and_asks_for_no_more(forty: tuple[CircuitPlan, Bench]):
    plan, bench = forty
    claims = bench.settled(bounds(plan), 60)
    ran = bench.session.ran
    rows = bench.settled(dict.fromkeys(plan.minimality.values(), Bound(">=", low=plan.circuit.method.floor)), 60)
    assert bench.session.ran == ran
    for ours, theirs in zip(claims.values(), rows.values(), strict=True):
        assert bench.estimate(ours, 0.95) == bench.estimate(theirs, 0.95)


def test_a_later_look_follows_the_set_that_was_largest_at_the_look_before(forty: tuple[CircuitPlan, Bench]):
    plan, bench = forty
    jobs = bounds(plan)
    found = bench.settled(jobs, 70, seen=dict.fromkeys(jobs, 60)).values()
    led = [each for each in found if isinstance(each, Measurement) and isinstance(each.estimand, Led)]
    assert led
    assert {tuple(len(sample.columns) for sample in each.samples) for each in led} == {(70, 60)}


def test_nothing_leads_that_a_correction_would_take_back(forty: tuple[CircuitPlan, Bench]):
    plan, bench = forty
    jobs = bounds(plan)
    counts = [
        sum(isinstance(each, Measurement) and isinstance(each.estimand, Led) for each in found.values())
        for found in (bench.settled(jobs, 60, tests) for tests in (1, 100, 10**40))
    ]
    assert counts[0] >= counts[1] > counts[2] == 0


def test_of_few_prompts_and_of_a_single_set_nothing_is_led():
    plan, _ = planned("56")
    assert not any(job.one for job in plan.claims.values())
    (circuit,) = resolve_text(SPEC.replace("PROMPTS", "60"), "c.circuit", cd.environment()).circuits
    alone = replace(
        circuit, roles=(replace(circuit.roles[0], nodes=circuit.roles[0].nodes[:1]),), claims=circuit.claims[:1]
    )
    assert not any(job.one for job in plan_circuit(alone, unexplained=False).claims.values())


def test_a_plan_says_what_is_run_at_least_and_where_more_may_be():
    """More is run for a leader that does not decide, and for one without others than were planned."""
    fetchers = "\n".join(line for line in SPEC.replace(" 3.6", "").splitlines() if "lookup" not in line)
    document = resolve_text(fetchers.replace("PROMPTS", "60"), "c.circuit", cd.environment())
    plan = cd.plan(document, unexplained=False)
    report = Workbench(engine="plain", store=None).check(plan)
    assert plan.plain.total <= report.cost.passes < plan.worlds
    assert f"{plan.led} jobs have many figures" in str(plan)


CONTROLLED = """circuit c {
  model mini
  task  ioi
  method { against abc  ablate mean by template  prompts 60  reference 4  members none }
  role gatherer        { 0.3 0.5 0.6 0.7 }
  role lookup   at S2  { 1.0 1.1 1.4 1.5 1.6 1.7 }
  role caller   at END { 1.0 1.1 1.5 1.7 }
  role fetcher  at END { 2.3 2.5 2.6 2.7 3.0 3.3 3.7 }
"""


def claiming(*claims: str, method: str = "members none") -> CircuitPlan:
    text = CONTROLLED.replace("members none", method) + "".join(f"  expect {claim}\n" for claim in claims) + "}\n"
    (circuit,) = resolve_text(text, "c.circuit", cd.environment()).circuits
    return plan_circuit(circuit, unexplained=False)


def test_minimality_is_planned_on_few_prompts_where_one_set_can_decide_alone():
    claims = (
        f"minimality(fetcher) {bound}" for bound in (">= 1%", "> 1%", "<= 90%", "in 1% .. 90%", "outside 1% .. 2%")
    )
    plan = claiming(*claims)
    assert [bool(job.one) for job in plan.claims.values()] == [True, True, False, False, False]


def test_random_sets_are_looked_at_on_few_prompts_and_again_on_all_where_one_does_as_well():
    path = "effect(gatherer -> lookup.v)"
    plan = claiming("faithfulness > random heads", "knockout(fetcher) > random heads", f"{path} > random edges")
    bench = Workbench(store=None).bench(plan.circuit)
    assert all(len(job.experiments) > 99 > len(job.one) > 0 for job in plan.claims.values())
    outcomes = {outcome.claim.term.measure: outcome for outcome in bench.judge(plan.claims)}
    runs = {
        claim.term.measure: {len(array(bench.session.results[e])) for e in set(job.experiments) - set(job.one)}
        for claim, job in plan.claims.items()
    }

    whole = outcomes["faithfulness"]
    assert (whole.p_value, whole.prompts, runs["faithfulness"]) == (0.01, 60, {15})
    assert whole.note.startswith("0 of 99 random sets do as well, on the first 15 prompts")
    assert bound_of(whole)["prompts"] == 15
    assert whole.singles is not None and len(whole.singles.values) == 60

    lost = outcomes["knockout"]
    assert lost.p_value is not None and max(runs["knockout"]) == 60
    assert round(100 * lost.p_value) == min(100, 2 + int(lost.note.split()[0]))
    assert bound_of(lost)["prompts"] == lost.prompts == 60

    (alone,) = bench.judge(claiming(f"{path} >= 0").claims)
    sent, sizes = outcomes["effect"].estimate.value, alone.estimate.value
    assert sent is not None and sizes is not None and sent == pytest.approx(abs(sizes))


def bound_of(outcome) -> dict[str, Any]:
    """What the JSON of a report says of what a claim compares with."""
    return outcome.to_dict()["bound"]


def test_random_sets_are_looked_at_once_where_a_second_look_could_not_decide():
    """With two looks the least p-value of the second is 2%."""
    for confidence, twice in (("95%", True), ("98%", True), ("99%", False)):
        (job,) = claiming(
            "faithfulness > random heads", method=f"members none  confidence {confidence}"
        ).claims.values()
        assert bool(job.one) is twice


def test_random_sets_are_looked_at_once_where_they_repeat_each_other():
    """Of one head among the eight of its layer the real set is among the random ones, whatever its figure is; of the
    circuit's heads the sets are different."""
    plan = claiming("knockout(0.3) < random heads", "knockout(fetcher) < random heads")
    one, many = plan.claims.values()
    assert len(set(one.experiments)) < 20 and not one.one
    assert len(set(many.experiments)) > 75 and many.one

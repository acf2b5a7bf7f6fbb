"""Each set of completeness stops by itself where few prompts show that its gap is within the bound."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import json
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

import circuitdsl as cd
from arrays import array
from circuitdsl.check.bench import Bench
from circuitdsl.check.workbench import Workbench
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Bound, Claim
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.estimands import Largest, Led
from circuitdsl.measures.few import EARLY
from circuitdsl.measures.measurement import Failure, Measurement
from circuitdsl.plan.circuit import CircuitPlan, plan_circuit
from circuitdsl.plan.job import OF_EACH, Started

torch.set_num_threads(1)

SPEC = """circuit c {
  model mini
  task  ioi
  method { against abc  ablate mean by template  prompts PROMPTS  reference 4  members none }
  role gatherer        { 0.3 0.5 0.6 0.7 }
  role lookup   at S2  { 1.0 1.1 1.4 1.5 1.6 1.7 }
  role caller   at END { 1.0 1.1 1.5 1.7 }
  role fetcher  at END { 2.3 2.5 2.6 2.7 3.0 3.3 3.7 }
"""
SETS, FEW, PROMPTS = 9, 50, 200


def planned(*claims: str, prompts: str = str(PROMPTS)) -> CircuitPlan:
    text = SPEC.replace("PROMPTS", prompts) + "".join(f"  expect {claim}\n" for claim in claims) + "}\n"
    (circuit,) = resolve_text(text, "c.circuit", cd.environment()).circuits
    return plan_circuit(circuit, unexplained=False)


def only(plan: CircuitPlan) -> tuple[Claim, Started]:
    ((claim, job),) = plan.claims.items()
    return claim, job


def measured(plan: CircuitPlan, bench: Bench, count: int = PROMPTS, tests: int = 1) -> Measurement:
    claim, job = only(plan)
    found = bench.settled({job: claim.bound}, count, tests)[job]
    assert isinstance(found, Measurement)
    return found


def read_on(job: Started, bench: Bench) -> list[int]:
    """On how many prompts each of a job's first questions was read."""
    return [len(array(bench.session.results[each])) for each in job.experiments]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Workbench(store=None).bench(planned("completeness <= 4.5").circuit)


def test_sets_that_few_prompts_show_to_be_within_are_measured_on_no_more():
    plan = planned("completeness <= 6")
    bench = Workbench(store=None).bench(plan.circuit)
    found = measured(plan, bench)
    assert isinstance(found.estimand, Led)
    assert len(found.estimand.leaders) + len(found.estimand.others) == SETS
    assert found.estimand.others
    assert [len(sample.columns) for sample in found.samples] == [PROMPTS, FEW]
    read = read_on(only(plan)[1], bench)
    assert sum(count == PROMPTS for count in read) == 2 * len(found.estimand.leaders)
    assert set(read) == {FEW, PROMPTS}
    said = f"{len(found.estimand.others)} of {SETS} sets are surely within the bound on {FEW} prompts"
    assert f"{said}, and were measured on no more" in found.note


@pytest.mark.parametrize("high", [2.0, 3.0, 4.5, 9.0])
def test_what_holds_by_sets_that_stop_holds_by_each_of_them_and_a_set_that_is_open_goes_on(high: float, bench: Bench):
    plan = planned(f"completeness <= {high}")
    claim, job = only(plan)
    found, few = measured(plan, bench), bench.measure([job], FEW)[job]
    assert isinstance(found.estimand, Led) and isinstance(few, Measurement) and isinstance(few.estimand, Largest)
    for place, estimand in enumerate(few.estimand.of):
        alone = bench.judged(replace(few, estimand=estimand), claim.bound, 1 - EARLY * 0.05).judgement
        assert place in found.estimand.places or alone.verdict is Verdict.HOLDS
    judged = bench.judged(found, claim.bound, 0.95).judgement
    assert judged.estimate.high is not None and judged.p_value is not None
    assert (judged.verdict is Verdict.HOLDS) is (judged.estimate.high <= high) is (judged.p_value <= 0.05)


def test_the_value_is_the_largest_of_those_on_all_prompts_and_the_interval_allows_for_the_others(bench: Bench):
    plan = planned("completeness <= 4.5")
    _, job = only(plan)
    found, whole = measured(plan, bench), bench.measure([job], PROMPTS)[job]
    ours, theirs = bench.estimate(found, 0.95), bench.estimate(whole, 0.95)
    assert ours.value == theirs.value
    assert ours.low == theirs.low
    assert ours.high is not None and theirs.high is not None and ours.high > theirs.high


def test_after_more_tests_it_takes_more_to_stop(bench: Bench):
    plan = planned("completeness <= 4.5")
    stopped = []
    for tests in (1, 50, 10**30):
        estimand = measured(plan, bench, tests=tests).estimand
        assert isinstance(estimand, Led)
        stopped.append(len(estimand.others))
    assert stopped[0] >= stopped[1] > stopped[2] == 0


def test_where_none_stops_either_look_has_its_share_of_the_error(bench: Bench):
    """Any of them could have stopped."""
    plan = planned("completeness <= 0.1")
    found = measured(plan, bench)
    assert isinstance(found.estimand, Led) and not found.estimand.others
    whole = bench.measure([only(plan)[1]], PROMPTS)[only(plan)[1]]
    assert not isinstance(whole, Failure)
    assert bench.estimate(found, 0.95).high == pytest.approx(bench.estimate(whole, 1 - 0.05 * (1 - EARLY)).high)


def test_bounds_from_below_one_set_and_few_prompts_are_judged_by_all_on_all(bench: Bench):
    for claim in ("completeness >= 0.1", "completeness(fetcher) <= 4"):
        plan = planned(claim)
        assert not only(plan)[1].one
        assert not isinstance(measured(plan, bench).estimand, Led)
    assert not only(planned("completeness <= 4", prompts="196"))[1].one
    assert only(planned("completeness in 0.1 .. 4"))[1].one


def test_a_greedy_set_is_grown_on_half_of_the_first_prompts_and_goes_on():
    """Few prompts are asked of the sets alone that are known beforehand."""
    plan = planned("completeness(greedy) in 0.1 .. 8")
    bench = Workbench(store=None).bench(plan.circuit)
    found, whole = measured(plan, bench), bench.measure([only(plan)[1]], PROMPTS)[only(plan)[1]]
    assert isinstance(found.estimand, Led) and isinstance(whole, Measurement)
    assert found.estimand.others
    assert found.estimand.places[-1] == SETS
    assert [name for name, _ in found.parts] == [name for name, _ in whole.parts]
    ours, theirs = dict(found.parts), dict(whole.parts)
    greedy = list(ours)[-1]
    assert greedy.startswith("the greedy set")
    np.testing.assert_array_equal(ours[greedy].samples[0].columns, theirs[greedy].samples[0].columns)
    assert "chosen by the first 100 prompts" in found.note


def test_a_plan_says_of_a_greedy_set_that_it_asks_again_and_that_sets_may_go_on():
    (line,) = (
        line for line in cd.plan(document("<= 8", "(greedy)"), unexplained=False).lines if "greedy" in line.job.about
    )
    assert line.note == f"asks for more once it has seen results; {OF_EACH}"


def test_of_a_metric_within_limits_sets_stop_too():
    """What prompts say of it is bet on, and no t."""
    text = SPEC.replace("PROMPTS", str(PROMPTS)).replace("method {", "method { metric accuracy ")
    text += "  expect completeness <= 0.99\n}\n"
    (circuit,) = resolve_text(text, "c.circuit", cd.environment()).circuits
    plan, bench = plan_circuit(circuit, unexplained=False), Workbench(store=None).bench(circuit)
    found, whole = measured(plan, bench), bench.measure([only(plan)[1]], PROMPTS)[only(plan)[1]]
    assert isinstance(found.estimand, Led) and isinstance(whole, Measurement)
    assert len(found.estimand.others) > SETS // 2
    ours, theirs = bench.estimate(found, 0.95), bench.estimate(whole, 0.95)
    assert ours.value == theirs.value and ours.low == pytest.approx(theirs.low)
    assert ours.high is not None and theirs.high is not None and theirs.high < ours.high <= 0.99


def test_at_later_looks_of_a_sequence_sets_stay_where_they_stopped():
    plan = planned("completeness <= 3.4", prompts="200 to 400")
    bench = Workbench(store=None).bench(plan.circuit)
    (outcome,) = bench.judge(plan.claims)
    assert outcome.prompts > PROMPTS
    parts = {part.label: part.prompts for part in outcome.parts}
    assert {FEW, outcome.prompts} == set(parts.values())
    read = read_on(only(plan)[1], bench)
    assert sorted(set(read)) == [FEW, outcome.prompts]
    assert outcome.singles is not None and len(outcome.singles.values) == outcome.prompts


def test_parts_say_on_how_many_prompts_they_were_measured_and_share_the_error(bench: Bench):
    plan = planned("completeness <= 6")
    _, job = only(plan)
    (outcome,) = bench.judge(plan.claims)
    whole = bench.measure([job], PROMPTS)[job]
    few = bench.measure([job], FEW)[job]
    assert isinstance(whole, Measurement) and isinstance(few, Measurement)
    assert {each["prompts"] for each in outcome.to_dict()["parts"]} == {FEW, PROMPTS}  # type: ignore[union-attr]
    for part in outcome.parts:
        early = part.prompts == FEW
        alone = dict((few if early else whole).parts)[part.label]
        share = EARLY if early else 1 - EARLY
        assert part.estimate == bench.estimate(alone, 1 - 0.05 * share)


def test_both_engines_stop_the_same_sets():
    reports = []
    for engine in ("plain", "fast"):
        plan = planned("completeness <= 4.5")
        found = measured(plan, Workbench(engine=engine, store=None).bench(plan.circuit))
        assert isinstance(found.estimand, Led)
        reports.append(found.estimand.places)
    assert reports[0] == reports[1]


def test_a_plan_counts_sets_on_few_prompts_where_they_may_stop():
    known, bounded = (cd.plan(text, unexplained=False) for text in map(document, ("<= 4.5", ">= 0.1")))
    assert known.led == bounded.led + 1  # the others are rows of the table of heads
    assert known.plain.total < bounded.plain.total


def document(bound: str, options: str = ""):
    text = SPEC.replace("PROMPTS", str(PROMPTS)) + f"  expect completeness{options} {bound}\n}}\n"
    return resolve_text(text, "c.circuit", cd.environment())


def test_where_few_prompts_are_few_items_nothing_stops_and_all_prompts_decide(tmp_path: Path):
    """These lines are 12 items."""
    rows = [
        {
            "prompt": f"{a} and {b} {verb}. {b} gave a {thing} to",
            "answer": f" {a}",
            "wrong": [f" {b}"],
            "counterfactuals": {"abc": f"{b} and {a} {verb}. {a} gave a {thing} to"},
            "template": "all",
            "item": "".join(sorted((first, second))),
        }
        for first, second in tuple(combinations(("Mary", "John", "Anna", "Tom", "Paul", "James"), 2))[:12]
        for a, b in ((first, second), (second, first))
        for verb in ("went to the park", "went to the store", "met")
        for thing in ("ball", "book", "drink")
    ]
    (tmp_path / "my.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    task = SPEC.replace("PROMPTS", str(PROMPTS)).replace("task  ioi", 'task  file("my.jsonl")')
    method = task.replace("mean by template", "counterfactual").replace("reference 4  ", "").replace("at S2 ", "")
    text = re.sub(" *role lookup.*\n", "", method) + "  expect completeness <= 500\n}\n"
    (circuit,) = resolve_text(text, str(tmp_path / "c.circuit"), cd.environment()).circuits
    plan = plan_circuit(circuit, unexplained=False)
    bench = Workbench(store=None).bench(circuit)
    found = measured(plan, bench)
    assert only(plan)[1].one
    assert len(bench.units(found.samples[0])) == 12
    assert isinstance(found.estimand, Led) and not found.estimand.others and len(found.samples) == 1
    (outcome,) = bench.judge(plan.claims)
    assert outcome.verdict is Verdict.HOLDS


def test_against_a_bound_that_is_not_its_own_nothing_stops(bench: Bench):
    _, job = only(planned("completeness <= 4.5"))
    found = bench.settled({job: Bound(">=", low=0.1)}, PROMPTS)[job]
    assert isinstance(found, Measurement) and not isinstance(found.estimand, Led)

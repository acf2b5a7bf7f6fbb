"""Plans: what is asked twice is counted once, and planning needs no model library."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitdsl.api import environment
from circuitdsl.components import ALL, Head
from circuitdsl.engine.plain.cost import PlainCost, passes
from circuitdsl.language.circuit import Bound, Term
from circuitdsl.language.environment import TaskRef
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.controls import RANDOM_SETS, stand_ins
from circuitdsl.measures.experiments import Clean, Intervened, Isolated, Patched
from circuitdsl.measures.measurement import Failure, Measurement
from circuitdsl.plan.circuit import CircuitPlan, claim_job, head_jobs, unlisted_jobs, variant_jobs
from circuitdsl.plan.intervention import ARM_SETS, plan_intervention
from circuitdsl.plan.job import Job, Started
from circuitdsl.plan.lockstep import measure
from circuitdsl.plan.plan import Plan
from circuitdsl.tasks import describe
from samples import circuit, expect, geometry

ROOT = Path(__file__).parents[2]
ROLES = {"inhibition": "1.2 1.5 at END", "mover": "2.0 2.4 at END"}
SHAPE = geometry(4, 8, "toy")
FAITHFUL = expect("ioi", 9, "faithfulness", Bound(">=", low=0.5))
GAP = expect("ioi", 10, "faithfulness_gap", Bound("<=", high=1.0))
DIFF = expect("ioi", 11, "logit_diff", Bound(">=", low=1.0))
IOI = circuit("ioi", ROLES, ["inhibition -> mover.q", "mover -> logits"], SHAPE, [FAITHFUL, GAP, DIFF])


def jobs(of=IOI):
    return [claim_job(of, claim) for claim in of.claims]


def make_plan(some: Iterable[Job]) -> Plan:
    """The plan of these jobs and no others, in their order."""
    started = {replace(FAITHFUL, id=str(number)): Started(job) for number, job in enumerate(some)}
    return Plan((CircuitPlan(IOI, {}, started, {}, {}, {}, False),))


def measured(some: Iterable[Job], run) -> dict[Job, Measurement | Failure]:
    return {started.job: result for started, result in measure(list(map(Started, some)), run).items()}


def test_costs_by_hand():
    """faithfulness: C, none, M and the mean; the gap shares C and M; logit_diff shares M.

    The mean is over 2 groups of 20 prompts of each of 30 templates, however many are measured.
    """
    only = replace(IOI, claims=(FAITHFUL, GAP, DIFF))
    plan = make_plan(jobs(only))
    assert (plan.asked, plan.distinct, plan.worlds) == (3 + 2 + 1, 3, 3)
    assert plan.plain.total == 3 + 2 * 20 * 30 / 200
    fewer = replace(only, method=replace(only.method, prompts_first=50, reference=5))
    assert make_plan(jobs(fewer)).plain.total == 3 + 2 * 5 * 30 / 50
    together = replace(only, method=replace(only.method, ablate="mean"))
    assert make_plan(jobs(together)).plain.total == pytest.approx(3 + 11 * 20 / 200)
    assert [line.new for line in plan.lines] == [3, 0, 0]


def test_an_edge_costs_two_passes_and_an_edge_to_logits_one():
    """Both whole and by sender head; the clean run and the two caches are shared."""
    edges = replace(IOI, claims=tuple(IOI.edge_claims()))
    plan = make_plan(jobs(edges))
    assert plan.plain.total == (3 * 2) + (3 * 1) + 1 + 2
    assert plan.plain.shared == 2


def test_two_files_that_ask_the_same_cost_once():
    other = replace(IOI, name="copy", file="specs/copy.circuit")
    alone, both = make_plan(jobs()), make_plan(jobs() + jobs(other))
    assert both.asked == 2 * alone.asked
    assert (both.distinct, both.plain, both.fast) == (alone.distinct, alone.plain, alone.fast)


def test_two_models_share_nothing():
    other = replace(IOI, model="another")
    alone, both = make_plan(jobs()), make_plan(jobs() + jobs(other))
    assert (both.plain.total, both.fast.total) == (2 * alone.plain.total, 2 * alone.fast.total)


def test_unlisted_heads_are_all_the_others_everywhere():
    unlisted = unlisted_jobs(IOI)
    assert len(unlisted) == 4 * 8 - 4
    assert all(node.position == ALL for node in unlisted)
    assert not {Head(1, 2), Head(2, 4)} & {node.component for node in unlisted}
    assert [str(node) for node in head_jobs(IOI)] == ["1.2 at END", "1.5 at END", "2.0 at END", "2.4 at END"]


def test_variants_ask_under_another_method():
    varied = replace(IOI, method=replace(IOI.method, vary=(("ablate", "zero"), ("positions", "all"))))
    zero, everywhere = variant_jobs(varied, FAITHFUL)
    assert zero.method.ablate == "zero"
    experiments = Started(everywhere).first
    assert not isinstance(experiments, Failure)
    worlds = [e.world for e in experiments if isinstance(e.world, Isolated) and e.world.kept]
    assert all(node.position == ALL for world in worlds for node in world.kept)


def test_a_claim_that_cannot_be_measured_is_a_failure_of_its_own():
    blind = replace(IOI, method=replace(IOI.method, against="", ablate="resample"))
    outcome = measured(jobs(blind), lambda experiments: {e: np.ones(3) for e in experiments})
    by_measure = {job.key[1]: result for job, result in outcome.items()}
    assert isinstance(by_measure["ioi:9"], Failure)
    assert not isinstance(by_measure["ioi:11"], Failure)
    notes = [line.note for line in make_plan(jobs(blind)).lines]
    assert any("counterfactual" in note for note in notes)


def test_a_failed_experiment_fails_only_the_claims_that_need_it():
    def run(experiments):
        return {e: Failure("broken") if isinstance(e.world, Patched) else np.ones(3) for e in experiments}

    results = {job.key[1]: result for job, result in measured(jobs(), run).items()}
    assert results["ioi:4"] == Failure("broken")
    assert not isinstance(results["ioi:11"], Failure)


def test_all_jobs_are_asked_in_one_round():
    rounds = []

    def run(experiments):
        rounds.append(experiments)
        return {e: np.ones(3) for e in experiments}

    measured(jobs(), run)
    assert len(rounds) == 1
    assert Clean() in {e.world for e in rounds[0]}


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(5)), st.integers(0, 5))
def test_the_cost_does_not_depend_on_the_order(order, repeats):
    everything = jobs()
    shuffled = [everything[i] for i in order] + everything[:repeats]
    whole, other = make_plan(everything), make_plan(shuffled)
    assert (whole.distinct, whole.worlds, whole.plain) == (other.distinct, other.worlds, other.plain)
    assert whole.fast.total == pytest.approx(other.fast.total)


def test_passes_are_those_of_the_worlds():
    for job in jobs():
        experiments = Started(job).first
        assert not isinstance(experiments, Failure)
        worlds = {e.world for e in experiments}
        shared = [6 if run.over else 1 for run in PlainCost().shared(worlds)]  # the mean is over six times the prompts
        own = sum(passes(world, job.geometry) for world in worlds)
        assert make_plan([job]).plain.total == own + sum(shared)


@pytest.mark.parametrize(
    "module", ["circuitdsl", "circuitdsl.plan.plan", "circuitdsl.plan.intervention", "circuitdsl.measures.registry"]
)
def test_planning_loads_no_model_library(module):
    code = f"import sys, {module}; print(sorted({{'torch', 'transformers', 'transformer_lens'}} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_planning_a_document_loads_no_model_library():
    """Not even where an intervention is taken apart, and where tokens stand is looked up."""
    code = (
        "import sys, circuitdsl as cd\n"
        "plan = cd.plan(cd.load('specs/planted/repair.circuit'))\n"
        "assert plan.fast.total > 0\n"
        "print(sorted({'torch', 'transformers', 'transformer_lens'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == "[]"


def test_only_what_asks_again_is_said_to():
    def completeness(*options: str):
        claim = replace(FAITHFUL, term=Term("completeness", options=options))
        (line,) = make_plan(jobs(replace(IOI, claims=(claim,)))).lines
        return line.note

    assert completeness() == ""
    assert completeness("greedy") == "asks for more once it has seen results"


def test_a_plan_of_nothing_costs_nothing():
    plan = make_plan([])
    assert (plan.plain.total, plan.fast.total, plan.prompts) == (0, 0, 0)


@pytest.mark.parametrize(
    ("claim", "sets"),
    [
        ("accuracy >= 1%", ARM_SETS),
        ("accuracy - baseline >= 1%", ARM_SETS),
        ("accuracy > random heads", RANDOM_SETS),
        ("accuracy(random heads) >= 1%", RANDOM_SETS),
    ],
)
def test_an_intervention_is_done_to_as_many_random_heads_as_its_claims_speak_of(claim, sets):
    """Distinct ones are run once."""
    text = (
        "circuit c { model gpt2 task ioi role mover at END { 9.6 } expect accuracy >= 1% }\n"
        f"intervention i on c {{ ablate {{ 5.0 5.1 5.2 }} at END expect {claim} }}"
    )
    document = resolve_text(text, "random.circuit", environment())
    (intervention,), (own,) = document.interventions, document.circuits
    planned = plan_intervention(intervention, own)
    heads = [Head(5, index) for index in range(3)]
    drawn = {frozenset(each.values()) for each in stand_ins(heads, own.geometry, own.method.seed, sets)}
    worlds = {experiment.world for experiment in planned.random_heads.experiments}
    actions = [world.actions[0] for world in worlds if isinstance(world, Intervened)]
    assert {frozenset(node.component for node in action.nodes) for action in actions} == drawn


def test_a_file_of_fewer_prompts_than_the_method_begins_with_is_planned_for_those_that_it_has(tmp_path: Path):
    """Clean and patched runs of 6 prompts, and a mean over the 2 x 3 of its templates: not of 200."""
    lines = [
        {"prompt": f"{who} met John", "answer": " Tom", "wrong": [" Jim"], "template": kind}
        | {"counterfactuals": {"abc": "Anna met John"}}
        for who in ("Mary", "Rose", "Kate")
        for kind in ("one", "two")
    ]
    (tmp_path / "six.jsonl").write_text("\n".join(map(json.dumps, lines)))
    task = TaskRef("file", (("", "six.jsonl"),), str(tmp_path))
    few = replace(IOI, task=task, task_info=describe(task), claims=(FAITHFUL,))
    plan = make_plan(jobs(few))
    assert plan.prompts == 6
    assert plan.plain.total == 3 + 6 / 6
    assert plan.plain.shared == 6 / 6
    both = make_plan([*jobs(few), *jobs(replace(IOI, claims=(DIFF,)))])
    assert both.prompts == 200
    assert both.plain.total == pytest.approx((3 * 6 + 6) / 200 + 1)

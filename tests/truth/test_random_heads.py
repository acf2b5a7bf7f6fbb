"""What random heads do in an intervention's place, claimed: the truth of planted models, and what the arms measure."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path

import pytest
from planted_bench import bench, plain_text, resolved

import circuitdsl as cd
from circuitdsl.api import with_prompts
from circuitdsl.check.bench import Bench
from circuitdsl.check.intervention import check_intervention
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.session import Session
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.language.circuit import Document
from circuitdsl.measures.experiments import Experiment
from circuitdsl.models import Model
from circuitdsl.outcome import Arm, ClaimOutcome, InterventionReport
from circuitdsl.plan.intervention import claim_job, plan_intervention
from circuitdsl.plan.job import Started
from samples import known

MINI = Path(__file__).parents[2] / "specs" / "mini"

CLAIMS = (
    "expect accuracy(random heads) >= 0%",
    "expect accuracy(random heads) - baseline >= -100%",
    "expect logit_diff(random heads) >= -100",
    "expect logit_diff(random heads) - baseline >= -100",
    "expect logit_diff - baseline >= -100",
    "expect repaired(random heads) >= 0%",
    "expect broken(random heads) >= 0%",
)
AGAINST = tuple(
    f"expect {estimate} {op} random heads"
    for estimate in ("accuracy", "accuracy - baseline", "logit_diff", "probability", "repaired", "broken")
    for op in "<>"
)


def claiming(*claims: str) -> Document:
    """The planted repair with these claims in place of its own, and all looks at once."""
    text = plain_text("repair")
    lines, inside = [], False
    for line in text.splitlines():
        inside = line.startswith("intervention") or (inside and line != "}")
        if inside and line.startswith("expect"):
            continue
        lines += [*claims, line] if line == "}" and lines[-1].startswith(("attend", "ablate")) else [line]
    document = resolved("\n".join(lines))

    def one_look(circuit):
        method = circuit.method
        return replace(circuit, method=replace(method, prompts_most=method.prompts_first))

    return replace(document, circuits=tuple(map(one_look, document.circuits)))


def reports(judge: Bench, *claims: str) -> dict[str, InterventionReport]:
    document = claiming(*claims)
    plans = (plan_intervention(each, document.circuit(each.on)) for each in document.interventions)
    return {plan.intervention.name: check_intervention(plan, judge) for plan in plans}


def by_text(report: InterventionReport) -> dict[str, ClaimOutcome]:
    return {outcome.claim.text: outcome for outcome in report.claims}


def arm(report: InterventionReport, name: str) -> Arm:
    return next(arm for arm in report.arms if arm.name == name)


def same(claimed: ClaimOutcome, of_arm: Estimate) -> None:
    """Shares of prompts tie, and rounding breaks ties: an end may be that of a replicate further."""
    assert claimed.estimate.value == pytest.approx(of_arm.value, rel=1e-9, abs=1e-12)
    assert astuple(claimed.estimate) == pytest.approx(astuple(of_arm), abs=0.01)


def test_the_claimed_figure_is_that_of_the_arm_with_its_interval():
    for report in reports(bench().of("planted-broken"), *CLAIMS).values():
        randoms, claimed = arm(report, "random heads"), by_text(report)
        same(claimed["expect accuracy(random heads) >= 0%"], randoms.accuracy)
        same(claimed["expect accuracy(random heads) - baseline >= -100%"], randoms.accuracy_change)
        same(claimed["expect logit_diff(random heads) >= -100"], randoms.logit_diff)
        same(claimed["expect logit_diff(random heads) - baseline >= -100"], randoms.logit_diff_change)
        same(claimed["expect logit_diff - baseline >= -100"], arm(report, "all").logit_diff_change)
        for name, count in (("repaired", randoms.repaired), ("broken", randoms.broken)):
            outcome = claimed[f"expect {name}(random heads) >= 0%"]
            # Templates count the same, of which thirty prompts have three or four each.
            assert outcome.estimate.value == pytest.approx(count / outcome.prompts, abs=0.02)


def test_only_the_right_heads_at_the_right_place_do_more_than_random_ones():
    """The planted heads repair all and decoys nothing; made to look at the answer the planted ones
    break all, and so does either of them alone, which random pairs may hold: only how far tells them apart."""
    found = {name: by_text(report) for name, report in reports(bench().of("planted-broken"), *AGAINST).items()}
    holding = {
        name: {text for text, outcome in some.items() if outcome.verdict is Verdict.HOLDS}
        for name, some in found.items()
    }
    more = {f"expect {each} > random heads" for each in ("accuracy", "accuracy - baseline", "logit_diff", "repaired")}
    assert holding["repair"] >= more | {"expect probability > random heads"}
    assert holding["harm"] >= {"expect logit_diff < random heads", "expect probability < random heads"}
    # What is written and read by none leaks a ten-millionth of the probability.
    nothing = holding["other_heads"] | holding["other_place"]
    assert {text for text in nothing if "probability" not in text} == set()
    for text in more:
        outcome = found["repair"][text]
        assert found["repair"][text.replace(">", "<")].verdict is Verdict.FAILS
        assert outcome.control is not None
        assert known(outcome.estimate.value) > known(outcome.control.value)


def test_no_experiment_is_run_for_claims_of_random_heads_that_the_arms_do_not_run():
    """Of accuracy and logit_diff the arms read all; repaired and broken are made of the same readings."""
    fewer = cd.plan(claiming("expect accuracy >= 0%", "expect logit_diff >= -100"), unexplained=False)
    claims = ("expect accuracy(random heads) >= 0%", "expect logit_diff >= -100")
    with_arms_only = cd.plan(claiming(*claims), unexplained=False)
    assert fewer.distinct < with_arms_only.distinct  # fewer sets, where no claim is about them
    more = cd.plan(claiming(*CLAIMS, *AGAINST[:6], *AGAINST[8:]), unexplained=False)
    assert more.distinct == with_arms_only.distinct
    assert more.asked > with_arms_only.asked + 20 * len(CLAIMS)
    probability = cd.plan(claiming("expect accuracy >= 0%", "expect probability > random heads"), unexplained=False)
    assert probability.distinct > with_arms_only.distinct
    assert probability.worlds == with_arms_only.worlds  # another reading of the same runs


def test_a_claim_is_measured_in_one_round():
    """What the plan states of a claim is all that it asks for."""
    judge = bench().of("planted-broken")
    document = claiming("expect accuracy - baseline > random heads", "expect logit_diff(random heads) - baseline >= -9")
    session = Session(judge.session.engine)
    rounds: list[frozenset[Experiment]] = []
    run = session.run

    def counted(experiments, count):
        rounds.append(frozenset(experiments))
        return run(experiments, count)

    session.run = counted  # type: ignore[method-assign]
    (repair,) = [each for each in document.interventions if each.name == "repair"]
    circuit = document.circuit(repair.on)
    jobs = {claim: Started(claim_job(repair, circuit, claim)) for claim in repair.claims}
    Bench(session, judge.seed).judge(jobs)
    assert len(rounds) == 1
    planned = {experiment for job in jobs.values() for experiment in job.experiments}
    assert rounds[0] == frozenset(planned)


def test_both_engines_agree():
    plain = bench().of("planted-broken")
    model = plain.session.engine.model
    assert isinstance(model, Model)
    other = Bench(Session(PlainEngine(model)), plain.seed)
    document = with_prompts(claiming(*CLAIMS[:4], *AGAINST[:6]), 10)
    (repair,) = [each for each in document.interventions if each.name == "repair"]
    plan = plan_intervention(repair, document.circuit(repair.on))
    for fast, slow in zip(check_intervention(plan, plain).claims, check_intervention(plan, other).claims, strict=True):
        assert fast.verdict is slow.verdict
        assert fast.estimate.value == pytest.approx(slow.estimate.value, rel=1e-4, abs=1e-5)
        if fast.control:
            assert slow.control is not None
            assert fast.control.value == pytest.approx(slow.control.value, rel=1e-4, abs=1e-5)


# --- mini ------------------------------------------------------------------------------------------


def test_minis_repair_holds_and_its_lookup_needs_this_head_and_not_any_of_its_layer():
    mini = cd.check(cd.load(MINI / "repair.circuit"), unexplained=False)
    assert [outcome.claim.text for outcome in mini.outcomes if outcome.verdict is not Verdict.HOLDS] == []
    (broken,) = [each for each in mini.interventions if each.intervention.name == "broken_lookup"]
    claimed = by_text(broken)
    randoms = claimed["expect logit_diff(random heads) - baseline in -0.7 .. 0"]
    assert randoms.estimate.value == pytest.approx(arm(broken, "random heads").logit_diff_change.value)
    assert known(arm(broken, "all").logit_diff.high) < known(arm(broken, "random heads").logit_diff.low)

"""What listing a head claims, and a circuit so far from whole that no head can add anything to it."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch

import circuitdsl as cd
from circuitdsl.check.circuit import excused
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.resolve import resolve_text
from circuitdsl.outcome import CircuitReport
from circuitdsl.plan.plan import make_plan
from samples import known, member, outcome

torch.set_num_threads(1)

HOLDS, FAILS, UNDECIDED = Verdict.HOLDS, Verdict.FAILS, Verdict.UNDECIDED
FETCHERS = "role fetcher at END { 2.3 2.5 2.6 2.7 3.0 3.3 3.7 }"


def document(method: str, body: str = FETCHERS):
    text = f"circuit c {{ model mini  task ioi  method {{ prompts 40 {method} }}\n{body}\n}}"
    return resolve_text(text, "c.circuit", cd.environment())


@pytest.fixture(scope="module")
def fetchers() -> CircuitReport:
    """Mini's fetchers alone: without what the lookup brings them there is next to nothing to fetch."""
    return cd.check(document("vary members: knockout"), unexplained=False).circuits[0]


@pytest.fixture(scope="module")
def knocked_out() -> CircuitReport:
    return cd.check(document("members knockout  vary members: minimality"), unexplained=False).circuits[0]


def test_a_circuit_far_from_whole_says_so_and_fails_none_of_its_heads(fetchers: CircuitReport):
    (note,) = [note for note in fetchers.notes if "far from whole" in note]
    assert "`members knockout`" in note and "surely less than 7%" in note
    assert {each.verdict for each in fetchers.claims} == {UNDECIDED}
    far = [each for each in fetchers.claims if each.note == note]
    assert len(far) >= 5
    assert all(known(each.estimate.high) < 0.01 for each in far)  # each would fail by itself
    assert fetchers.exit_code == 3


def test_without_them_the_model_loses_much(fetchers: CircuitReport, knocked_out: CircuitReport):
    assert {each.verdict for each in knocked_out.claims} == {HOLDS}
    assert {each.claim.term.measure for each in knocked_out.claims} == {"knockout"}
    assert not [note for note in knocked_out.notes if "far from whole" in note]
    for ours, theirs in zip(fetchers.claims, knocked_out.claims, strict=True):
        (knockout,), (minimality,) = ours.variants, theirs.variants
        assert (knockout.verdict, knockout.estimate) == (HOLDS, theirs.estimate)
        assert (minimality.verdict, minimality.estimate) == (UNDECIDED, ours.estimate)
        assert ours.depends_on_method is None and theirs.depends_on_method is None


def test_both_figures_of_every_listed_head_are_reported(fetchers: CircuitReport, knocked_out: CircuitReport):
    for ours, theirs, claim, other in zip(
        fetchers.heads, knocked_out.heads, fetchers.claims, knocked_out.claims, strict=True
    ):
        assert ours == theirs
        assert (ours.minimality, ours.estimate) == (claim.estimate, other.estimate)


def test_what_a_circuit_keeps_is_planned_only_for_heads_that_are_judged_by_what_they_add():
    def kept(method: str, body: str = FETCHERS) -> list[tuple[str, ...]]:
        plan = make_plan(document(method, body), unexplained=False)
        return [started.job.key for started in plan.jobs() if started.job.purpose == "whole"]

    assert kept("") == [("c", "whole")]
    assert kept("vary ablate: zero  vary members: knockout") == [("c", "whole"), ("c", "whole", "ablate", "zero")]
    assert kept("members knockout") == []
    assert kept("members knockout  vary members: minimality") == [("c", "whole", "members", "minimality")]
    assert kept("", "expect logit_diff >= 0") == []


def test_other_claims_are_not_judged_again_by_what_listing_a_head_claims():
    plan = make_plan(document("vary members: knockout", FETCHERS + "\nexpect logit_diff >= 0"), unexplained=False)
    varied = [started.job.key[1] for started in plan.jobs() if started.job.purpose == "variant"]
    assert len(varied) == 7 and all(name.startswith("c:member ") for name in varied)


def test_only_heads_that_fail_are_excused_and_only_where_none_adds_enough():
    claims = [member("c", 3, "mover", head) for head in ("2.0", "2.1", "2.2")]

    def verdicts(reason: str, *given: Verdict) -> list[Verdict]:
        judged = {c: outcome(c, v, 0.1) for c, v in zip(claims, given, strict=True)}
        return [each.verdict for each in excused(judged, reason).values()]

    assert verdicts("", FAILS, UNDECIDED, FAILS) == [FAILS, UNDECIDED, FAILS]
    assert verdicts("too little", FAILS, UNDECIDED, FAILS) == [UNDECIDED] * 3
    assert verdicts("too little", FAILS, HOLDS, FAILS) == [FAILS, HOLDS, FAILS]
    assert verdicts("too little", FAILS, UNDECIDED, Verdict.ERROR) == [UNDECIDED, UNDECIDED, Verdict.ERROR]


def test_an_idle_head_in_a_circuit_that_works_fails():
    body = """
      role gatherer        { 0.3  0.5  0.6  0.7 }
      role lookup   at S2  { 1.0  1.1  1.4  1.5  1.6  1.7 }
      role fetcher  at END { 2.3  2.5  2.6  2.7  3.0  3.3  3.7 }
      role idle     at IO  { 3.1 }
    """
    report = cd.check(document("", body), unexplained=False).circuits[0]
    assert not [note for note in report.notes if "far from whole" in note]
    assert report.claims[-1].verdict is FAILS
    assert HOLDS in {each.verdict for each in report.claims}

"""What is asked of many things alike, on two halves of the prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import circuitdsl as cd
from circuitdsl.check.progress import unwatched
from circuitdsl.check.work import Watch
from circuitdsl.draft.asked import read_rule
from circuitdsl.draft.refine import inquiry as inquiries
from circuitdsl.draft.refine.inquiry import Inquiry, Survey
from circuitdsl.language.circuit import Bound, Circuit, Claim
from circuitdsl.measures.measurement import Asking
from circuitdsl.plan.circuit import claim_job

TEXT = """circuit c {
  model planted-ioi
  task  ioi
  method { prompts 16 }
  expect logit_diff >= 0
  expect accuracy >= 1%
}
"""


def test_every_test_is_started_once_on_either_half():
    (finding,) = cd.load(text=TEXT).circuits
    judging = replace(finding, method=replace(finding.method, seed=1))
    bench = cd.Workbench(store=None).bench(finding)
    inquiry = Inquiry(bench, finding, judging, read_rule("fdr", "5%", 0.5), Watch(unwatched))
    begun: list[tuple[int, str]] = []

    def tests(half: Circuit, claim: Claim) -> Sequence[inquiries.Test]:
        job = claim_job(half, claim)

        def start() -> Asking:
            begun.append((half.method.seed, claim.id))
            return job.start()

        return [inquiries.Test(replace(job, start=start), Bound(">", low=0.0))]

    found = inquiry.ask(Survey("claims", finding.claims, tests))
    assert set(found) == set(finding.claims)
    assert sorted(begun) == sorted((seed, claim.id) for seed in (0, 1) for claim in finding.claims)


def test_what_does_not_meet_a_cheap_test_is_not_asked_the_dear_one():
    """It could not enter, whatever that says: the largest p-value of the tests counts."""
    (finding,) = cd.load(text=TEXT).circuits
    judging = replace(finding, method=replace(finding.method, seed=1))
    bench = cd.Workbench(store=None).bench(finding)
    inquiry = Inquiry(bench, finding, judging, read_rule("fdr", "5%", 0.5), Watch(unwatched))
    first, second = finding.claims
    begun: list[tuple[int, str]] = []

    def tests(half: Circuit, claim: Claim) -> Sequence[inquiries.Test]:
        dear, cheap = claim_job(half, claim), claim_job(half, claim)

        def start() -> Asking:
            begun.append((half.method.seed, claim.id))
            return dear.start()

        cheap_bound = Bound(">", low=0.0) if claim == first else Bound("<", high=0.0)
        return [
            inquiries.Test(replace(dear, start=start), Bound(">", low=0.0)),
            inquiries.Test(cheap, cheap_bound),
        ]

    assert set(inquiry.ask(Survey("claims", (first, second), tests))) == {first}
    assert begun == [(0, first.id), (1, first.id)]

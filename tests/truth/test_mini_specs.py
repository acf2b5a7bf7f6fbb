"""What specs/mini says of mini holds, claim by claim, and it says something: specs close to it are wrong and fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cheap import judged
from circuitdsl.api import load, plan, show
from circuitdsl.check.workbench import Workbench
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Control, Document
from circuitdsl.measures.registry import measure_infos
from circuitdsl.outcome import ClaimOutcome, Report
from circuitdsl.report.output import View

SPECS = Path(__file__).parents[2] / "specs" / "mini"
NAMES = ("ioi", "colored_objects", "reuse")
SIGNALS = "signals"


@pytest.fixture(scope="module")
def bench() -> Workbench:
    """One for all tests, so that no experiment is run twice."""
    return Workbench()


def test_what_the_specs_say_of_mini_holds(bench: Workbench):
    report = bench.check(plan(load(*(SPECS / f"{name}.circuit" for name in NAMES))))
    every_claim_holds(report)
    every_figure_lies_within_its_measurements_limits(report)
    no_head_that_matters_is_left_out(report)
    the_circuits_beat_random_ones_by_far(report)
    the_page_is_short_and_the_rest_is_there_on_request(report)


def every_claim_holds(report: Report):
    assert len(report.circuits) == 2 and len(report.comparisons) == 1
    assert [outcome.claim.text for outcome in report.outcomes if outcome.verdict is not Verdict.HOLDS] == []


def every_figure_lies_within_its_measurements_limits(report: Report):
    for outcome in report.outcomes:
        low, high = measure_infos()[outcome.claim.term.measure].limits
        estimates = (outcome.estimate, *(part.estimate for part in outcome.parts))
        ends = [end for f in estimates for end in (f.low, f.value, f.high) if end is not None]
        assert [end for end in ends if not low - 1e-12 <= end <= high + 1e-12] == [], outcome.claim.text


def no_head_that_matters_is_left_out(report: Report):
    assert {circuit.circuit.name: circuit.unexplained for circuit in report.circuits} == {
        "mini_ioi": (),
        "mini_colored_objects": (),
    }


def the_circuits_beat_random_ones_by_far(report: Report):
    for circuit in report.circuits:
        (outcome,) = [o for o in circuit.claims if "random heads" in o.claim.text]
        assert outcome.control is not None and outcome.control.high is not None and outcome.estimate.low is not None
        assert outcome.estimate.low > outcome.control.high


def the_page_is_short_and_the_rest_is_there_on_request(report: Report):
    """Three blocks of the demo's six take a screen of 50 lines; the other three take 19 lines."""
    brief, full = (show(report, view=View(verbose=verbose)) for verbose in (False, True))
    assert brief.count("\n") <= 51
    assert all(outcome.claim.text in full.replace("\n     ", " ") for outcome in report.outcomes)


def test_what_the_roles_carry_is_the_name():
    """But for the comparison with random heads, which takes as long as all else."""
    document = load(SPECS / f"{SIGNALS}.circuit")
    (circuit,) = document.circuits
    claims = tuple(claim for claim in circuit.claims if not isinstance(claim.bound, Control))
    outcomes = judged(replace(document, circuits=(replace(circuit, claims=claims),)))
    assert len(outcomes) == len(claims) == 12
    assert [outcome.claim.text for outcome in outcomes if outcome.verdict is not Verdict.HOLDS] == []


# (file, what it says, what it says now, the claim that must fail by then)
MUTATIONS = [
    ("colored_objects", "3.4  3.5  3.6", "3.4  2.6  3.6", "role fetcher at END: 2.6 matters"),
    ("ioi", "fetcher -> logits : raises", "fetcher -> logits : lowers", "edge fetcher -> logits : lowers"),
    ("ioi", "edge 0.3 at S1+4 -> lookup.k", "edge 0.3 at S1 -> lookup.k", "edge 0.3 at S1 -> lookup.k : raises"),
    ("ioi", "no edge 0.3 at S2 -> lookup.q", "edge 0.3 at S2 -> lookup.q", "edge 0.3 at S2 -> lookup.q"),
    ("ioi", "(fetcher, END -> S2)", "(fetcher, END -> S1)", "expect attention(fetcher, END -> S1) >= 65%"),
    ("ioi", "(caller, IO+3 -> IO)", "(caller, IO -> IO)", "expect copying(caller, IO -> IO) >= 70%"),
    (
        "colored_objects",
        "at ANSWER_COLOR+5 { 0.3",
        "at ANSWER_COLOR+7 { 0.3",
        "role gatherer at ANSWER_COLOR+7: 0.3 matters",
    ),
    ("colored_objects", "{ 0.3  0.6 }", "{ 0.3  0.5 }", "role gatherer at ANSWER_COLOR+5: 0.5 matters"),
    (
        "colored_objects",
        "lookup  -> fetcher.v : raises",
        "lookup -> fetcher.v : lowers",
        "edge lookup -> fetcher.v : lowers",
    ),
    ("colored_objects", "no edge 1.6  -> fetcher.k", "edge 1.6 -> fetcher.k", "edge 1.6 -> fetcher.k"),
    (
        "reuse",
        "overlap(heads)               in 70% .. 80%",
        "overlap(heads) > chance",
        "expect overlap(heads) > chance",
    ),
    (
        SIGNALS,
        "interchange(mlp 0 at END, S_token) >= 60%",
        "interchange(fetcher, S_token) >= 60%",
        "expect interchange(fetcher, S_token) >= 60%",
    ),
    (
        SIGNALS,
        "interchange(mlp 0 at END, S_token) >= 60%",
        "interchange(mlp 0 at END, S_position) >= 60%",
        "expect interchange(mlp 0 at END, S_position) >= 60%",
    ),
    (
        SIGNALS,
        "interchange(1.* at END, IO_token) >= 80%",
        "interchange(lookup, IO_token) >= 80%",
        "expect interchange(lookup, IO_token) >= 80%",
    ),
    (
        SIGNALS,
        "interchange(lookup, S_token)     <= 20%",
        "interchange({ 0.3 0.6 0.7 mlp 0 } at END, S_token) <= 20%",
        "expect interchange({ 0.3 0.6 0.7 mlp 0 } at END, S_token) <= 20%",
    ),
]


@pytest.mark.parametrize(("name", "said", "says", "claim"), MUTATIONS, ids=[m[3] for m in MUTATIONS])
def test_what_is_nearly_so_is_told_from_what_is_so(
    name: str, said: str, says: str, claim: str, bench: Workbench, tmp_path: Path
):
    for other in (*NAMES, SIGNALS):
        text = (SPECS / f"{other}.circuit").read_text(encoding="utf-8")
        if other == name:
            assert said in text
            text = text.replace(said, says)
        (tmp_path / f"{other}.circuit").write_text(text, encoding="utf-8")
    planned = plan(only(load(tmp_path / f"{name}.circuit"), claim), unexplained=False)
    outcomes: list[ClaimOutcome] = []
    if claim.startswith("role") or not any(each.claims for each in planned.circuits):
        outcomes += bench.check(planned).outcomes  # which excuses heads of circuits that are far from whole
    else:
        for each in planned.circuits:
            outcomes += bench.bench(each.circuit).judge(each.claims)
    (outcome,) = outcomes
    assert outcome.verdict is Verdict.FAILS


def only(document: Document, text: str) -> Document:
    """The document with no claim left but the one of that text."""
    return replace(
        document,
        circuits=tuple(replace(c, claims=tuple(kept(c.claims, text))) for c in document.circuits),
        comparisons=tuple(replace(c, claims=tuple(kept(c.claims, text))) for c in document.comparisons),
    )


def kept(claims: tuple, text: str) -> Iterator:
    return (claim for claim in claims if claim.text == text)

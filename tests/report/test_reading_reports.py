"""What a reader of a report finds: order, every claim once, a legend, ways on, and no figure beside half a bound."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import report
from rich.cells import cell_len

import samples
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.language.circuit import Bound, Claim, ClaimKind, Control, Term
from circuitdsl.outcome import ClaimOutcome, Report, Variant
from circuitdsl.report import output
from circuitdsl.report.pages import report as terminal
from circuitdsl.report.pages.claims import ClaimLines, closeness, folded, listed
from circuitdsl.report.remedies import remedies
from circuitdsl.report.text import Flow


def page(of: Report, width: int = 100, verbose: bool = False) -> str:
    return output.to_text(terminal.render(of, verbose), width)


def with_claims(*outcomes: ClaimOutcome) -> Report:
    """The sample with these claims alone."""
    whole = report()
    circuit = replace(whole.circuits[0], claims=outcomes)
    return replace(whole, circuits=(circuit,), comparisons=(), interventions=())


# --- order -----------------------------------------------------------------------------------------


def test_the_verdict_comes_first_then_what_holds_and_last_what_does_not():
    shown = page(report())
    places = [
        shown.index(part)
        for part in (
            "7 claims hold, 2 fail, 1 is undecided, 1 could not be measured",
            "circuit ioi, specs/ioi.circuit",
            "✓ 7 logit_diff in 3.0 .. 4.5",
            "compare ioi with ioi",
            "intervention repair on ioi",
            "what does not hold, and what to try next",
            "FAILS  specs/ioi.circuit:4",
            "ERROR  specs/ioi.circuit:10",
        )
    ]
    assert places == sorted(places)


def test_every_claim_stands_once():
    shown = page(report())
    for text in (
        "logit_diff in",
        "attention(mover",
        "faithfulness >",
        "copying(mover",
        "overlap(heads) >=",
        "accuracy >=",
    ):
        assert shown.count(text) == 1, text
    assert len(re.findall(r"^[✗?!] (?:FAILS|undecided|ERROR)", shown, re.MULTILINE)) == 4
    said = "✗ 2 fail: lines 4, 8, at the end"
    assert said in shown
    assert said not in page(report(), verbose=True)  # there they stand where they belong, too


def test_alike_claims_that_hold_are_one_line_of_the_one_nearest_to_its_bound():
    bound = Bound(">=", low=0.5)
    claims = [samples.expect("c", line, "accuracy", bound, f"expect accuracy >= 50% on {line}") for line in (3, 4, 5)]
    held = [samples.outcome(claim, Verdict.HOLDS, value) for claim, value in zip(claims, (0.9, 0.53, 0.7), strict=True)]
    (line,) = folded(held)
    assert (line.place, line.about, line.figure) == ("4", "(of 3)", "53.0% [52.0, 54.0]")


def test_the_distance_to_a_bound_counts_in_half_widths_of_the_interval():
    near = samples.outcome(samples.expect("c", 3, "accuracy", Bound("in", 0.2, 0.8)), Verdict.HOLDS, 0.7, 0.05)
    assert closeness(near) == pytest.approx(2.0)
    beats = samples.expect("c", 4, "faithfulness", Control("random heads"))
    control = samples.outcome(beats, Verdict.HOLDS, 0.9, 0.1, control=Estimate(0.5, 0.4, 0.6))
    assert closeness(control) == pytest.approx(3.0)


# --- legend ----------------------------------------------------------------------------------------


def test_what_a_sign_means_is_said_once_on_a_figure_of_the_report():
    assert page(report()).count("-40.0%: without this path (or head) the metric falls by 40.0%, so it raises it") == 1
    edge = next(each for each in report().circuits[0].claims if each.claim.kind == "edge")
    lowers = replace(edge, estimate=Estimate(0.25, 0.2, 0.3))
    assert "25.0%: without this path (or head) the metric rises by 25.0%, so it lowers it" in page(with_claims(lowers))


def test_without_signs_and_without_folds_there_is_no_legend():
    claim = samples.expect("c", 3, "accuracy", Bound(">=", low=0.5))
    shown = page(with_claims(samples.outcome(claim, Verdict.FAILS, 0.2)))
    assert "without this path" not in shown
    assert "alike claims" not in shown


# --- ways on ---------------------------------------------------------------------------------------


def failing(claim: Claim, value: float, **rest) -> ClaimOutcome:
    return samples.outcome(claim, Verdict.FAILS, value, **rest)


def edge(bound: Bound, text: str, kind: ClaimKind = "edge") -> Claim:
    return Claim("c:5", 5, text, kind, Term("effect"), bound)


RAISES, LOWERS = Bound("<=", high=-0.01), Bound(">=", low=0.01)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (failing(samples.member("c", 4, "mover", "2.4"), 0.0), "take it out of role mover"),
        (failing(samples.member("c", 4, "mover", "2.4"), 0.0), "`circuitdsl draft --refine my.circuit`"),
        (failing(edge(RAISES, "edge a -> b.q : raises"), 0.3), "`edge a -> b.q : lowers`"),
        (failing(edge(LOWERS, "edge a -> b.q : lowers"), -0.3), "`edge a -> b.q : raises`"),
        (failing(edge(RAISES, "edge a -> b.q : raises"), 0.0), "claim `no edge a -> b.q`"),
        (failing(edge(Bound("inside", -0.01, 0.01), "no edge a -> b", "no edge"), -0.3), "`edge a -> b : raises`"),
        (failing(samples.expect("c", 7, "accuracy", Bound(">=", low=0.8)), 0.655), "supports `>= 64%`"),
        (failing(samples.expect("c", 7, "accuracy", Bound("<=", high=0.1)), 0.655), "supports `<= 67%`"),
        (failing(samples.expect("c", 7, "logit_diff", Bound("in", 3, 4), ""), 5.05, unit="logits"), "`in 5 .. 5.1`"),
        (failing(samples.expect("c", 7, "faithfulness", Control("random heads")), 0.5), "--refine my.circuit"),
        (failing(samples.expect("c", 7, "faithfulness", Bound(">=", low=0.8)), 0.5), "`vary ablate: zero`"),
    ],
)
def test_what_fails_is_told_with_what_to_try_next(outcome: ClaimOutcome, said: str):
    assert any(said in remedy for remedy in remedies(outcome, "my.circuit"))
    assert "try: " in page(with_claims(outcome))


def test_what_is_open_wants_more_prompts_or_a_weaker_claim():
    open_one = samples.outcome(samples.expect("c", 7, "accuracy", Bound(">=", low=0.8)), Verdict.UNDECIDED, 0.8, 0.02)
    assert remedies(open_one, "") == (
        "more prompts: `prompts 200 to 800` in the method",
        "claim less: the measurement supports `>= 78%`",
    )
    noted = replace(open_one, note="too little is kept")
    assert remedies(noted, "")[0] == "`circuitdsl explain accuracy` says what it needs"
    assert remedies(open_one, "", most=2000)[0] == "the task has no more than 200 prompts: add some"
    exact = replace(open_one, exact=True)
    assert not any("more prompts" in remedy for remedy in remedies(exact, ""))


def test_what_holds_needs_nothing_and_what_was_varied_is_not_varied_again():
    claim = samples.expect("c", 7, "faithfulness", Bound(">=", low=0.8))
    assert remedies(samples.outcome(claim, Verdict.HOLDS, 0.9), "") == ()
    varied = failing(claim, 0.5, variants=(Variant("ablate", "zero", Estimate(0.9, 0.89, 0.91), Verdict.HOLDS, 200),))
    assert not any("vary" in remedy for remedy in remedies(varied, ""))
    assert "with ablate zero it holds" in page(with_claims(varied))


def test_a_bound_that_the_measurement_supports_is_met_by_the_whole_interval():
    claim = samples.expect("c", 7, "accuracy", Bound(">=", low=0.8))
    for hundredths in range(20, 70):
        outcome = failing(claim, hundredths / 100, spread=0.0)
        assert any(f"`>= {hundredths}%`" in remedy for remedy in remedies(outcome, ""))


# --- 80 columns ------------------------------------------------------------------------------------

words = st.text("abcdefgh(){}->.,0123456789", min_size=1, max_size=30)
ends = st.integers(-99, 199)


@st.composite
def outcomes(draw) -> ClaimOutcome:
    low, high = sorted((draw(ends), draw(ends)))
    wanted, bound = draw(
        st.sampled_from(
            [
                (f"in {low}% .. {high}%", Bound("in", low / 100, high / 100)),
                (f">= {low}%", Bound(">=", low=low / 100)),
                ("> random heads", Control("random heads")),
            ]
        )
    )
    subject = " ".join(draw(st.lists(words, min_size=1, max_size=5)))
    claim = samples.expect("c", draw(st.integers(1, 999)), "effect", bound, f"expect effect({subject}) {wanted}")
    return samples.outcome(claim, Verdict.HOLDS, draw(ends) / 100, draw(st.integers(0, 30)) / 100)


@given(st.lists(outcomes(), min_size=1, max_size=5), st.integers(60, 120))
def test_a_bound_is_in_one_line_and_shares_it_with_its_figure_only_if_the_claim_does(found, width: int):
    for lines in (tuple(listed(found)), tuple(folded(found))):
        shown = output.to_text(ClaimLines(lines), width).splitlines()
        assert max(map(cell_len, shown)) <= width
        for line in lines:
            bound = re.search(r"(?:>=?|\bin) [^()]*$", line.claim)
            assert bound is not None
            assert any(bound[0] in row for row in shown)
            beside = [row for row in shown if bound[0] in row and row.rstrip().endswith(line.figure)]
            assert all(re.match(rf"✓ +\d+ {re.escape(line.claim[:6])}", row) for row in beside)


@given(st.lists(st.text("ab [],.%-0123456789", min_size=1, max_size=30), min_size=1, max_size=8), st.integers(40, 120))
def test_statements_are_broken_only_between_them(parts: list[str], width: int):
    shown = output.to_text(Flow(parts), width).splitlines()
    assert max(map(cell_len, shown)) <= width
    for part in map(str.rstrip, parts):
        assert any(part in row for row in shown)


def test_a_broken_claim_has_its_figure_below_it():
    text = "expect effect(a_role_with_a_long_name -> another_role_with_a_name.q, strict) in -38% .. -12%"
    claim = samples.expect("c", 55, "effect", Bound("in", -0.38, -0.12), text)
    lines = tuple(listed([samples.outcome(claim, Verdict.HOLDS, -0.253, 0.04)]))
    first, second, third = output.to_text(ClaimLines(lines), 80).splitlines()
    assert first.startswith("✓ 55 expect effect(a_role_with_a_long_name ->")
    assert second.strip().endswith("in -38% .. -12%")
    assert third.strip() == "-25.3% [-29.3, -21.3]"

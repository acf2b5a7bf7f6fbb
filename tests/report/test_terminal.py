"""The report as people read it: what fails is named with its place, and 80 columns are enough."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_samples import report
from rich.cells import cell_len

import circuitdsl as cd
import samples
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.language.circuit import Bound, Term
from circuitdsl.outcome import Arm, Performance, Report, Variant
from circuitdsl.report import output
from circuitdsl.report.pages import report as terminal
from circuitdsl.report.words import bound, conclusion, estimate, measured_and_wanted, number, plural, seconds


def text(verbose: bool = False, width: int = 80) -> str:
    return output.to_text(terminal.render(report(), verbose), width)


def line_with(part: str, within: str) -> str:
    (line,) = [line for line in within.splitlines() if part in line]
    return line


@pytest.fixture(scope="module")
def shown() -> str:
    return text(width=100)


@pytest.fixture(scope="module")
def full() -> str:
    return text(verbose=True, width=100)


def test_what_does_not_hold_is_named_with_file_and_line_and_reason(shown: str):
    end = shown.split("what does not hold")[1]
    rows = [line for line in end.splitlines() if ".circuit:" in line]
    assert [(row.split()[1], row.split()[2]) for row in rows] == [
        ("FAILS", "specs/ioi.circuit:4"),
        ("FAILS", "specs/ioi.circuit:8"),
        ("undecided", "specs/ioi.circuit:9"),
        ("ERROR", "specs/ioi.circuit:10"),
    ]
    assert "measured 0.2% [0.1, 0.3], wants at least 1%" in end
    assert "wants more than random heads (median 75.0%)" in end
    assert "the patch changed nothing" in end


def test_the_verdict_stands_first_in_a_sentence(shown: str):
    assert shown.splitlines()[0] == "7 claims hold, 2 fail, 1 is undecided, 1 could not be measured (12.3 s)"
    assert text(width=100, verbose=True).splitlines()[0] == shown.splitlines()[0]


def test_what_holds_needs_no_section_of_what_does_not(shown: str):
    good = report()
    good = replace(good, circuits=(), cost=replace(good.cost, experiments=0, passes=0.0, kept=7))
    said = output.to_text(terminal.render(good), 100)
    assert "what does not hold" in shown
    assert "what does not hold" not in said
    assert "0 experiments run (7 more from the results store), 0 forward passes, plain engine on cpu" in said
    full = output.to_text(terminal.render(good, verbose=True), 100)
    assert "0 experiments run (7 more from the results store), 0 forward passes (planned: about 40; one by one" in full


def test_heads_that_matter_are_one_line_the_weakest_unless_asked(shown: str, full: str):
    line = line_with(" matters: minimality >= 1%", shown)
    assert line.split()[:2] == ["✓", "3"] and "of inhibition" in line and "(of 3)" in line
    assert line.endswith("5.0% [4.0, 6.0]")
    assert "(of 3)" not in full
    for head in ("1.2", "1.5", "2.0"):
        assert line_with(f"✓ {'4' if head == '2.0' else '3':>2} {head} at END matters (200 prompts)  ", full)


def test_controls_are_listed_with_their_verdicts_and_those_that_were_not_tried(shown: str, full: str):
    assert "controls: ? sufficiency, 6 more are known (-v)" in shown
    said = "controls: ? sufficiency (line 9); not tried: necessity, independence, random heads, random edges, sham,"
    assert f"{said} control task" in " ".join(full.split())


def test_a_failing_claim_shows_its_parts_and_an_open_one_its_prompts(shown: str):
    lines = shown.splitlines()
    at = lines.index("✗ FAILS  specs/ioi.circuit:8  expect attention(mover, END -> IO) >= 40%")
    assert [line.split()[0] for line in lines[at + 1 : at + 5]] == ["measured", "averaged", "2.0", "2.4"]
    assert "not decided by 2,000 prompts" in shown


def test_where_a_share_means_nothing_the_reason_stands_alone():
    claim = samples.expect("ioi", 9, "faithfulness", Bound(">=", low=0.5))
    reason = "the model does not do this task on these prompts"
    (first, *_) = report().circuits
    for p_value, prompts_are_blamed in ((None, False), (0.4, True)):
        outcome = samples.outcome(claim, Verdict.UNDECIDED, 0.45, 0.1, note=reason, p_value=p_value)
        shown = replace(report(), circuits=(replace(first, claims=(outcome,)),))
        end = output.to_text(terminal.render(shown, False), 100).split("what does not hold")[1]
        assert reason in end
        assert ("not decided by" in end, "claim less" in end) == (prompts_are_blamed, prompts_are_blamed)


def test_a_figure_is_never_rounded_onto_the_bound_that_it_misses(full: str):
    assert line_with("✗  8 ", full).endswith("39.97% [39.95, 39.99]")
    assert "measured 39.97% [39.95, 39.99], wants at least 40%" in full
    assert "40.0% [40.0, 40.0]" not in full


def test_variants_are_shown_on_request(shown: str, full: str):
    assert "with ablate" not in shown
    assert "with ablate resample: undecided" in full
    assert "no such counterfactual" in line_with("with against s2_io: ERROR", full)
    assert "-30.0%" in line_with("with ablate zero: holds", full)


def test_it_is_told_which_verdicts_depend_on_the_method(shown: str):
    assert "no verdict of 1 fails with one method and holds with another" in shown
    assert "1 is undecided with one method and decided with another: line 5" in shown
    assert "depend on the method" not in text_of(with_variants({}))
    contrasts = with_variants({0: "fails", 2: "holds", 3: "holds", 5: "undecided"})
    said = " ".join(text_of(contrasts).split())
    # The first holds and fails with zero; the fourth fails and holds with zero.
    assert "2 of 4 verdicts depend on the method: line 3 fails with ablate zero; line 4 holds with ablate zero" in said
    assert "1 more is undecided with one method and decided with another: line 7" in said
    claims = contrasts.to_dict()["circuits"][0]["claims"]  # type: ignore[index]
    assert [claims[place]["depends_on_method"] for place in (0, 1, 2, 3, 5)] == [True, None, False, True, None]


def with_variants(verdicts: dict[int, str]) -> Report:
    """The sample, its circuit's claims at these places judged under `ablate zero` too."""
    whole = report()
    (circuit,) = whole.circuits

    def variants(place: int) -> tuple[Variant, ...]:
        if place not in verdicts:
            return ()
        return (Variant("ablate", "zero", Estimate(0.1, 0.0, 0.2), Verdict(verdicts[place]), 60),)

    claims = tuple(replace(outcome, variants=variants(place)) for place, outcome in enumerate(circuit.claims))
    return replace(whole, circuits=(replace(circuit, claims=claims),))


def text_of(given: Report, verbose: bool = False) -> str:
    return output.to_text(terminal.render(given, verbose), 100)


def test_both_figures_of_a_listed_head_stand_side_by_side():
    whole = report()
    (circuit,) = whole.circuits
    heads = tuple(replace(head, minimality=Estimate(0.123, 0.11, 0.13)) for head in circuit.heads)
    shown = text_of(replace(whole, circuits=(replace(circuit, heads=heads),)), verbose=True)
    assert "Each knocked out alone: change of logit_diff; and what each adds inside the circuit" in shown
    assert "-20.0% [-22.0, -18.0]  12.3% [11.0, 13.0]" in line_with("  1.2  at END", shown)
    assert "12.3%" not in line_with(" 3.1 ", shown)


def in_a_sequence() -> Report:
    """The sample as if its claims had begun with 60 prompts and one of them had taken 2,000."""
    whole = report()
    (circuit,), (intervention,) = whole.circuits, whole.interventions
    found = Estimate(3.5, 3.0, 4.0)
    method = replace(circuit.circuit.method, prompts_first=60, prompts_most=2000)
    circuit = replace(
        circuit,
        circuit=replace(circuit.circuit, method=method),
        prompts=2000,
        performance=Performance(found, found, found, Verdict.HOLDS, 0.95, 60),
        claims=tuple(
            replace(outcome, variants=tuple(replace(each, prompts=60) for each in outcome.variants))
            for outcome in circuit.claims
        ),
    )
    arms = (arm("none", 0.9), arm("all", 0.7))
    return replace(
        whole, circuits=(circuit,), interventions=(replace(intervention, first=60, accuracy="accuracy", arms=arms),)
    )


def arm(name: str, accuracy: float) -> Arm:
    found = Estimate(accuracy, accuracy - 0.1, accuracy + 0.1)
    return Arm(name, found, found, found, found, repaired=1.0, broken=2.0)


def test_figures_of_fewer_prompts_than_the_page_says_have_their_own_number():
    """Claims of a sequence take more prompts than all that stands beside them."""
    shown = text_of(in_a_sequence(), verbose=True)
    for said in (
        "without any patch on 60 prompts: F is logit_diff 3.50",
        "with ablate zero on 60 prompts: holds",
        "Each knocked out alone on 60 prompts: change of",
        "What it changes, on 60 prompts",
    ):
        assert said in shown, said
    assert "accuracy on 60 prompts 90.0% before" in text_of(in_a_sequence())
    assert "on 60 prompts" not in text_of(report(), verbose=True)
    assert "on 200 prompts" not in text_of(report(), verbose=True)


def test_a_page_says_on_how_many_prompts_what_stands_beside_claims_was_measured():
    shown = cd.show(in_a_sequence(), "html")
    for said in (
        "logit_diff without any patch on 60 prompts",
        "at its place on 60 prompts.",
        "with one setting of the method changed, once, on 60 prompts.",
        "What it does, in part and by other heads, on 60 prompts",
    ):
        assert said in shown, said
    whole = cd.show(report(), "html")
    assert "on 60 prompts" not in whole and ", once, " not in whole


def test_a_table_whose_figures_are_all_zero_has_no_bars():
    """Of heads that change nothing that is shown, the largest would have a bar of full length."""
    whole = report()
    (circuit,) = whole.circuits
    for size, bars in ((0.0004, False), (-0.0004, False), (0.002, True)):
        heads = tuple(replace(head, estimate=Estimate(size, size, size)) for head in circuit.heads)
        shown = line_with("  1.2  at END", text_of(replace(whole, circuits=(replace(circuit, heads=heads),)), True))
        assert ("▪" in shown) == bars
        assert ("0.0%" in shown) != bars


def test_heads_that_are_undecided_for_one_reason_are_told_once_unless_asked():
    whole = report()
    (circuit,) = whole.circuits
    claims = tuple(
        replace(each, verdict=Verdict.UNDECIDED, note="too little is kept") if each.claim.kind == "member" else each
        for each in circuit.claims
    )
    given = replace(whole, circuits=(replace(circuit, claims=claims),))
    assert text_of(given).count("too little is kept") == 2  # a role each
    assert ", and 1 more of inhibition alike" in text_of(given)
    assert output.to_text(terminal.render(given, verbose=True), 100).count("too little is kept") >= 4


def test_knockouts_of_members_are_beyond_the_floor_on_either_side():
    whole = report()
    (circuit,) = whole.circuits
    claims = tuple(
        replace(each, claim=replace(each.claim, term=Term("knockout"), bound=Bound("outside", -0.01, 0.01)))
        for each in circuit.claims[:2]
    )
    shown = text_of(replace(whole, circuits=(replace(circuit, claims=claims),)))
    assert line_with("1.2 at END of inhibition matters: knockout beyond ±1% (of 2)", shown)


def test_heads_and_what_is_unexplained_and_notes_and_the_example(shown: str, full: str):
    assert "not in the circuit, yet they matter when knocked out: 3.1 -3.0% [-4.0, -2.0]" in shown
    assert "Not in the circuit, yet they matter: 28 of 28 heads looked at" in full
    assert "-3.0% [-4.0, -2.0]" in line_with(" 3.1 ", full)
    strong, weak = (line_with(f"  {head}  at END", full).count("▪") for head in ("1.2", "2.0"))
    assert strong == 4 * weak
    assert "note: 18 of 20 names are one token" in shown
    assert "note: not significant with all claims corrected for each other (Holm): 1 of 9 (-v)" in shown
    assert "(Holm): line 7" in full
    assert "e.g. 'When Mary and John went" in full


def test_the_weights_and_the_method_are_told(shown: str, full: str):
    assert "model mini, fingerprint 1a2b3c4d5e6f, revision step3000, task ioi, 200 prompts" in shown
    assert "metric logit_diff, patches from abc, ablation mean by template, confidence 95%" in shown
    assert "model mini (weights as they are), fingerprint 1a2b3c4d5e6f, revision step3000" in full
    assert "ablation mean by template of heads at their roles' positions, confidence 95%" in " ".join(full.split())


def test_a_comparison_shows_what_is_shared_and_what_chance_would_give(shown: str, full: str):
    brief, block = (page.split("compare ioi with ioi")[1].split("intervention")[0] for page in (shown, full))
    assert brief.startswith(", specs/reuse.circuit")
    assert brief.splitlines()[1:2] == ["one circuit on both sides"]
    assert "1 head shared of 3 and 3: 33% of the smaller circuit." in brief
    assert line_with("heads     ", block).split()[1:6] == ["1", "3", "3", "33%", "33%"]
    assert "counterparts by the same name: mover" in full
    assert "without a counterpart in right: early" in full
    assert "without a counterpart in left: late" in full


def test_an_intervention_shows_what_is_done(shown: str):
    block = shown.split("intervention repair on ioi")[1]
    assert block.startswith(", specs/repair.circuit")
    assert block.splitlines()[1] == "heads made to look at the answer"
    assert "attend { 2.0 } from END to IO evenly" in block


@pytest.mark.parametrize("width", [40, 80, 100, 200])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_line_is_wider_than_the_terminal(width: int, verbose: bool):
    assert max(map(cell_len, text(verbose, width).splitlines())) <= width


def test_no_colour_codes_and_no_blanks_at_line_ends_when_it_is_no_terminal(shown: str):
    assert "\x1b" not in shown
    assert all(line == line.rstrip() for line in shown.splitlines())


def test_colours_on_a_terminal(capsys: pytest.CaptureFixture[str]):
    from rich.console import Console

    Console(force_terminal=True, color_system="standard", width=80).print(terminal.render_summary(report()))
    assert "\x1b[" in capsys.readouterr().out


def test_brackets_in_names_and_prompts_are_not_taken_for_markup():
    odd = report()
    odd = replace(odd, circuits=(replace(odd.circuits[0], example="a [bold]word[/bold] and [/]"),))
    assert "a [bold]word[/bold] and [/]" in text_of(odd, verbose=True)


# --- words -----------------------------------------------------------------------------------------


def test_numbers():
    assert number(0.873, "share") == "87.3%"
    assert number(3.519, "logits") == "3.52"
    assert number(-0.0001, "share") == "0.0%"
    assert number(None, "share") == "-"
    assert number(0.5, "share", 0) == "50%"


def test_figures():
    assert estimate(Estimate(0.873, 0.861, 0.885), "share") == "87.3% [86.1, 88.5]"
    assert estimate(Estimate(1.0, 1.0, 1.0), "share") == "100.0%"
    assert estimate(Estimate(0.0, -1e-9, 1e-9), "share") == "0.0%"
    assert estimate(Estimate(None, None, None), "share") == "-"


@pytest.mark.parametrize(
    ("wanted", "unit", "words"),
    [
        (Bound(">=", low=0.8), "share", "at least 80%"),
        (Bound("<=", high=3), "logits", "at most 3"),
        (Bound(">", low=0.025), "share", "more than 2.5%"),
        (Bound("<", high=-1), "logits", "less than -1"),
        (Bound("in", 3.0, 4.5), "logits", "3 to 4.5"),
        (Bound("inside", -0.01, 0.01), "share", "between -1% and 1%"),
        (Bound("outside", -0.01, 0.01), "share", "at most -1% or at least 1%"),
    ],
)
def test_bounds(wanted: Bound, unit: str, words: str):
    assert bound(wanted, unit) == words


def test_a_miss_by_a_hair_is_shown_with_as_many_digits_as_it_needs():
    claim = samples.expect("c", 3, "accuracy", Bound(">=", low=0.8))
    outcome = samples.outcome(claim, Verdict.FAILS, 0.79996, 0.00001)
    assert measured_and_wanted(outcome) == "measured 79.996% [79.995, 79.997], wants at least 80%"


@pytest.mark.parametrize(
    ("duration", "words"), [(0.4199, "0.42 s"), (12.34, "12.3 s"), (245.0, "4 min 5 s"), (59.97, "1 min 0 s")]
)
def test_durations(duration: float, words: str):
    assert seconds(duration) == words


def test_counts():
    assert plural(1, "head") == "1 head"
    assert plural(2000, "pass", "passes") == "2,000 passes"
    assert conclusion({"holds": 1, "fails": 1, "undecided": 0, "error": 0}, 2) == "1 claim holds, 1 fails (2.0 s)"
    assert conclusion({"holds": 0, "fails": 0, "undecided": 2, "error": 0}, 2) == "2 claims are undecided (2.0 s)"

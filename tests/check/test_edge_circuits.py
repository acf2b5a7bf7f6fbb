"""Circuits of edges alone, edges from the embeddings, strict edges: texts that once were errors, or said nothing."""

from __future__ import annotations

import pytest

import circuitdsl as cd
from circuitdsl.check.workbench import Workbench
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.resolve import resolve_text
from circuitdsl.outcome import ClaimOutcome


@pytest.fixture(scope="module")
def bench() -> Workbench:
    """One for all tests, so that the model is opened and its means are made once."""
    return Workbench()


def outcomes(bench: Workbench, body: str) -> dict[str, ClaimOutcome]:
    text = f"circuit a {{\nmodel mini\ntask ioi\nmethod {{ prompts 12 reference 4 }}\n{body}\n}}\n"
    (plan,) = cd.plan(resolve_text(text, "here.circuit", cd.environment()), unexplained=False).circuits
    return {outcome.claim.text: outcome for outcome in bench.bench(plan.circuit).judge(plan.claims)}


def value(outcome: ClaimOutcome) -> float:
    assert outcome.estimate.value is not None, outcome.note
    return outcome.estimate.value


CHAIN = """
edge embed -> 1.6 at S2
edge 1.6 at S2 -> 3.0.v
edge embed -> 3.0.q at END
edge 3.0 at END -> logits
"""


def test_a_circuit_of_edges_is_judged_as_edges(bench: Workbench):
    found = outcomes(
        bench,
        CHAIN
        + """expect faithfulness >= 60%
        expect faithfulness > random heads
        expect faithfulness_gap <= 10
        expect faithfulness(edges) >= 60%
        expect minimality({ 3.0 at END }) >= 1%""",
    )
    whole = found["expect faithfulness >= 60%"]
    assert value(whole) != 0
    assert value(whole) == value(found["expect faithfulness(edges) >= 60%"])
    assert whole.note.startswith("judged as edges: all else takes its output on the prompt's own counterfactual")
    assert "no stated edges lead" not in whole.note
    against = found["expect faithfulness > random heads"]
    assert against.verdict is not Verdict.ERROR
    assert against.control is not None and against.control.value not in (None, 0)
    # Without the last head nothing is left, which is all that the circuit adds.
    assert value(found["expect minimality({ 3.0 at END }) >= 1%"]) > 0


def test_edges_without_a_beginning_keep_nothing_and_say_so(bench: Workbench):
    body = "edge 1.6 at S2 -> 3.0.v\nedge 3.0 at END -> logits\nexpect faithfulness >= 60%"
    outcome = outcomes(bench, body)["expect faithfulness >= 60%"]
    assert value(outcome) == pytest.approx(0, abs=1e-6)
    assert "the senders without an edge into them too (1.6)" in outcome.note
    assert "no stated edges lead from `embed` to the logits" in outcome.note


def test_all_that_edges_can_say_is_the_other_option_of_a_circuit_of_roles(bench: Workbench):
    roles = "role x at S2 { 1.6 }\nrole y at END { 3.0 }\nedge embed -> x\nedge x -> y.v\nedge y -> logits\n"
    found = outcomes(bench, roles + "expect faithfulness >= 1%\nexpect faithfulness(edges) >= 1%")
    by_nodes, by_edges = found["expect faithfulness >= 1%"], found["expect faithfulness(edges) >= 1%"]
    assert value(by_nodes) != value(by_edges)
    assert (by_nodes.note, by_edges.note[:15]) == ("", "judged as edges")


def test_completeness_of_edges_removes_what_they_name(bench: Workbench):
    (outcome,) = list(outcomes(bench, "edge 3.0 at END -> logits\nexpect completeness(greedy) <= 4").values())[1:]
    assert outcome.verdict is not Verdict.ERROR
    assert {part.label for part in outcome.parts} >= {"the greedy set 3.0"}
    assert "judged as edges" in outcome.note
    assert value(outcome) > 1  # the circuit gives what the counterfactual gives, and the model without 3.0 does not


def test_completeness_of_edges_where_all_edges_of_a_head_are_stated(bench: Workbench):
    """Removing 3.0 from the circuit leaves the counterfactual; given as the set, it is found wherever it sends from."""
    body = CHAIN + "expect completeness({ 3.0 }) <= 4\nexpect completeness({ 3.0 at END }) <= 4"
    found = outcomes(bench, body)
    assert value(found["expect completeness({ 3.0 at END }) <= 4"]) > 1
    assert value(found["expect completeness(3.0) <= 4"]) > 1


def test_embeddings_are_not_removed_for_completeness(bench: Workbench):
    body = """role input { embed }
    role x at S2 { 1.6 }
    edge input -> x.k at S1
    edge input -> x.q
    expect completeness <= 40
    expect completeness(input) <= 40
    expect faithfulness >= 1%"""
    found = outcomes(bench, body)
    assert all(part.label != "input" for part in found["expect completeness <= 40"].parts)
    assert "input cannot be removed: a circuit keeps its embeddings" in found["expect completeness(input) <= 40"].note
    assert found["expect faithfulness >= 1%"].verdict is not Verdict.ERROR


def test_positions_beside_tokens_are_patched_together(bench: Workbench):
    edges = "edge input -> 1.6.q at S2\nedge embed -> 1.6.q at S2\n"
    found = outcomes(bench, "role input { embed pos_embed }\n" + edges + "expect faithfulness >= 60%")
    both, tokens = found["edge input -> 1.6.q at S2"], found["edge embed -> 1.6.q at S2"]
    assert value(both) == pytest.approx(value(tokens), rel=1e-5) != 0
    whole = found[
        "expect faithfulness >= 60%"
    ]  # a role of embeddings keeps nothing by itself: it is a circuit of edges
    assert "judged as edges" in whole.note and "no stated edges lead from `embed`" in whole.note


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("expect completeness <= 4", "C519"),
        ("no edge 3.0 at END -> logits\nexpect faithfulness >= 60%", "C519"),
        ("role input { embed }\nexpect minimality({ 3.0 at END }) >= 1%", "C519"),
        ("role x at END { 3.0 }\nexpect faithfulness(edges) >= 60%", "C519"),
        ("edge pos_embed -> 1.6.q at S2", "C520"),
        ("role p { pos_embed }\nexpect effect(p -> logits) < 0", "C520"),
    ],
)
def test_what_cannot_be_measured_is_an_error_of_the_text(body: str, code: str):
    with pytest.raises(SpecError) as error:
        text = f"circuit a {{\nmodel mini\ntask ioi\n{body}\n}}\n"
        resolve_text(text, "here.circuit", cd.environment())
    assert [each.code for each in error.value.diagnostics] == [code]


def test_a_strict_edge_is_the_direct_one_and_its_floor_may_be_said(bench: Workbench):
    """Of what MLPs make of the first one nothing is left: that edge and its absence may both be true."""
    found = outcomes(
        bench,
        "edge mlp 0 at END -> logits\nno edge mlp 0 at END -> logits : strict\n"
        "expect effect(mlp 0 at END -> logits, strict) in -100% .. 100%\n"
        "edge 3.0 at END -> logits : strict, outside -1% .. 5%",
    )
    by_any_way, direct = found["edge mlp 0 at END -> logits"], found["no edge mlp 0 at END -> logits : strict"]
    assert abs(value(by_any_way)) > 2 * abs(value(direct))
    assert value(direct) == value(found["expect effect(mlp 0 at END -> logits, strict) in -100% .. 100%"])
    assert found["edge 3.0 at END -> logits : strict, outside -1% .. 5%"].verdict is Verdict.HOLDS


def test_an_edge_into_a_head_is_seen_by_all_its_inputs_together(bench: Workbench):
    ends = "role x at S2 { 0.3 }\nrole y at S2 { 1.6 }\n"
    whole = outcomes(
        bench, ends + "edge x -> y\nexpect effect(x -> y.q) in -100% .. 100%\nexpect effect(x -> y.kv) in -100% .. 100%"
    )
    together, queries, others = list(whole.values())[2:]
    assert value(together) not in (0, value(queries), value(others))

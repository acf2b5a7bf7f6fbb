"""Controls on planted models, where the truth is known: what is there passes, what is not does not, by both engines."""

from __future__ import annotations

import pytest
from planted_bench import Bench, bench, resolved

import circuitdsl as cd
from circuitdsl.api import with_prompts
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.resolve import resolve_text
from circuitdsl.outcome import ClaimOutcome
from samples import known

IOI = (
    "circuit a { model planted-ioi task ioi role mover at END { 3.0 3.2 } role inhibition at END { 2.1 2.3 } "
    "role decoy at END { 3.3 } role idle at END { 2.0 } {claim} }"
)
REUSE = "circuit a { model planted-reuse task {task} role heads at END {{ {heads} }} {claim} }"


def outcome(text: str, judge: Bench, prompts: int | None = None) -> ClaimOutcome:
    """What becomes of the last claim of the one circuit of a text."""
    document = resolved(text)
    (circuit,) = (document if prompts is None else with_prompts(document, prompts)).circuits
    return judge.outcomes(circuit, circuit.claims[-1:])[0]


def of_ioi(claim: str, engine: str = "fast", prompts: int | None = None) -> ClaimOutcome:
    return outcome(IOI.replace("{claim}", claim), bench(engine), prompts)


ENGINES = ("fast", "plain")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("control", ["random edges", "sham"])
def test_an_edge_that_is_not_there_passes_neither(control: str, engine: str):
    """A decoy writes what nothing reads; the inhibition writes what the movers' queries read, and not their keys."""
    for path in ("decoy -> logits", "inhibition -> mover.k"):
        assert of_ioi(f"expect effect({path}) > {control}", engine).verdict is Verdict.FAILS


def test_an_edge_that_is_there_is_larger_than_random_edges():
    found = of_ioi("expect effect(inhibition -> mover.q) > random edges")
    assert found.verdict is Verdict.HOLDS
    assert known(found.p_value) <= 0.05
    assert known(found.estimate.value) > 1  # the size of an effect that lowers the metric
    assert of_ioi("expect effect(inhibition -> mover.q) < random edges").verdict is Verdict.FAILS


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_mover_writes_is_the_answer_which_a_sham_keeps(engine: str):
    for term in ("effect(mover -> logits)", "knockout(mover)"):
        found = of_ioi(f"expect {term} > sham", engine)
        assert found.verdict is Verdict.HOLDS
        assert found.control is not None
        assert known(found.control.value) < 0.1 * known(found.estimate.value)
        assert of_ioi(f"expect {term} < sham", engine).verdict is Verdict.FAILS


def test_what_inhibition_writes_is_the_other_name_which_a_sham_exchanges():
    """Only the answer is kept: that a path carries something else than its counterfactual changes is what it shows."""
    found = of_ioi("expect effect(inhibition -> mover.q) > sham")
    assert known(found.control and found.control.value) > 0.8 * known(found.estimate.value)


def test_both_engines_measure_the_same():
    for claim in (
        "expect effect(mover -> logits) > sham",
        "expect effect(mover -> logits) > random edges",
        "expect knockout(mover) > sham",
        "expect necessity > random heads",
        "expect dependence > chance",
    ):
        fast, plain = of_ioi(claim, "fast", 10), of_ioi(claim, "plain", 10)
        assert fast.verdict is plain.verdict
        assert fast.estimate.value == pytest.approx(plain.estimate.value, rel=1e-3, abs=1e-3)
        assert fast.control is not None and plain.control is not None
        assert fast.control.value == pytest.approx(plain.control.value, rel=1e-3, abs=1e-3)


# --- other tasks -----------------------------------------------------------------------------------


def on_reuse(task: str, heads: str, claim: str) -> ClaimOutcome:
    text = (
        REUSE.replace("{task}", task)
        .replace("{heads}", heads)
        .replace("{claim}", claim)
        .replace("{{", "{")
        .replace("}}", "}")
    )
    return outcome(text, bench())


def test_heads_that_serve_one_task_pass_the_other_as_a_control_and_shared_ones_do_not():
    """2.2 inhibits names and nothing of Colored Objects; 3.2 moves the answer of both."""
    other = "colored_objects(shots: 0)"
    assert on_reuse("ioi", "2.2", f"control task {other}").verdict is Verdict.HOLDS
    assert on_reuse("ioi", "3.2", f"control task {other}").verdict is Verdict.FAILS
    assert on_reuse(other, "2.4", "control task ioi").verdict is Verdict.HOLDS
    assert on_reuse(other, "3.2", "control task ioi : in -10% .. 10%").verdict is Verdict.FAILS


def test_a_control_task_that_the_model_does_not_do_is_undecided():
    """planted-ioi answers no question about colours, so that nothing of it could be lost."""
    found = of_ioi("control task colored_objects(shots: 0)")
    assert found.verdict is Verdict.UNDECIDED
    assert "denominator" in found.note


def test_what_circuits_do_for_each_others_tasks_needs_a_model_that_does_them():
    """planted-broken does ioi and guesses among three colours; the bounds are met by every share that there is."""
    body = (
        "model planted-broken task {task} method {{ prompts 30 reference 4 members none {method} }} "
        "role mover at END {{ 3.1 3.4 }}"
    )
    claims = "transfer(b -> a) >= -900%", "transfer(a -> b) >= -900%", "dissociation(a, b) in -900% .. 900%"
    text = (
        f"circuit a {{ {body.format(task='ioi', method='')} }}\n"
        f"circuit b {{ {body.format(task='colored_objects(shots: 0)', method='metric probability')} }}\n"
        f"compare a with b {{ {' '.join(f'expect {claim}' for claim in claims)} }}"
    )
    document = resolve_text(text, "pair.circuit", cd.environment())
    (found,) = cd.check(document, unexplained=False).comparisons
    assert [each.verdict for each in found.claims] == [Verdict.HOLDS, Verdict.UNDECIDED, Verdict.UNDECIDED]


# --- the circuit as a whole ------------------------------------------------------------------------


def test_a_circuit_without_which_nothing_is_left_leaves_no_dependence_and_a_decoy_leaves_all():
    whole = "role previous { 0.0 0.4 } role duplicate { 0.3 1.0 } role induction { 1.1 1.2 } role late { 4.0 4.2 4.3 }"
    left = of_ioi(f"{whole} expect dependence > chance")
    assert left.verdict is Verdict.UNDECIDED
    decoy = "circuit a { model planted-ioi task ioi role decoy at END { 3.3 } {claim} }"
    assert outcome(decoy.replace("{claim}", "expect dependence > chance"), bench()).verdict is Verdict.HOLDS
    assert outcome(decoy.replace("{claim}", "expect dependence <= 0.3"), bench()).verdict is Verdict.FAILS
    assert outcome(decoy.replace("{claim}", "expect necessity > random heads"), bench()).verdict is Verdict.FAILS
    assert known(of_ioi("expect necessity >= 90%").estimate.value) > 0.9

"""A repair whose truth is known: only the right heads, made to look at the right place, take the task from chance to
every prompt. What the arms say is computed a second time from the weights alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from planted_algebra import Algebra, Edits, Run, logit_diff
from planted_bench import bench, drawn, plain_text, resolved

import circuitdsl as cd
from circuitdsl.components import Head
from circuitdsl.judge.estimates import Verdict
from circuitdsl.measures.controls import stand_ins
from circuitdsl.models import open_model
from circuitdsl.models.planted.plans import PLANTED
from circuitdsl.outcome import Arm, InterventionReport

DOCUMENT = resolved(plain_text("repair"))
PROMPTS = drawn("planted-broken", "colored_objects", 30)
ALIKE = Counter(prompt.template for prompt in PROMPTS)
SHARES = [1 / ALIKE[prompt.template] / len(ALIKE) for prompt in PROMPTS]  # every template counts the same
AGAINST = DOCUMENT.circuit("broken_colored_objects").method.against
INHIBITION, DECOYS = (Head(2, 0), Head(2, 3)), (Head(2, 1), Head(2, 7))


@pytest.fixture(scope="module")
def algebra() -> Algebra:
    return Algebra(PLANTED["planted-broken"]())


@pytest.fixture(scope="module")
def clean(algebra: Algebra) -> list[Run]:
    return [algebra.run(prompt.tokens) for prompt in PROMPTS]


@pytest.fixture(scope="module")
def reports() -> dict[str, InterventionReport]:
    return {each.name: bench().intervention(each, DOCUMENT.circuit(each.on)) for each in DOCUMENT.interventions}


def forced(algebra: Algebra, clean: list[Run], heads: tuple[Head, ...], shares: dict[str, float]) -> list[Run]:
    """The run of every prompt with these heads' attention at the end shared among places, and nothing else."""
    runs = []
    for prompt, whole in zip(PROMPTS, clean, strict=True):
        end = len(prompt.tokens) - 1
        outputs = {}
        for head in heads:
            width = algebra.geometry.d_head
            own = slice(head.index * width, (head.index + 1) * width)
            weights = algebra.layers[head.layer]
            values = whole.before[head.layer] @ weights["v"][own].T
            read = [share * values[list(prompt.positions[place])].mean(dim=0) for place, share in shares.items()]
            outputs[head] = ([end], torch.stack(read).sum(dim=0, keepdim=True) @ weights["o"][:, own].T)
        runs.append(algebra.run(prompt.tokens, Edits(outputs), whole))
    return runs


def direct(algebra: Algebra, head: Head, runs: list[Run], others: list[Run]) -> float:
    """What the answer's probability changes by where the head's output at the end alone is the counterfactual's."""
    changes = []
    for prompt, run, other in zip(PROMPTS, runs, others, strict=True):
        end = len(prompt.tokens) - 1
        sent = other.outputs[head][end] - run.outputs[head][end]
        patched = run.logits + algebra.unembedding @ sent
        changes.append(float((patched.softmax(-1) - run.logits.softmax(-1))[prompt.answer]))
    return float(np.average(changes, weights=SHARES))


def right(runs: list[Run]) -> np.ndarray:
    return np.array([int(run.logits.argmax()) == prompt.answer for run, prompt in zip(runs, PROMPTS, strict=True)])


def agrees(arm: Arm, runs: list[Run], clean: list[Run]) -> None:
    after, before = right(runs), right(clean)
    now, then = (np.average(each, weights=SHARES) for each in (after, before))
    assert arm.accuracy.value == pytest.approx(now)
    assert arm.accuracy_change.value == pytest.approx(now - then)
    differences = [logit_diff(run.logits, prompt) for run, prompt in zip(runs, PROMPTS, strict=True)]
    assert arm.logit_diff.value == pytest.approx(np.average(differences, weights=SHARES), abs=1e-4)
    assert (arm.repaired, arm.broken) == ((after & ~before).sum(), (before & ~after).sum())
    assert [e.prompt for e in arm.repaired_examples] == [PROMPTS[i].text for i in np.flatnonzero(after & ~before)[:3]]
    for example, i in zip(arm.repaired_examples, np.flatnonzero(after & ~before), strict=False):
        assert example.after == pytest.approx(differences[i], abs=1e-4)


def test_every_claim_of_the_spec_holds(reports):
    circuits = cd.check(replace(DOCUMENT, interventions=()), unexplained=False).circuits
    outcomes = [outcome for report in (*circuits, *reports.values()) for outcome in report.claims]
    assert [(o.claim.text, o.estimate) for o in outcomes if o.verdict is not Verdict.HOLDS] == []


def test_every_arm_is_what_the_weights_say(reports, algebra, clean):
    arms = {arm.name: arm for arm in reports["repair"].arms}
    agrees(arms["none"], clean, clean)
    agrees(arms["all"], forced(algebra, clean, INHIBITION, {"DISTRACTORS": 1}), clean)
    for head in INHIBITION:
        alone = next(arm for name, arm in arms.items() if str(head) in name)
        agrees(alone, forced(algebra, clean, (head,), {"DISTRACTORS": 1}), clean)
    agrees(reports["other_place"].arms[1], forced(algebra, clean, INHIBITION, {"QUERY": 1}), clean)
    agrees(reports["other_heads"].arms[1], forced(algebra, clean, DECOYS, {"DISTRACTORS": 1}), clean)
    agrees(reports["harm"].arms[1], forced(algebra, clean, INHIBITION, {"ANSWER_COLOR": 1}), clean)
    alike = forced(algebra, clean, INHIBITION, {"DISTRACTORS": 0.667, "ANSWER_COLOR": 0.333})
    agrees(reports["all_alike"].arms[1], alike, clean)


def test_from_chance_to_every_prompt_only_by_the_right_heads_and_place(reports):
    accuracy = {name: {arm.name: arm.accuracy for arm in report.arms} for name, report in reports.items()}
    none = accuracy["repair"]["none"]
    assert none.low < 1 / 3 < none.high
    assert accuracy["repair"]["all"].value == 1
    assert [a for name in accuracy for a in accuracy[name].values() if a.value == 1] == [accuracy["repair"]["all"]]
    alone = [estimate.value for name, estimate in accuracy["repair"].items() if name.startswith("attend")]
    assert len(alone) == 2
    assert all(none.value < value < 1 for value in alone)
    assert accuracy["other_place"]["all"].value == accuracy["other_heads"]["all"].value == none.value
    assert accuracy["harm"]["all"].value == 0


def test_attention_that_is_shared_is_read_back_and_colors_inhibited_alike_are_not_told_apart(reports):
    estimates = {outcome.claim.text.partition(" in ")[0]: outcome.estimate for outcome in reports["all_alike"].claims}
    for place, share in (("DISTRACTORS", 0.667), ("ANSWER_COLOR", 0.333)):
        read = estimates[f"expect attention({{ 2.0 2.3 }} at END, END -> {place})"]
        assert read.value == pytest.approx(share, abs=1e-6)
        assert read.low < share < read.high
    arms = {arm.name: arm for arm in reports["all_alike"].arms}
    assert arms["all"].repaired == arms["all"].broken == 0


def test_random_heads_are_the_control(reports):
    """Pairs of the layer's seven other heads do nothing, and one of the two does what it does alone."""
    repair = reports["repair"]
    arms = {arm.name: arm for arm in repair.arms}
    assert arms["none"].accuracy.value < arms["random heads"].accuracy.value < arms["all"].accuracy.value
    pair = frozenset({Head(2, 0), Head(2, 3)})
    sets = arms["random heads"].sets
    drawn = [frozenset(each.values()) for each in stand_ins(pair, open_model("planted-broken").geometry, 0, sets)]
    assert repair.p_value == pytest.approx((1 + drawn.count(pair)) / (1 + sets))  # only the pair itself does as well
    assert reports["other_heads"].p_value > 0.9


def test_movers_downstream_turn_from_the_wrong_colors_to_the_right_one(reports, algebra):
    by_place = {each.where: each for each in reports["repair"].downstream}
    # The last one is of a claim about the heads acted on themselves.
    assert set(by_place) == {"END -> ANSWER_COLOR", "END -> DISTRACTORS", "END -> O2"}
    for place, sign in (("END -> ANSWER_COLOR", 1), ("END -> DISTRACTORS", -1)):
        heads = by_place[place].heads
        assert [head.head for head in heads] == [f"{layer}.{i}" for layer in (3, 4) for i in range(8)]
        assert [head.head for head in heads if head.named] == ["3.1", "3.4"]
        for head in heads:
            look = head.attention
            assert look.change.value == pytest.approx(look.after.value - look.before.value)
            if head.named:
                assert look.certain
                assert head.roles == ("mover",)
                assert sign * look.change.low > 0.15
                assert head.effect_after.high < head.effect_before.low < 0  # more is lost without it once it is right


def test_direct_effects_are_what_the_weights_say_without_and_under_the_intervention(reports, algebra, clean):
    whole = forced(algebra, clean, INHIBITION, {"DISTRACTORS": 1})
    others = [algebra.run(prompt.counterfactuals[AGAINST]) for prompt in PROMPTS]
    found = reports["repair"].direct
    assert [each.head for each in found] == [f"{layer}.{i}" for layer in (3, 4) for i in range(8)]
    assert [each.head for each in found if each.named] == ["3.1", "3.4"]
    for each in found:
        layer, index = map(int, each.head.split("."))
        before, after = (direct(algebra, Head(layer, index), runs, others) for runs in (clean, whole))
        assert each.effect.before.value == pytest.approx(before, abs=1e-4)
        assert each.effect.after.value == pytest.approx(after, abs=1e-4)
        assert each.effect.change.value == pytest.approx(after - before, abs=1e-4)
        assert each.effect.certain == (abs(after - before) > 1e-4)
    assert all(each.effect.certain for each in found if each.named)


def test_controls_change_nothing_in_any_head_after_them(reports):
    for name in ("other_place", "other_heads"):
        assert not any(each.effect.certain for each in reports[name].direct)
        assert not any(head.attention.certain for each in reports[name].downstream for head in each.heads)


def test_the_report_is_plain_data(reports):
    written = reports["repair"].to_dict()
    assert [arm["name"] for arm in written["arms"]][:2] == ["none", "all"]
    assert written["arms"][1]["examples"]["broken"] == []
    assert written["downstream"][0]["heads"][1]["head"] == written["direct_effects"][1]["head"] == "3.1"

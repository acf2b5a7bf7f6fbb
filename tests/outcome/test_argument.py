"""The steps of a report's argument: which blocks and claims make them, and that their figures are the report's own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import circuitdsl as cd
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.resolve import resolve_text
from circuitdsl.outcome import Fact, Report, Step, argue
from circuitdsl.report import output
from circuitdsl.report.pages import report as terminal
from samples import known

torch.set_num_threads(1)

SPEC = """
circuit names {
  model planted-broken
  task  ioi
  method { prompts 18  reference 4 }
  role inhibition at END { 2.0 2.3 }
  role mover at END { 3.1 3.4 }
  edge mover -> logits : raises
  expect logit_diff >= 0
  expect accuracy <= 0%
  expect attention(inhibition, END -> S2) >= 0%
  expect attention(0.1 at END, END -> S2) >= 0%
}

circuit colors {
  model planted-broken
  task  colored_objects(shots: 0)
  method { prompts 18  reference 4 }
  role mover at END { 3.1 3.4 }
  expect logit_diff >= -1000
  expect attention(2.0 at END, END -> DISTRACTORS) >= 0%
  expect attention(mover, END -> ANSWER_COLOR) >= 0%
}

compare names with colors {
  align mover ~ mover
  expect overlap(heads) >= 99%
  expect transfer(names -> colors) >= -1000%
}

intervention repair on colors {
  attend 2.0 at END from END to DISTRACTORS evenly
  attend 2.3 at END from END to DISTRACTORS evenly
  expect accuracy - baseline >= 10%
  expect repaired >= 0%
  expect broken >= 0%
  expect attention(mover, END -> ANSWER_COLOR) - baseline >= 5%
  expect effect(mover -> logits) - baseline <= 100%
}

intervention nothing_new on colors {
  attend 2.5 at END from END to DISTRACTORS evenly
  expect accuracy - baseline >= 50%
}
"""


@pytest.fixture(scope="module")
def report() -> Report:
    return cd.check(resolve_text(SPEC, "told.circuit", cd.environment()), unexplained=False)


def step(report: Report, kind: str, about: str) -> Step:
    (found,) = [each for each in report.argument if (each.kind, each.about) == (kind, about)]
    return found


def fact(step: Step, label: str) -> Fact:
    (found,) = [each for each in step.facts if each.label == label]
    return found


def test_the_steps_stand_in_the_order_of_the_argument(report: Report):
    assert [(each.kind, each.about) for each in report.argument] == [
        ("reproduction", "names"),
        ("reproduction", "colors"),
        ("overlap", "names with colors"),
        ("function", "names with colors"),
        ("attention", "names"),
        ("attention", "colors"),
        ("intervention", "repair"),
        ("intervention", "nothing_new"),
        ("downstream", "repair"),
    ]


def test_a_circuit_is_told_by_all_its_verdicts_and_the_figures_of_the_whole(report: Report):
    told = step(report, "reproduction", "names")
    assert len(told.verdicts) == len(report.circuits[0].claims)
    assert [each.label for each in told.facts] == ["logit_diff >= 0", "accuracy <= 0%"]
    assert fact(told, "accuracy <= 0%").verdict is Verdict.FAILS


def test_only_heads_that_both_circuits_speak_of_are_compared_in_where_they_look(report: Report):
    assert [each.label for each in step(report, "attention", "names").facts] == [
        "attention(inhibition, END -> S2) >= 0%"
    ]
    (there,) = step(report, "attention", "colors").facts
    assert there.label == "attention(2.0 at END, END -> DISTRACTORS) >= 0%"


def test_the_overlap_is_told_beside_chance(report: Report):
    told = step(report, "overlap", "names with colors")
    heads = report.comparisons[0].to_dict()["heads"]
    assert isinstance(heads, dict)
    assert fact(told, "heads in both").estimate.value == 2
    assert fact(told, "overlap of heads by chance").estimate.value == heads["chance"]
    assert fact(told, "overlap(heads) >= 99%").verdict is Verdict.HOLDS


def test_an_intervention_is_told_by_its_arms(report: Report):
    told, arms = step(report, "intervention", "repair"), {arm.name: arm for arm in report.interventions[0].arms}
    gain, repaired, broken, *_ = report.interventions[0].claims  # the others are told of the heads after it
    assert told.verdicts == (gain.verdict, repaired.verdict, broken.verdict)
    assert fact(told, "accuracy before").estimate == arms["none"].accuracy
    assert fact(told, "after").estimate == arms["all"].accuracy
    assert fact(told, "change").estimate == arms["all"].accuracy_change
    assert (fact(told, "repaired").estimate.value, fact(told, "broken").estimate.value) == (
        arms["all"].repaired,
        arms["all"].broken,
    )
    shares = (repaired.estimate.value, broken.estimate.value)
    assert shares == pytest.approx((arms["all"].repaired / 18, arms["all"].broken / 18))
    alone = "attend 2.3 at END from END to DISTRACTORS evenly"
    assert fact(told, f"{alone} alone").estimate == arms[alone].accuracy
    assert fact(told, "random heads").estimate == arms["random heads"].accuracy


def test_the_heads_after_an_intervention_are_told_by_claims_and_by_whose_direct_effect_changes(report: Report):
    told, whole = step(report, "downstream", "repair"), report.interventions[0]
    look, effect = whole.claims[3:]
    assert told.verdicts == (look.verdict, effect.verdict)
    assert fact(told, "effect(mover -> logits) - baseline <= 100%").estimate == effect.estimate
    certain = [each for each in whole.direct if each.effect.certain]
    assert fact(told, f"heads whose direct effect changes significantly, of {len(whole.direct)}").estimate.value == len(
        certain
    )
    (most,) = [each for each in told.facts if each.label.startswith("direct effect of 3.")]
    sizes = {
        f"direct effect of {each.head} mover, change": abs(known(each.effect.change.value))
        for each in certain
        if each.named
    }
    assert abs(known(most.estimate.value)) == sizes[most.label] == max(sizes.values())


def test_one_block_alone_makes_no_story(report: Report):
    assert argue(report.circuits[:1], (), ()) == ()
    alone = replace(report, circuits=report.circuits[:1], comparisons=(), interventions=(), argument=())
    assert "step by step" not in output.to_text(terminal.render(alone, verbose=True), 100)


def test_a_reader_sees_the_questions_the_figures_and_what_does_not_hold(report: Report):
    shown = output.to_text(terminal.render(report, verbose=True), 100).split("the argument, step by step")[1]
    lines = [line.strip() for line in shown.splitlines()]
    assert [line.split(". ")[0] for line in lines if line.endswith("?") and line[1:3] == ". "] == list("123456")
    assert any(line.startswith("✗ names: ") for line in lines)
    assert any(line.startswith("accuracy <= 0%") and "✗ 100.0%" in line for line in lines)
    assert any(line.startswith("accuracy before") and "; after " in line for line in lines)


def test_the_json_has_the_same_steps_with_numbers(report: Report):
    told = report.to_dict()["story"]
    assert isinstance(told, list) and len(told) == len(report.argument)
    entry = told[0]
    assert entry["claims"] == report.argument[0].summary
    assert sum(entry["claims"].values()) == len(report.circuits[0].claims)
    assert entry["facts"][0] == {
        "label": "logit_diff >= 0",
        "unit": "logits",
        "value": report.argument[0].facts[0].estimate.value,
        "low": report.argument[0].facts[0].estimate.low,
        "high": report.argument[0].facts[0].estimate.high,
        "verdict": "holds",
    }

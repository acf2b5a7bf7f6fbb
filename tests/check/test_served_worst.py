"""Single prompts of a circuit: which it serves worst, and where its heads look on them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

import circuitdsl as cd
from circuitdsl.check.examples import MOST_TOKENS, WORST
from circuitdsl.components import END, Head, Position
from circuitdsl.engine.store import Store
from circuitdsl.language.circuit import FromTo
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.experiments import Attention, Experiment
from circuitdsl.measures.measurement import CLEAN, Failure, data_of
from circuitdsl.models import open_model
from circuitdsl.outcome import Examples, Report, SinglePrompt

torch.set_num_threads(1)

SPEC = """
circuit c {
  model mini
  task ioi
  method {
    prompts 20
    reference 2
    members none
    %s
  }
  role gatherer { 0.3 }
  role lookup at S2 { 1.0 1.6 }
  role fetcher at END { 2.7 3.0 }
  expect attention(0.3 at S1+4, S1+4 -> S1) >= 1%%
  expect attention(fetcher, END -> S2) >= 1%%
}
"""


@pytest.fixture(scope="module")
def mini():
    return open_model("mini").bridge


def of_file(folder: Path, lines: Iterable[dict[str, str]], method: str) -> Path:
    """A specification of two heads on prompts of a file."""
    (folder / "my.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    spec = folder / "my.circuit"
    spec.write_text(
        f'circuit c {{ model mini task file("my.jsonl") method {{ {method} }} role late at END {{ 2.7 3.0 }} }}',
        encoding="utf-8",
    )
    return spec


def checked_file(spec: Path, model, examples: bool = True) -> Report:
    return cd.check(spec, model=model, unexplained=False, store=False, examples=examples)


def checked(model, setting: str = "", **settings) -> Report:
    document = resolve_text(SPEC % setting, "c.circuit", cd.environment())
    return cd.check(document, model=model, unexplained=False, **{"store": False, "examples": True, **settings})


def found(report: Report) -> Examples:
    examples = report.circuits[0].examples
    assert examples is not None
    return examples


def length(prompt: SinglePrompt) -> int:
    return len(prompt.tokens)


def fall(prompt: SinglePrompt) -> float:
    assert prompt.in_model is not None and prompt.alone is not None
    return prompt.in_model - prompt.alone


def test_worst_are_those_that_fall_furthest(mini):
    examples = found(checked(mini))
    assert examples.count == 20
    falls = [fall(prompt) for prompt in examples.worst]
    assert len(falls) == WORST and falls == sorted(falls, reverse=True) and falls[-1] >= fall(examples.typical)


def test_of_few_prompts_none_of_the_better_half_is_among_the_worst(mini):
    for prompts in (2, 4, 6):
        examples = found(checked(mini, prompts=prompts))
        assert len(examples.worst) == prompts // 2
        assert min(map(fall, examples.worst)) >= fall(examples.typical)


def test_where_the_circuit_alone_does_better_than_the_model_nothing_is_served_worst(mini, tmp_path):
    names = (("Tom", "Mary"), ("Anna", "John"), ("Frank", "Mary"), ("Lisa", "John"))
    lines = (
        {
            "prompt": f"When {a} and {b} were at the office, {a} gave a drink to",
            "answer": f" {a}",  # the wrong one, on purpose
            "wrong": f" {b}",
        }
        for a, b in names
    )
    examples = found(checked_file(of_file(tmp_path, lines, "ablate mean"), mini))
    assert examples.worst == () and fall(examples.typical) < 0


def test_of_long_and_short_prompts_each_has_its_own_last_tokens(mini, tmp_path):
    names = (("Tom", "Mary"), ("Anna", "John"), ("Frank", "Mary"), ("Lisa", "John"))
    lines = (
        {
            "prompt": "the store and the office and " * (place // 2 * 13) + f"{a} and {b} were there, {a} gave it to",
            "answer": f" {b}",
            "wrong": f" {a}",
        }
        for place, (a, b) in enumerate(names)
    )
    spec = of_file(tmp_path, lines, "ablate mean")
    asked, plain = (checked_file(spec, mini, examples) for examples in (True, False))
    examples = found(asked)
    shown = [prompt for prompt in (examples.typical, *examples.worst) if prompt.looks]
    short, long = min(shown, key=length), max(shown, key=length)
    assert length(short) < MOST_TOKENS and length(long) > MOST_TOKENS + length(short)
    for prompt in shown:
        assert all(look.first + len(look.paid) == length(prompt) for look in prompt.looks)
        assert all(len(look.paid) == min(MOST_TOKENS, length(prompt)) for look in prompt.looks)
    heads, metrics = 2, 2
    assert asked.cost.experiments - plain.cost.experiments <= heads * (length(short) + MOST_TOKENS) + metrics


def test_without_being_asked_for_there_are_none(mini):
    (circuit,) = checked(mini, examples=False).circuits
    assert circuit.examples is None and circuit.to_dict()["examples"] is None


def test_heads_look_from_where_they_stand_and_pay_all_their_attention(mini):
    examples = found(checked(mini))
    looks = examples.typical.looks
    assert [(look.head, look.query) for look in looks] == [
        ("0.3", "S1+4"),  # it stands at all positions, and a claim names this one
        ("1.0", "S2"),
        ("1.6", "S2"),
        ("2.7", "END"),
        ("3.0", "END"),
    ]
    assert all(sum(look.paid) == pytest.approx(1, abs=1e-5) for look in looks)
    assert [bool(prompt.looks) for prompt in examples.worst] == [True, True, False, False, False]


def test_it_is_the_attention_that_claims_measure(mini):
    report = checked(mini)
    circuit, prompt = report.circuits[0].circuit, found(report).typical
    session = cd.Workbench(mini, store=None).bench(circuit).session
    asked = Experiment(data_of(circuit), CLEAN, Attention(Head(2, 7), FromTo(END, Position("S2"))))
    column = session.run([asked], 20)[asked]
    assert not isinstance(column, Failure)
    texts = [each.text for each in session.prompts(asked.data, 20)]
    look = next(look for look in prompt.looks if look.head == "2.7")
    (at,) = prompt.positions["S2"]
    assert column[texts.index(prompt.text)] == pytest.approx(look.paid[at])


def test_the_plain_engine_sees_the_same(mini):
    fast, plain = (found(checked(mini, engine=engine)) for engine in ("fast", "plain"))
    for ours, theirs in zip((*fast.worst, fast.typical), (*plain.worst, plain.typical), strict=True):
        assert ours.text == theirs.text and fall(ours) == pytest.approx(fall(theirs), abs=1e-4)
        for a, b in zip(ours.looks, theirs.looks, strict=True):
            assert np.allclose(a.paid, b.paid, atol=1e-5)


def test_another_check_takes_them_from_the_store(mini, tmp_path):
    store = Store.in_folder(tmp_path)
    first, again = (checked(mini, store=store) for _ in range(2))
    assert first.cost.experiments > 0 and again.cost.experiments == 0
    assert found(first) == found(again)


def test_a_plan_names_them_where_they_are_asked_for():
    document = resolve_text(SPEC % "", "c.circuit", cd.environment())
    for asked in (True, False):
        made = cd.plan(document, examples=asked)
        assert ("single prompts" in {line.job.purpose for line in made.lines}) == asked
        assert ("single prompts, shown" in str(made)) == asked


def test_where_the_circuit_alone_cannot_be_had_heads_look_all_the_same(mini, tmp_path):
    lines = ({"prompt": f"When {a} and Mary were at the office,", "answer": " Mary"} for a in ("Tom", "Anna", "Frank"))
    spec = of_file(tmp_path, lines, "metric probability ablate counterfactual")
    examples = found(checked_file(spec, mini))
    assert examples.worst == () and examples.typical.alone is None and examples.typical.in_model is not None
    assert [look.head for look in examples.typical.looks] == ["2.7", "3.0"]

"""``prompts all`` on mini and a file of prompts: figures against Hugging Face's logits of every line."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import json
from io import StringIO
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import torch
from rich.console import Console

import circuitdsl as cd
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.resolve import resolve_text
from circuitdsl.models.folders import find_folder
from circuitdsl.outcome import ClaimOutcome, Report
from circuitdsl.report.data.junit import to_junit
from circuitdsl.report.pages.report import render

torch.set_num_threads(1)

PEOPLE = ("Mary", "John", "Anna", "Tom", "Paul", "James", "Sarah")
PAIRS = [(a, b) for a in PEOPLE for b in PEOPLE if a != b][:30]
SCENES = {"park": "{} and {} went to the park. {} gave a ball to", "shop": "Today {} and {} met. {} gave a book to"}


def line(number: int) -> dict[str, object]:
    """Templates of unequal size: every third line is in another."""
    first, second = PAIRS[number]
    name = "shop" if number % 3 == 0 else "park"
    scene = SCENES["park"]
    return {
        "prompt": scene.format(first, second, second),
        "answer": f" {first}",
        "wrong": [f" {second}"],
        "counterfactuals": {"abc": scene.format(second, "Tom", "Paul")},
        "template": name,
    }


LINES = [line(number) for number in range(len(PAIRS))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("all")
    (made / "my.jsonl").write_text("\n".join(map(json.dumps, LINES)), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def differences() -> np.ndarray:
    """The logit difference of each line, from Hugging Face."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = find_folder("mini")
    assert path is not None
    model, tokenizer = AutoModelForCausalLM.from_pretrained(path), AutoTokenizer.from_pretrained(path)

    def token(text: str) -> int:
        return tokenizer(text, add_special_tokens=False)["input_ids"][-1]

    def of(row: dict) -> float:
        inputs = tokenizer(row["prompt"], add_special_tokens=False, return_tensors="pt")
        logits = model(inputs["input_ids"]).logits[0, -1].detach()
        return float(logits[token(row["prompt"] + row["answer"])] - logits[token(row["prompt"] + row["wrong"][0])])

    return np.array([of(row) for row in LINES])


def checked(folder, body: str, method: str = "", unexplained: bool = False, more: str = "") -> Report:
    text = f'circuit c {{ model mini task file("my.jsonl") method {{ prompts all {method} }}\n{body}\n}}\n{more}'
    document = resolve_text(text, str(folder / "c.circuit"), cd.environment())
    return cd.check(document, unexplained=unexplained)


def claims(report: Report) -> dict[str, ClaimOutcome]:
    return {outcome.claim.text: outcome for outcome in report.circuits[0].claims}


def test_figures_are_those_of_all_lines(folder, differences):
    mean = differences.mean()
    body = f"expect logit_diff >= {mean - 1e-4:.6f}\n expect logit_diff <= {mean - 1e-4:.6f}\n"
    report = checked(folder, f"{body} expect accuracy(among options) >= 0.1%")
    found = list(claims(report).values())
    assert [outcome.verdict for outcome in found] == [Verdict.HOLDS, Verdict.FAILS, Verdict.HOLDS]
    for outcome in found[:2]:
        assert outcome.estimate.value == outcome.estimate.low == outcome.estimate.high == pytest.approx(mean, abs=1e-4)
    assert found[2].estimate.value == pytest.approx((differences > 0).mean())
    assert all((each.exact, each.p_value, each.p_holm, each.confidence) == (True, None, None, 1.0) for each in found)
    assert all(each.prompts == len(LINES) for each in found)


ROLE = "role late at END { 2.6 3.7 }"


def test_nothing_is_drawn_so_that_the_seed_does_not_matter(folder):
    body = f"{ROLE} expect knockout(late) <= 900% expect faithfulness <= 900% expect dependence <= 1"
    first, second = (claims(checked(folder, body, f"seed {seed} reference 3 members none")) for seed in (0, 1))
    for text in ("expect knockout(late) <= 900%", "expect faithfulness <= 900%"):
        assert first[text].exact
        assert first[text].estimate.value == pytest.approx(second[text].estimate.value or 0, rel=1e-5)
    reference = checked(folder, body, "members none").circuits[0].reference
    assert reference is not None and (reference.groups, reference.prompts) == ((1, 1), (10, 20))


def test_what_is_drawn_besides_is_tested_and_the_report_says_where(folder):
    body = f"{ROLE}\n expect knockout(late) < random heads\n expect knockout(late) <= 900%\n expect dependence <= 1"
    report = checked(folder, body, "members none").circuits[0]
    random, known, dependence = report.claims
    assert random.p_value is not None and not random.exact and known.exact
    assert dependence.p_value is not None and not dependence.exact
    assert "all 30 prompts of the task were run, so that figures are exact" in " ".join(report.notes)
    assert "is tested, on lines 3, 5" in " ".join(report.notes)
    assert not [note for note in report.notes if "too few groups" in note]


def test_a_resampled_output_is_drawn(folder):
    report = checked(folder, f"{ROLE} expect knockout(late) <= 900%", "ablate resample members none").circuits[0]
    assert [(each.exact, each.p_value is not None) for each in report.claims] == [(False, True)]


def test_heads_are_searched_without_a_race_and_their_effects_are_exact(folder):
    report = checked(folder, f"{ROLE} expect logit_diff >= -9", "members none", unexplained=True).circuits[0]
    assert report.search is not None and report.search.miss == 0
    assert [prompts for prompts, _ in report.search.looks] == [30]
    assert report.unexplained
    assert all(head.estimate.low == head.estimate.value == head.estimate.high for head in report.unexplained)
    assert all(abs(head.estimate.value or 0) > 0.01 for head in report.unexplained)
    assert "their effects are those on all prompts" in report.unexplained_note


def test_a_control_task_that_cannot_be_listed_is_drawn(folder):
    report = checked(folder, f"{ROLE} expect logit_diff >= -9 control task ioi : in -99% .. 99%", "members none")
    first, control = report.circuits[0].claims
    assert first.exact and not control.exact and control.prompts == 30


def test_an_intervention_is_exact_too(folder):
    more = "intervention i on c { ablate late expect logit_diff >= -99 expect kl >= 0.001 }"
    report = checked(folder, f"{ROLE} expect logit_diff >= -9", "members none", more=more)
    assert all(outcome.exact for outcome in report.interventions[0].claims)


def test_another_number_of_prompts_is_a_sample(folder):
    text = 'circuit c { model mini task file("my.jsonl") method { prompts all } expect logit_diff >= -9 }'
    document = resolve_text(text, str(folder / "c.circuit"), cd.environment())
    report = cd.check(document, prompts=20, unexplained=False).circuits[0]
    (outcome,) = report.claims
    assert (outcome.exact, outcome.prompts, report.circuit.method.prompts_all) == (False, 20, False)
    assert outcome.p_value is not None


def test_every_format_says_so(folder):
    more = f"{ROLE} }} intervention i on c {{ ablate late expect logit_diff >= -99"
    report = checked(folder, f"expect logit_diff >= -9\n expect logit_diff >= 99\n{more}", "members none")
    written = report.to_dict()["circuits"][0]  # pyright: ignore
    assert [claim["exact"] for claim in written["claims"]] == [True, True]
    assert written["method"]["prompts_all"] is True
    console = Console(file=StringIO(), width=110)
    console.print(render(report))
    page = console.file.getvalue()  # pyright: ignore
    assert page.count("all 30 prompts") == 3  # the circuit, the intervention, the note
    cases = ET.fromstring(to_junit(report)).iter("testcase")
    assert [case.findtext("system-out") for case in cases] == [
        f"{claim.claim.text}\nexact: all 30 prompts of the task were run" for claim in report.outcomes
    ]
    assert "on all prompts, wants at least 99" in to_junit(report)

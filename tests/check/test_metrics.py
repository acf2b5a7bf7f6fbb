"""Claims on metrics of the output, and circuits that are measured by them, on mini."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch

import circuitdsl as cd
from cheap import judged
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.resolve import resolve_text
from circuitdsl.models import open_model
from circuitdsl.outcome import CircuitReport, ClaimOutcome, Report

torch.set_num_threads(1)

ROLES = """
role gatherer { 0.3 0.5 0.6 0.7 }
role lookup at S2 { 1.0 1.1 1.4 1.5 1.6 1.7 }
role caller at END { 1.0 1.1 1.5 1.7 }
role fetcher at END { 2.3 2.5 2.6 2.7 3.0 3.3 3.7 }
"""


@pytest.fixture(scope="module")
def mini():
    return open_model("mini").bridge


def checked(body: str, model) -> Report:
    return checked_text(circuit("c", body), model)


def judged_in(body: str, more: str = "") -> list[ClaimOutcome]:
    return judged(resolve_text(f"{circuit('c', body)}{more}", "c.circuit", cd.environment()))


def checked_text(text: str, model) -> Report:
    return cd.check(resolve_text(text, "c.circuit", cd.environment()), model=model, unexplained=False)


def circuit(name: str, body: str) -> str:
    return f"circuit {name} {{\n model mini\n task ioi\n {body}\n}}\n"


def by_text(claims: tuple[ClaimOutcome, ...]) -> dict[str, ClaimOutcome]:
    return {outcome.claim.text: outcome for outcome in claims}


def test_outputs_agree_with_each_other_as_their_definitions_say():
    claims = """ablate fetcher
    expect accuracy >= 0.1%  expect hit(1) >= 0.1%  expect hit(10) >= 0.1%  expect reciprocal_rank >= 0.1%
    expect log_prob >= -9  expect probability >= 0.1%
    expect logit_diff >= 0  expect logit_diff(against max) >= 0
    """
    outcomes = judged_in(
        f"method {{ prompts 30 reference 4 members none }}\n {ROLES}", f"intervention i on c {{ {claims} }}"
    )
    found = {each.claim.term: each.estimate for each in outcomes}
    value = {str(term): estimate.value or 0.0 for term, estimate in found.items()}
    assert value["hit(1)"] == value["accuracy"] < value["reciprocal_rank"] < 1
    assert value["reciprocal_rank"] <= value["hit(1)"] + (1 - value["hit(1)"]) / 2 + 1e-9
    assert value["hit(1)"] <= value["hit(10)"]
    assert value["log_prob"] < 0
    assert value["logit_diff(against max)"] == pytest.approx(value["logit_diff"])  # there is one wrong answer


FIRST = {"hit(3)": "1%", "reciprocal_rank": "1%", "logit_diff(against max)": "-9", "accuracy": "1%"}
"""Metrics, and what each is at least."""


@pytest.fixture(scope="module")
def by_metric(mini) -> dict[str, CircuitReport]:
    """One circuit by every metric: one check, which runs each world once."""

    def measured(number: int, metric: str) -> str:
        method = f"method {{ metric {metric} prompts 30 reference 4 members none }}"
        wholes = "expect faithfulness <= 500%\n expect knockout(fetcher) <= 500%"
        return circuit(f"c{number}", f"{method}\n {ROLES}\n {wholes}\n expect {metric} >= {FIRST[metric]}")

    text = "".join(measured(number, metric) for number, metric in enumerate(FIRST))
    return dict(zip(FIRST, checked_text(text, mini).circuits, strict=True))


@pytest.mark.parametrize("metric", FIRST)
def test_a_circuit_is_measured_by_every_metric(by_metric: dict[str, CircuitReport], metric: str):
    report = by_metric[metric]
    whole = by_text(report.claims)[f"expect {metric} >= {FIRST[metric]}"]
    assert report.performance is not None and report.performance.metric == whole.estimate
    assert all(outcome.verdict is not Verdict.ERROR for outcome in report.claims)
    assert report.to_dict()["method"]["metric"] == metric  # pyright: ignore


def test_a_metric_can_be_varied(mini):
    body = f"method {{ prompts 30 reference 4 members none vary metric: probability, hit(3) }}\n {ROLES}\n"
    (outcome,) = checked(f"{body} expect knockout(fetcher) <= -1%", mini).circuits[0].claims
    assert [(v.setting, v.setting_value) for v in outcome.variants] == [("metric", "probability"), ("metric", "hit(3)")]
    assert len({outcome.estimate.value, *(v.estimate.value for v in outcome.variants)}) == 3


def test_kl_of_a_planted_circuit_is_less_than_of_random_ones():
    """What its answer rests on is known, and all that it says is the answer."""
    roles = """role early { 0.1 0.4 1.0 1.4 0.2 1.3 } role inhibition at END { 2.1 2.2 }
    role mover at END { 3.2 4.0 4.3 5.1 5.3 }"""
    text = f"circuit c {{ model planted-reuse task ioi method {{ prompts 30 reference 4 members none }} {roles}"
    text += " expect kl < random heads expect kl <= 0.2 }"
    against, value = judged(resolve_text(text, "c.circuit", cd.environment()))
    assert against.verdict is Verdict.HOLDS
    assert 0 <= (value.estimate.value or 0) <= 0.2


def test_kl_under_an_intervention_is_that_of_its_world():
    more = """intervention i on c { ablate fetcher  expect kl >= 0.01  expect kl > random heads
    expect kl(random heads) >= 0 }
    intervention nothing on c { scale fetcher by 0.999  expect kl <= 0.01 }"""
    *first, second = judged_in(f"method {{ prompts 30 reference 4 members none }} {ROLES}", more)
    claims = by_text(tuple(first))
    assert claims["expect kl > random heads"].verdict is Verdict.HOLDS
    random, own = (claims[f"expect kl{arm}"].estimate.value or 0 for arm in ("(random heads) >= 0", " >= 0.01"))
    assert 0 < random < own
    assert 0 < (second.estimate.value or 0) < 0.01


def test_kl_of_a_circuit_that_keeps_all_heads_is_zero():
    everything = " ".join(f"{layer}.*" for layer in range(4))
    body = (
        f"method {{ prompts 30 reference 4 members none }}\n role all_of_them {{ {everything} }}\n expect kl <= 0.001"
    )
    (outcome,) = judged_in(body)
    assert outcome.estimate.value == pytest.approx(0, abs=1e-9)

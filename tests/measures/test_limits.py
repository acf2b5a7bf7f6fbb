"""A bound that no value of a measurement satisfies is refused, by the registry as it is."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from circuitdsl import api
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.registry import measure_infos, measures

CIRCUIT = """circuit {name} {{
  model mini
  task  ioi
  role mover at END {{ 1.0 }}
{body}
}}
"""
# How each measurement is written; those that may have any value are in UNLIMITED.
WRITTEN = {
    "accuracy": "accuracy",
    "probability": "probability(IO)",
    "probability_diff": "probability_diff",
    "log_prob": "log_prob",
    "hit": "hit(3)",
    "reciprocal_rank": "reciprocal_rank",
    "kl": "kl",
    "attention": "attention(mover, END -> IO)",
    "copying": "copying(mover, IO)",
    "anti_copying": "anti_copying(mover, IO)",
    "previous_token_score": "previous_token_score(mover)",
    "duplicate_token_score": "duplicate_token_score(mover)",
    "induction_score": "induction_score(mover)",
    "interchange": "interchange(mover, S_token)",
    "faithfulness_gap": "faithfulness_gap",
    "minimality": "minimality(mover)",
    "completeness": "completeness",
    "dependence": "dependence",
    "overlap": "overlap(heads)",
    "repaired": "repaired",
    "broken": "broken",
    "change_by_importance": "change_by_importance({ 2.0 2.1 2.2 }, END -> IO)",
}
UNLIMITED = {"logit_diff", "effect", "knockout", "necessity", "faithfulness", "isolated", "transfer", "dissociation"}


def outside() -> Iterator[tuple[str, str]]:
    """(measurement, claim that cannot hold), one for each end of each measurement."""
    for name, written in WRITTEN.items():
        info = measure_infos()[name]
        unit = "%" if info.unit == "share" else ""
        low, high = (limit * (100 if unit else 1) for limit in info.limits)
        far = 20 if unit else 0.5
        if not math.isinf(low):
            yield name, f"expect {written} <= {low - far:g}{unit}"
        if not math.isinf(high):
            yield name, f"expect {written} >= {high + far:g}{unit}"


def codes_of(claim: str, place: str) -> list[str]:
    circuits = CIRCUIT.format(name="a", body=claim if place == "circuit" else "")
    if place == "compare":
        circuits += CIRCUIT.format(name="b", body="") + f"compare a with b {{ {claim} }}\n"
    if place == "intervention":
        circuits += f"intervention i on a {{ ablate mover {claim} }}\n"
    with pytest.raises(SpecError) as error:
        resolve_text(circuits, "spec.circuit", api.environment())
    return [d.code for d in error.value.diagnostics if d.severity == "error"]


def test_every_measurement_is_either_limited_or_not():
    limits = {name: info.limits for name, info in measure_infos().items()}
    assert {name for name, (low, high) in limits.items() if math.isinf(low) and math.isinf(high)} == UNLIMITED
    assert set(limits) == UNLIMITED | set(WRITTEN)


@pytest.mark.parametrize(("name", "claim"), list(outside()))
def test_what_lies_outside_is_refused(name: str, claim: str):
    assert codes_of(claim, measure_infos()[name].places[0]) == ["C507"]


def test_faithfulness_may_be_negative_and_knockout_may_turn_the_metric_round():
    body = "  expect faithfulness <= -20%\n  expect knockout(mover) <= -150%"
    document = resolve_text(CIRCUIT.format(name="a", body=body), "spec.circuit", api.environment())
    assert len(document.circuits[0].claims) == 3


WHOLE = {"faithfulness": "%", "faithfulness_gap": "", "completeness": "", "necessity": "%", "dependence": "", "kl": ""}
"""Figures of the whole circuit that are written without arguments, with their units."""


@pytest.mark.parametrize("figure", WHOLE)
def test_a_figure_of_the_whole_circuit_needs_something_stated(figure: str):
    text = f"circuit c {{ model mini task ioi expect {figure} >= 0.1{WHOLE[figure]} }}"
    with pytest.raises(SpecError) as refused:
        resolve_text(text, "c.circuit", api.environment())
    assert [each.code for each in refused.value.diagnostics] == ["C519"]


def test_these_are_all_of_them():
    assert {name for name, entry in measures().items() if entry.info.of_whole} == {*WHOLE, "minimality"}

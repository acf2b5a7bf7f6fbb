"""Interchange: which runs are asked for, what is counted, and what the wiring of planted models says of it."""

from __future__ import annotations

import numpy as np
import pytest

import circuitdsl as cd
from cheap import judged
from circuitdsl.components import Head, Node, Position
from circuitdsl.language.circuit import Control, Nodes, Variable
from circuitdsl.measures.experiments import Ablated, Clean, FromCounterfactual, Predicted
from circuitdsl.measures.measurement import RandomSets
from measures.answering import carry_out, request, value
from samples import circuit

MOVER = Nodes("mover", (Node(Head(1, 2), Position("END")),))
S_TOKEN = Variable("S_token", "other_s")


def asked(control: Control | None = None):
    return request(circuit("c", {"mover": "1.2 at END"}), "interchange", control, heads=MOVER, variable=S_TOKEN)


def test_the_nodes_take_their_output_on_the_variables_counterfactual_and_its_answer_is_counted():
    wanted = Ablated(frozenset(MOVER.nodes), FromCounterfactual("other_s"))
    measurement, experiments = carry_out(asked(), lambda e: 0.75 if e.world == wanted else 0.25)
    assert [experiment.world for experiment in experiments] == [wanted, Clean()]
    assert {experiment.reading for experiment in experiments} == {Predicted("S_token")}
    assert value(measurement) == 0.75
    ((label, part),) = measurement.parts
    assert (label, value(part)) == ("with nothing exchanged", 0.25)


def test_random_heads_are_counted_alike():
    measurement, experiments = carry_out(asked(Control("random heads")), lambda e: float(isinstance(e.world, Ablated)))
    (sample,) = measurement.samples
    assert isinstance(measurement.control, RandomSets) and len(experiments) > 2
    shares = measurement.control.figures(sample.columns.mean(axis=0))
    np.testing.assert_array_equal(shares, np.ones(sample.columns.shape[1] - 1))


WIRED = """
circuit wired {
  model planted-reuse
  task  ioi
  method { prompts 60  members none }
  role duplicate_token at S2  { 0.2  1.3 }
  role induction       at S2  { 1.0  1.4 }
  role inhibition      at END { 2.1  2.2 }
  role mover           at END { 3.2  4.0 }
CLAIMS
}
"""
TRUE = {"inhibition": "S_token", "mover": "IO_token"}


def test_planted_heads_carry_what_they_were_wired_to_carry_and_nothing_else():
    """Inhibition heads bring the repeated name's token to END, whichever place it stands at, and movers copy a name."""
    claims = [
        f"  expect interchange({role}, {variable}) {'>= 90%' if TRUE[role] == variable else '<= 10%'}"
        for role in TRUE
        for variable in ("IO_token", "S_token", "S_position")
    ]
    document = cd.load(text=WIRED.replace("CLAIMS", "\n".join(claims)))
    found = {outcome.claim.text: outcome for outcome in judged(document) if outcome.claim.kind == "expect"}
    assert len(found) == 6
    assert {text: str(outcome.verdict) for text, outcome in found.items()} == dict.fromkeys(found, "holds")
    for outcome in found.values():
        assert outcome.estimate.value == pytest.approx(1.0 if ">=" in outcome.claim.text else 0.0)

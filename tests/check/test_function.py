"""Transfer and dissociation: what they ask, and what they give on models whose circuits are known."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Sequence

import numpy as np
import pytest
import torch

import circuitdsl as cd
from cheap import with_reference
from circuitdsl.components import ALL, Position
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.session import Session
from circuitdsl.errors import InputError
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.comparisons import dissociation, grafted
from circuitdsl.measures.experiments import Ablated, Clean, Data, Experiment, Metric
from circuitdsl.measures.measurement import Array, PairRequest, ablation_source
from circuitdsl.models import open_model
from circuitdsl.outcome import ClaimOutcome
from samples import circuit, geometry

torch.set_num_threads(1)

SHAPE = geometry(4, 8, "toy")


def test_a_grafted_role_stands_where_its_partner_does_or_everywhere():
    left = circuit("left", {"a": "0.1 0.2 at S2", "b": "1.0 at END"}, shape=SHAPE)
    right = circuit("right", {"c": "0.3 at IO", "d": "1.0 at END"}, shape=SHAPE)
    onto = grafted(left, right, [("a", "c")])
    assert {str(node) for node in onto.nodes} == {"0.1 at IO", "0.2 at IO", "1.0 at all"}
    assert (onto.task, onto.method) == (right.task, right.method)
    back = grafted(right, left, [("a", "c")])
    assert back.role("c").nodes[0].position == Position("S2")
    assert back.role("d").nodes[0].position == ALL


SPEC = """
circuit ioi {
  model planted-reuse
  task ioi
  method { prompts 60  reference 4 }
  role mover at END { 3.0 3.2 }
  role inhibition at END { 2.1 }
  expect faithfulness >= -10000%
}
circuit again {
  model planted-reuse
  task ioi
  method { prompts 60  reference 4 }
  role mover at END { 3.0 3.2 }
  role inhibition at END { 2.1 }
}
circuit other_model {
  model mini
  task ioi
  method { prompts 60  reference 4 }
  role mover at END { 3.0 }
}
compare ioi with again {
  align mover ~ mover
  align inhibition ~ inhibition
  expect transfer(ioi -> again) >= -10000%
  expect dissociation(ioi, again) > 0%
  expect dissociation(ioi, again) > random heads
}
compare ioi with other_model {
  expect transfer(ioi -> other_model) >= 0%
}
"""


@pytest.fixture(scope="module")
def outcomes() -> dict[str, ClaimOutcome]:
    document = resolve_text(SPEC, "x.circuit", cd.environment())
    report = cd.check(document, unexplained=False)
    return {o.claim.text: o for o in report.outcomes}


def test_transfer_to_the_same_task_is_faithfulness(outcomes):
    assert outcomes["expect transfer(ioi -> again) >= -10000%"].estimate.value == pytest.approx(
        outcomes["expect faithfulness >= -10000%"].estimate.value, abs=1e-6
    )


def test_a_circuit_does_not_dissociate_from_itself(outcomes):
    outcome = outcomes["expect dissociation(ioi, again) > 0%"]
    assert outcome.estimate.value == pytest.approx(0, abs=1e-6)
    assert outcome.verdict is not Verdict.HOLDS
    assert len(outcome.parts) == 2


def test_nor_more_than_random_heads_do(outcomes):
    """Random pairs stand at all positions of one task, so that most of them do the same to both: nothing at all."""
    outcome = outcomes["expect dissociation(ioi, again) > random heads"]
    own = outcomes["expect dissociation(ioi, again) > 0%"].estimate
    assert (outcome.estimate.low, outcome.estimate.high) == (pytest.approx(own.low), pytest.approx(own.high))
    assert outcome.control is not None
    assert outcome.control.value is not None
    assert outcome.verdict is not Verdict.HOLDS


def test_function_is_not_compared_across_models(outcomes):
    outcome = outcomes["expect transfer(ioi -> other_model) >= 0%"]
    assert outcome.verdict is Verdict.ERROR
    assert "within one model" in outcome.note


def results_of(session: Session, experiments: Sequence[Experiment]) -> dict[Experiment, Array]:
    """What every experiment reads on 60 prompts; none may fail."""
    read = {}
    for experiment, result in session.run(experiments, 60).items():
        assert isinstance(result, np.ndarray)
        read[experiment] = result
    return read


def test_dissociation_is_the_smaller_of_the_two_ways():
    """Four knockouts measured by hand on the planted pair, against the one figure."""
    document = with_reference(cd.load("specs/planted/ioi.circuit", "specs/planted/colored_objects.circuit"), 4)
    session = Session(PlainEngine(open_model("planted-reuse")))
    left, right = document.circuits
    assert left.model == right.model == "planted-reuse"

    def loss(one) -> float:
        data = Data(one.task, one.method.seed, one.method.bos)
        source = ablation_source(one.method, one.method.ablate)
        worlds = (Clean(), Ablated(frozenset(one.nodes), source))
        clean, ablated = (Experiment(data, world, Metric(one.method.metric)) for world in worlds)
        results = results_of(session, [clean, ablated])
        return float(1 - results[ablated].mean() / results[clean].mean())

    ways = (loss(left) - loss(grafted(left, right, ())), loss(right) - loss(grafted(right, left, ())))
    asking = dissociation(PairRequest(left, right))
    experiments = next(asking)
    while True:
        try:
            experiments = asking.send(results_of(session, experiments))
        except StopIteration as stop:
            measured = stop.value
            break
    means = np.concatenate([sample.columns.mean(axis=0) for sample in measured.samples])
    assert float(measured.estimand.value(means)) == pytest.approx(min(ways), abs=1e-6)


def test_everything_about_two_circuits_in_one_call():
    document = resolve_text(SPEC, "x.circuit", cd.environment())
    ioi, again, other = (document.circuit(name) for name in ("ioi", "again", "other_model"))
    reuse = cd.compare_function(
        ioi, again, (("mover", "mover"), ("inhibition", "inhibition")), prompts=12, kinds=("direct", "stages")
    )
    assert reuse.structure == cd.compare(ioi, again, (("mover", "mover"), ("inhibition", "inhibition")))
    (direct,) = reuse.curves  # without edges there are no stages
    assert reuse.notes == ("no stages curve: the circuit has no edges to take stages from",)
    assert [point.overlap for point in direct.points] == [1] * len(direct.points)  # one task, one ranking
    assert direct.correlation.value == pytest.approx(1)
    assert {cell.note for cell in reuse.function.cells if "only" in cell.part} == {"no heads"}
    with pytest.raises(InputError, match="within one model"):
        cd.compare_function(ioi, other)

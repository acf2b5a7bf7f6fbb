"""The planted specs are true in every claim, and say what the planted truth says."""

from __future__ import annotations

import pytest
from planted_bench import FUNCTIONAL, bench, plain_text, resolved

from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Circuit, Claim, Document, LogitsReceiver, Path, Receivers
from circuitdsl.models.planted.truth import TRUTHS, Truth

SPECS = ("ioi", "colored_objects", "induction", "alone", "reuse")
DOCUMENTS = {spec: resolved(plain_text(spec)) for spec in SPECS}
CIRCUITS = {
    (circuit.model, circuit.task.name): circuit for document in DOCUMENTS.values() for circuit in document.circuits
}


def all_claims(document: Document) -> set[Claim]:
    blocks = (*document.circuits, *document.comparisons, *document.interventions)
    return {claim for block in blocks for claim in block.claims if claim.term.measure not in FUNCTIONAL}


@pytest.mark.parametrize("spec", SPECS)
def test_every_claim_holds(spec: str):
    """Judged together, as a check judges them."""
    found = bench().all_outcomes(DOCUMENTS[spec])
    assert found.keys() == all_claims(DOCUMENTS[spec]) and found
    assert [each for each in found.values() if each.verdict is not Verdict.HOLDS] == []


def truth_name(truth: Truth) -> str:
    return f"{truth.model}-{truth.task}"


@pytest.mark.parametrize("truth", TRUTHS, ids=truth_name)
def test_roles_are_the_planted_ones(truth: Truth):
    circuit = CIRCUITS[truth.model, truth.task]
    assert {role.name: set(role.nodes) for role in circuit.roles} == {
        role.name: set(role.nodes) for role in truth.roles
    }


def claimed(circuit: Circuit) -> set[tuple[str, str, str]]:
    """(sender, receiver, input) of every edge between roles that the circuit says is there."""
    found = set()
    for claim in circuit.edge_claims():
        path = dict(claim.term.arguments)["path"]
        assert isinstance(path, Path)
        if isinstance(path.receivers, LogitsReceiver):
            found.add((path.senders.label, "logits", ""))
        else:
            assert isinstance(path.receivers, Receivers)
            receiver = path.receivers.label.partition(".")[0]
            found |= {(path.senders.label, receiver, each) for each in path.receivers.inputs}
    return found


@pytest.mark.parametrize(
    "truth", [t for t in TRUTHS if t.model in ("planted-reuse", "planted-induction")], ids=truth_name
)
def test_edges_are_the_planted_ones(truth: Truth):
    planted = {(edge.sender, edge.receiver, each) for edge in truth.edges for each in edge.inputs or ("",)}
    assert claimed(CIRCUITS[truth.model, truth.task]) == planted


@pytest.mark.parametrize("truth", TRUTHS, ids=truth_name)
def test_every_head_is_accounted_for(truth: Truth):
    circuit = CIRCUITS[truth.model, truth.task]
    working = {head for role in truth.roles for head in role.heads}
    rest = set(truth.decoys) | set(truth.idle)
    assert working.isdisjoint(rest)
    assert len(working | rest) == circuit.geometry.n_layers * circuit.geometry.n_heads
    assert truth.decoys and truth.idle and truth.sleeping

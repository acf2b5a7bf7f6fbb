"""A circuit of features that is known, in five layers: its true claims hold, and ways to get it wrong are found."""

from __future__ import annotations

from functools import cache

import pytest
from mutations import Change, edit
from planted_bench import SPECS, bench, plain_text, resolved

from circuitdsl.components import ErrorTerm, Feature
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Circuit, Claim
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.models.dictionaries import SETTINGS, WEIGHTS
from circuitdsl.models.planted import dictionaries
from circuitdsl.models.planted.truth import truth

SPEC = "features"


@cache
def circuit() -> Circuit:
    return resolved(plain_text(SPEC)).circuits[0]


def test_the_shipped_dictionary_is_the_one_that_is_written(tmp_path):
    assert dictionaries.main([str(tmp_path)]) == 0
    for name in (SETTINGS, WEIGHTS):
        assert (tmp_path / "named" / name).read_bytes() == (SPECS / "named" / name).read_bytes()
    assert dictionaries.main([]) == 2


WRITTEN = {
    "previous": ("a0", "previous"),
    "seen_early": ("a0", "seen"),
    "seen": ("a1", "seen"),
    "inhibited": ("a2", "inhibit"),
    "moved": ("a3", "answer"),
    "backup": ("a4", "answer"),
}
"""What the features of each role are, and of which layer's dictionary."""


def test_roles_are_the_features_that_were_planted():
    for role in circuit().roles:
        found = {node.component for node in role.nodes}
        if role.name == "negative":
            (error,) = found
            assert isinstance(error, ErrorTerm) and error.dictionary.name == "a4"
            continue
        name, space = WRITTEN[role.name]
        assert {(each.dictionary.name, each.index) for each in found if isinstance(each, Feature)} == {
            (name, number) for number in dictionaries.features_of(space)
        }


def test_every_claim_holds():
    """Judged together, as a check judges them."""
    document = resolved(plain_text(SPEC))
    found = bench().all_outcomes(document)
    assert found.keys() == set(document.circuits[0].claims)
    assert [each for each in found.values() if each.verdict is not Verdict.HOLDS] == []


HEADS = {"previous": "previous_token", "seen": "induction duplicate_token", "inhibited": "inhibition", "moved": "mover"}
"""The roles of heads that write what the features are of."""


@pytest.mark.parametrize("role", HEADS)
def test_features_are_worth_what_the_heads_are_that_write_them(role: str):
    """At the token where these write, and in their layer; the layer's other heads write nothing that is read."""
    planted = truth("planted-ioi", "ioi")
    (layer,) = {node.component.layer for each in circuit().roles if each.name == role for node in each.nodes}
    heads = {head for name in HEADS[role].split() for head in planted.role(name).heads if head.layer == layer}
    positions = {node.position for each in circuit().roles if each.name == role for node in each.nodes}
    (position,) = positions
    listed = " ".join(sorted(map(str, heads)))
    said = (f"expect knockout({role}) <= 500%", f"expect knockout({{ {listed} }} at {position}) <= 500%")
    text = plain_text(SPEC).replace("expect completeness(moved) <= 0.1", "\n".join(said))
    of_features, of_heads = (bench().outcome(resolved(text), each).estimate.value for each in said)
    assert of_features is not None and abs(of_features) > 0.1
    assert of_features == pytest.approx(of_heads, abs=1e-4)


HALF_MOVED = "a3.56 a3.57 a3.58 a3.59 a3.60 a3.61 a3.62 a3.63"
SILENT = "a1.64 a1.65 a1.66 a1.67 a1.68 a1.69 a1.70 a1.71"
FAITHFUL = "expect faithfulness in 97% .. 103%"

CHANGES = (
    edit("seen at the first of the two", "role seen at S2 {", "role seen at S1 {", "expect knockout(seen) <= -10%"),
    edit("previous one token early", "role previous at S1+1 {", "role previous at S1 {", FAITHFUL),
    edit("inhibited where it was seen", "role inhibited at END {", "role inhibited at S2 {", FAITHFUL),
    edit("half of the names seen", "a1.24 a1.25 a1.26 a1.27 a1.28 a1.29 a1.30 a1.31\n", "", FAITHFUL),
    edit("half of the names moved", f"{HALF_MOVED}\n", "", "expect knockout(moved) <= -50%"),
    edit(
        "half of the backups",
        "a4.56 a4.57 a4.58 a4.59 a4.60 a4.61 a4.62 a4.63\n",
        "",
        "expect completeness(moved) <= 0.1",
    ),
    edit("another layer's error", "{ a4.error }", "{ a3.error }", "edge negative -> logits : lowers"),
    edit("a feature that nothing reads for the error", "{ a4.error }", "{ a4.64 }", FAITHFUL),
    edit("an answer is written by what was seen", "no edge seen -> logits", "edge seen -> logits : raises"),
    edit("what stood before inhibits", "no edge previous -> inhibited", "edge previous -> inhibited : raises"),
    edit("backups are awake", "no edge backup -> logits", "edge backup -> logits : raises"),
    edit("inhibited holds nothing back", "edge inhibited -> moved : raises", "no edge inhibited -> moved"),
    edit("seen lowers", "edge seen -> inhibited : raises", "edge seen -> inhibited : lowers"),
    edit("backups are woken", "edge moved -> backup : lowers", "edge moved -> backup : raises"),
    edit("the error raises", "edge negative -> logits : lowers", "edge negative -> logits : raises"),
    Change(
        "features that are read",
        ((SILENT, "a1.16 a1.17 a1.18 a1.19 a1.20 a1.21 a1.22 a1.23"),),
        "expect knockout({ a1.16 a1.17 a1.18 a1.19 a1.20 a1.21 a1.22 a1.23 } at S2) in -1% .. 1%",
    ),
    edit("silent features in place of those moved", f"\n{HALF_MOVED}", "\na3.64 a3.65", FAITHFUL),
    edit(
        "a feature that there is not",
        "role negative at END { a4.error }",
        "role negative at END { a4.72 }",
        refused="C306",
    ),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.what)
def test_the_right_claim_finds_it_out(change: Change):
    text = change.made_in(plain_text(SPEC))
    if change.refused:
        with pytest.raises(SpecError) as error:
            resolved(text)
        assert [each.code for each in error.value.diagnostics] == [change.refused]
        return
    outcome = bench().outcome(resolved(text), change.claim)
    assert outcome.verdict is Verdict.FAILS, (outcome.estimate, outcome.note)


# --- by edges --------------------------------------------------------------------------------------

BY_EDGES = "feature_edges"
WHOLE = "expect faithfulness(edges) in 97% .. 103%"


@pytest.mark.parametrize("claim", resolved(plain_text(BY_EDGES)).circuits[0].claims, ids=lambda claim: claim.text)
def test_edges_between_features_hold(claim: Claim):
    outcome = bench().outcome(resolved(plain_text(BY_EDGES)), claim.text)
    assert outcome.verdict is Verdict.HOLDS, (outcome.estimate, outcome.note)


MISSING = [
    "edge embed -> previous : raises",
    "edge embed -> moved : raises",
    "edge seen -> inhibited : raises",
    "edge inhibited -> moved : raises",
    "edge moved -> logits : raises",
    "edge negative -> logits : lowers",
]


@pytest.mark.parametrize("edge", MISSING)
def test_without_an_edge_the_rest_is_not_the_model(edge: str):
    text = plain_text(BY_EDGES)
    assert edge in text
    outcome = bench().outcome(resolved(text.replace(edge, "")), WHOLE)
    assert outcome.verdict is Verdict.FAILS, (outcome.estimate, outcome.note)

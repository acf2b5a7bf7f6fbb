"""Drafts of models whose circuits are known: what is found is what matters, and its names are right."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

import circuitdsl as cd
from benchmarks.draft import Results, count_one
from circuitdsl.components import Node
from circuitdsl.models import open_model
from circuitdsl.models.planted.truth import truth
from circuitdsl.outcome import DraftReport

torch.set_num_threads(1)

SEEDS = (0, 2)
"""Of random planted models."""


@cache
def drafted(model: str, task: str, prompts: int = 16) -> DraftReport:
    bridge = open_model(model).bridge
    return cd.draft(task, model=bridge, prompts=prompts, reference=4, unexplained=False)


def nodes(report: DraftReport) -> dict[str, set[Node]]:
    return {role.name: set(role.nodes) for role in report.roles}


def edges(report: DraftReport) -> set[str]:
    return {f"{each.sender} -> {each.into}" for each in report.fed}


def test_on_random_planted_models_what_matters_is_found_and_nothing_else(tmp_path: Path):
    """Of nodes and edges that carry at least twice the floor 95% are listed, and 5% of what is listed carries less than
    the floor at most; ``python -m benchmarks.draft`` asks 100 models."""
    results = Results()
    for seed in SEEDS:
        count_one(seed, 60, tmp_path, results)
    assert results.withheld == 0
    for counted in (results.nodes, results.edges):
        assert counted.matter >= 8
        assert counted.found >= 0.95 * counted.matter, counted.examples
        assert counted.false <= 0.05 * counted.listed, counted.examples
    assert results.named >= 0.8 * results.roles


def test_the_planted_induction_circuit_is_drafted_whole():
    report = drafted("planted-induction", "induction")
    of = truth("planted-induction", "induction")
    assert nodes(report) == {
        "mover": set(of.role("induction").nodes),
        "previous_token": set(of.role("previous_token").nodes),
    }
    senders = {str(node) for role in of.roles if role.name not in of.sleeping for node in role.nodes}
    found = {edge for edge in edges(report) if edge.split(" -> ")[0] in senders}
    assert found == {
        *(f"{node} -> logits" for node in of.role("induction").nodes),
        *(f"{node} -> mover.k" for node in of.role("previous_token").nodes),
    }


def test_roles_of_the_planted_ioi_circuit_have_their_names():
    report = drafted("planted-ioi", "ioi")
    of = truth("planted-ioi", "ioi")
    by_name = nodes(report)
    assert by_name["mover"] == set(of.role("mover").nodes)
    assert by_name["negative_mover"] == set(of.role("negative_mover").nodes)
    assert by_name["previous_token"] == set(of.role("previous_token").nodes)
    # What no score on random tokens tells is named by where it looks.
    assert by_name["reader_of_S2"] == set(of.role("inhibition").nodes)
    assert by_name["reader_of_S1"] | by_name.get("duplicate_token", set()) == set(of.role("duplicate_token").nodes)
    assert by_name["reader_of_S1_plus_1"] == set(of.role("induction").nodes)
    listed = {node.component for found in by_name.values() for node in found}
    assert not listed & {*of.decoys, *of.idle}
    (negative,) = [each for each in report.fed if each.sender in by_name["negative_mover"]]
    assert (negative.estimate.low or 0) > 0  # patched away, the metric rises


def test_what_nothing_feeds_is_not_looked_into():
    report = drafted("planted-induction", "induction")
    assert all(stage.idle for stage in report.stages[1:])
    assert {str(each) for stage in report.stages for each in stage.idle} >= {"mover.q"}
    assert not report.unfinished


def test_a_search_that_ends_early_says_so():
    bridge = open_model("planted-induction").bridge
    report = cd.draft("induction", model=bridge, prompts=16, reference=4, unexplained=False, stages=1)
    assert set(nodes(report)) == {"mover"}
    assert "1 stages at most" in report.unfinished and "ended early" in report.text


def test_the_largest_of_a_stage_are_taken_by_their_share():
    bridge = open_model("planted-induction").bridge
    report = cd.draft("induction", model=bridge, prompts=16, reference=4, unexplained=False, stages=1, top="20%")
    (first,) = report.stages
    assert first.entered == round(0.2 * first.senders) == 3
    assert {str(each.sender) for each in report.fed} >= {"1.1 at END", "1.3 at END"}
    assert "Merullo" in report.rule

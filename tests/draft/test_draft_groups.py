"""Heads that matter only together enter as one, and those that do nothing are in no group."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import circuitdsl as cd
from benchmarks.draft import FLOOR, Results, count
from benchmarks.truth.relay import END, Relay, crowded_relay
from circuitdsl.components import Head, Node
from circuitdsl.draft.groups import Group, apart
from circuitdsl.draft.patching import Tried, Way
from circuitdsl.measures.estimands import Mean, column
from circuitdsl.measures.measurement import Measurement
from circuitdsl.outcome import DraftReport
from circuitdsl.outcome.draft import LOGITS

torch.set_num_threads(1)

QUIET, SHARE = 5, 0.006
"""Heads that carry about this share of the metric each: less than the floor."""


def quiet(relay: Relay) -> set[Node]:
    """The heads of the last stage but for the loud one."""
    sent = {head: relay.sent({head}, None) for head in relay.stages[-1].heads}
    assert sum(share < FLOOR for share in sent.values()) == len(sent) - 1
    return {Node(head, END) for head, share in sent.items() if share < FLOOR}


def drafted(relay: Relay, folder: Path, top: str | None = None) -> DraftReport:
    file = folder / "relay.jsonl"
    file.write_text(relay.prompts(200, 0), encoding="utf-8")
    output = folder / "draft.circuit"
    return cd.draft(
        str(file),
        model=relay.build(),
        output=output,
        prompts=100,
        top=top,
        stages=1,
        reference=4,
        unexplained=False,
        store=False,
    )


@pytest.fixture(scope="module")
def crowded() -> Relay:
    return crowded_relay(0, QUIET, SHARE)


@pytest.fixture(scope="module")
def report(crowded: Relay, tmp_path_factory: pytest.TempPathFactory) -> DraftReport:
    return drafted(crowded, tmp_path_factory.mktemp("groups"))


def test_heads_that_carry_less_than_the_floor_each_and_more_together_enter_as_one(crowded: Relay, report: DraftReport):
    together = [each for each in report.fed if each.together]
    assert {each.sender for each in together} == quiet(crowded)
    assert all(set(each.together) == quiet(crowded) for each in together)
    assert crowded.sent({node.component for node in quiet(crowded)}, None) > 2 * FLOOR
    (stage,) = report.stages
    assert (stage.entered, stage.grouped) == (1, QUIET)
    assert all(each.again > 0.5 for each in together)
    assert f"1 of {stage.senders} senders and {QUIET} that matter together enter" in cd.show(report)


def test_no_decoy_and_no_noise_is_in_it(crowded: Relay, report: DraftReport):
    results = Results()
    count(crowded, report, 0, results)
    assert results.nodes.listed == 1 + QUIET and results.nodes.false == results.edges.false == 0
    others = {head for head in crowded.others if head.layer == 2}
    assert others and not {node.component for role in report.roles for node in role.nodes} & others


def test_a_group_is_claimed_as_one_and_holds_on_the_judging_prompts(crowded: Relay, report: DraftReport):
    (claim,) = [line.strip() for line in report.text.splitlines() if line.strip().startswith("expect effect(")]
    named = " ".join(str(node.component) for node in sorted(quiet(crowded), key=str))
    assert claim.startswith(f"expect effect({{ {named} }} at END -> logits) <= -1%") and "one by one" in claim
    lines = [line for line in report.text.splitlines() if line.split()[:1] in (["edge"], ["expect"])]
    assert not report.refused and report.confirmed == len(lines)


def test_there_is_no_group_where_the_rest_does_nothing_or_the_largest_are_taken(crowded: Relay, tmp_path: Path):
    nothing = crowded_relay(1, 0, SHARE)
    assert [stage.grouped for stage in drafted(nothing, tmp_path).stages] == [0]
    assert [stage.grouped for stage in drafted(crowded, tmp_path, top="10%").stages] == [0]


def test_of_groups_that_share_a_member_the_surer_one_is_taken():
    nothing = Measurement((), Mean(column(0, None)))

    def group(against: str, p: float, *heads: int) -> Group:
        way = Way(LOGITS, against)
        return Group(tuple(Tried(Node(Head(1, h), END), way, nothing, 0.0, p) for h in heads), nothing, p)

    sure, less, other = group("abc", 0.001, 0, 1), group("s2_io", 0.01, 1, 2), group("s2_io", 0.04, 3, 4)
    assert apart([other, less, sure]) == (sure, other)

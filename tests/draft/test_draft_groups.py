"""Heads that matter only together enter as one, and those that do nothing are in no group."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

import circuitdsl as cd
from benchmarks.draft import FLOOR, Results, count
from benchmarks.truth.relay import END, Relay, crowded_relay
from circuitdsl.check.bench import Bench
from circuitdsl.check.progress import Progress, unwatched
from circuitdsl.components import Head, Node
from circuitdsl.draft.entry import Rule
from circuitdsl.draft.groups import Group, apart
from circuitdsl.draft.patching import Tried, Way
from circuitdsl.draft.roles import Named
from circuitdsl.draft.search import Stage, followed
from circuitdsl.draft.stable import stable
from circuitdsl.engine.session import Session
from circuitdsl.judge.estimates import NOTHING
from circuitdsl.judge.units import Origin, units_of
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.estimands import Mean, column
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import Measurement, Sample
from circuitdsl.outcome import DraftReport
from circuitdsl.outcome.draft import LOGITS, DraftRole, Fed, Into, StageOutcome
from promises import Promises

torch.set_num_threads(1)

QUIET, SHARE = 5, 0.006
"""Heads that carry about this share of the metric each: less than the floor."""


def quiet(relay: Relay) -> set[Node]:
    """The heads of the last stage but for the loud one."""
    sent = {head: relay.sent({head}, None) for head in relay.stages[-1].heads}
    assert sum(share < FLOOR for share in sent.values()) == len(sent) - 1
    return {Node(head, END) for head, share in sent.items() if share < FLOOR}


def drafted(
    relay: Relay, folder: Path, top: str | None = None, stages: int = 1, progress: Progress = unwatched
) -> DraftReport:
    file = folder / "relay.jsonl"
    file.write_text(relay.prompts(200, 0), encoding="utf-8")
    output = folder / "draft.circuit"
    return cd.draft(
        str(file),
        model=relay.build(),
        output=output,
        prompts=100,
        top=top,
        stages=stages,
        reference=4,
        unexplained=False,
        store=False,
        progress=progress,
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
    # 3% of the metric as one, by the planted wires: surely more than the floor, and hardly more than twice of it.
    assert all(each.again >= 0.95 and each.at_double <= each.again for each in together)
    assert {each.p_adjusted for each in together} == {together[0].p_adjusted}
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


def test_a_stage_with_groups_takes_no_more_than_was_planned(crowded: Relay, tmp_path: Path):
    promises = Promises()
    report = drafted(crowded, tmp_path, stages=3, progress=promises)
    assert sum(stage.grouped for stage in report.stages) and promises.kept()


def test_of_groups_that_share_a_member_the_surer_one_is_taken():
    nothing = Measurement((), Mean(column(0, None)))

    def group(against: str, p: float, *heads: int) -> Group:
        way = Way(LOGITS, against)
        return Group(tuple(Tried(Node(Head(1, h), END), way, nothing, 0.0, p) for h in heads), nothing, p)

    sure, less, other = group("abc", 0.001, 0, 1), group("s2_io", 0.01, 1, 2), group("s2_io", 0.04, 3, 4)
    assert apart([other, less, sure]) == (sure, other)


def test_a_role_is_followed_once_a_node_of_it_entered_alone():
    nodes = Node(Head(1, 0), END), Node(Head(1, 1), END)
    grouped = tuple(Fed(node, LOGITS, "abc", 1, NOTHING, 0.5, 0.001, together=nodes) for node in nodes)
    alone = Fed(nodes[0], Into("mover", "q", END), "abc", 2, NOTHING, 0.0001, 0.001)
    role = Named(DraftRole("role_1", nodes, 1), ())
    first = Stage(StageOutcome((LOGITS,), 2, 0, 2), grouped, (), 1)
    second = Stage(StageOutcome((alone.into,), 2, 1), (alone,), (), 1)
    assert followed([role], [first]) == []
    assert followed([role], [first, second]) == [role]


def found_again(effect: float, seed: int) -> tuple[float, float]:
    """How often a group of such an effect on 100 prompts, spread by five times the floor, is found again."""
    figures = np.random.default_rng(seed).normal(effect, 5 * FLOOR, 100)
    sample, way = Sample(Data(TaskRef("ioi"), 0, False), figures[:, np.newaxis]), Way(LOGITS, "abc")
    as_one = Measurement((sample,), Mean(column(0)))
    nodes = Node(Head(1, 0), END), Node(Head(1, 1), END)
    group = Group(tuple(Tried(node, way, as_one, effect, 0.5) for node in nodes), as_one, 0.001)
    fed = tuple(Fed(node, *way, 1, NOTHING, 0.5, 0.001, together=nodes) for node in nodes)
    stage = Stage(StageOutcome((LOGITS,), 2, 0, 2), fed, (), 1, (group,))
    units = units_of([Origin("one", number) for number in range(len(figures))], {})
    bench = Bench(cast(Session, None), known={(sample.data, sample.source, 0, len(figures)): units})
    first, second = stable(stage, Rule("fdr", 0.05), FLOOR, bench, seed).fed
    assert (first.again, first.at_double) == (second.again, second.at_double)
    return first.again, first.at_double


def test_a_group_is_found_again_as_often_as_it_is_beyond_the_floor_on_resampled_prompts():
    def on_average(effect: float) -> list[float]:
        return np.mean([found_again(effect, seed) for seed in range(20)], axis=0).tolist()

    assert on_average(10 * FLOOR) == [1.0, 1.0]
    at_floor, twice = on_average(FLOOR), on_average(2 * FLOOR)
    assert at_floor[1] <= at_floor[0] < 0.3
    assert at_floor[0] < twice[0] < 0.8 and twice[1] < 0.3

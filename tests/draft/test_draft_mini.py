"""A draft of mini's indirect object identification, whose circuit specs/mini/ioi.circuit has, found by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from jsonschema import Draft202012Validator

import circuitdsl as cd
from circuitdsl.components import Head, Node
from circuitdsl.draft import patching
from circuitdsl.draft.packs import Among, Pack, settled_together
from circuitdsl.outcome import DraftReport
from circuitdsl.plan.job import Started
from circuitdsl.report.data.json import to_json
from promises import Promises

torch.set_num_threads(1)

PROMPTS = 40
STAGES = 3


@dataclass(frozen=True)
class Drafted:
    report: DraftReport
    folder: Path
    promises: Promises


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> Drafted:
    folder = tmp_path_factory.mktemp("draft")
    report = cd.draft(
        "ioi",
        prompts=PROMPTS,
        unexplained=False,
        stages=STAGES,
        output=folder / "d.circuit",
        store=cd.Store.in_folder(folder),
        progress=(promises := Promises()),
    )
    (folder / "d.circuit").write_text(report.text, encoding="utf-8")
    return Drafted(report, folder, promises)


def nodes(report: DraftReport) -> set[Node]:
    return {node for role in report.roles for node in role.nodes}


def test_it_finds_the_heads_that_the_specification_claims(drafted: Drafted):
    """But for callers, who send little to the logits each by itself, for they raise both names alike, and for the
    weakest of the others, which so few prompts do not tell. Gatherers work at all positions: they are found where
    somebody reads them, 0.5 nowhere."""
    (by_hand,) = cd.load("specs/mini/ioi.circuit").circuits
    found = nodes(drafted.report)
    fetchers, lookups = (set(by_hand.role(name).nodes) for name in ("fetcher", "lookup"))
    assert {str(node) for node in fetchers - found} <= {"3.3 at END"}
    assert {str(node) for node in lookups - found} <= {"1.1 at S2", "1.4 at S2"}
    gatherers = {str(head) for head in by_hand.role("gatherer").heads} - {"0.5"}
    assert gatherers <= {str(node.component) for node in found}
    assert "3.4 at END" not in {str(node) for node in found}  # idle here


def test_it_finds_how_they_are_wired(drafted: Drafted):
    edges = {(str(each.sender), each.into.input, str(each.into.place)) for each in drafted.report.fed}
    assert {("1.6 at S2", "k", "S2"), ("1.6 at S2", "v", "S2"), ("0.3 at S1+4", "k", "S1+4")} <= edges
    assert ("3.0 at END", "", "None") in edges


def test_its_claims_hold_when_it_is_checked(drafted: Drafted):
    document = cd.load(drafted.folder / "d.circuit")
    report = cd.check(document, unexplained=False, store=cd.Store.in_folder(drafted.folder))
    assert report.exit_code == 0
    assert report.summary["holds"] == drafted.report.confirmed > 30
    assert report.circuits[0].prompts == PROMPTS


def test_its_text_is_what_fmt_gives_with_the_evidence_beside_every_claim(drafted: Drafted):
    text = drafted.report.text
    assert cd.format(text) == text
    assert not cd.lint(drafted.folder / "d.circuit")
    claims = [line for line in text.splitlines() if line.split()[:1] in (["edge"], ["expect"])]
    assert len(claims) == drafted.report.confirmed
    assert all("# " in line and "[" in line.split("# ")[1] for line in claims)
    assert f"prompts {PROMPTS}" in text and "members none" in text


def test_every_edge_tells_how_often_it_is_found_again(drafted: Drafted):
    fed = drafted.report.fed
    assert all(0 <= each.at_double <= 1 and 0 <= each.again <= 1 for each in fed)
    sure = [each for each in fed if each.p_value is not None and each.p_value < 1e-6]
    assert len(sure) > 5 and all(each.again >= 0.8 for each in sure)
    assert min(each.again for each in fed) < 1  # or nothing would be told


def test_page_and_json_say_what_it_did_not_explain(drafted: Drafted):
    page = cd.show(drafted.report)
    assert "what it did not explain" in page and "faithfulness" in page and "reader_of_S2" in page
    data = json.loads(to_json(drafted.report.to_dict()))
    described = json.loads((Path(__file__).parents[2] / "docs" / "draft.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(described)
    Draft202012Validator(described).validate(data)
    assert data["text"] == drafted.report.text


def test_what_was_drafted_is_not_run_again(drafted: Drafted):
    store = cd.Store.in_folder(drafted.folder)
    output = drafted.folder / "d.circuit"
    again = cd.draft("ioi", prompts=PROMPTS, unexplained=False, stages=STAGES, output=output, store=store)
    # What a patch does not change is no reading, which could be kept: it is asked again.
    assert again.cost.experiments < 0.1 * drafted.report.cost.experiments
    assert again.cost.kept > 0.9 * drafted.report.cost.experiments
    assert again.text == drafted.report.text


def test_senders_that_few_prompts_settle_are_run_on_no_more_and_what_enters_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
):
    def drawn() -> DraftReport:
        return cd.draft("ioi", prompts=24, reference=4, unexplained=False, stages=2, mlps=False, store=False)

    together = list[frozenset[Started]]()

    def recorded(packs: Sequence[Pack[Started]], nothing: Among[Started]) -> frozenset[Started]:
        together.append(settled_together(packs, nothing))
        return together[-1]

    monkeypatch.setattr(patching, "settled_together", recorded)
    raced = drawn()
    senders, layers = together[::2], together[1::2]
    assert any(senders) and any(layers), "some were settled in packs"
    assert [stage.together for stage in raced.stages] == [len(settled) for settled in senders]
    monkeypatch.setattr(patching, "early_looks", lambda prompts: ())
    whole = drawn()
    assert nodes(raced) == nodes(whole) != set()
    assert [stage.senders for stage in raced.stages] == [stage.senders for stage in whole.stages]
    assert raced.cost.prompt_passes < whole.cost.prompt_passes, "there was a race"


def test_a_stage_takes_no_more_than_was_planned(drafted: Drafted):
    """Packs and layers included."""
    assert len(drafted.promises.steps) == 2 * STAGES - 1 and drafted.promises.kept()


def test_a_draft_of_heads_alone_looks_at_no_mlp_and_leaves_them_at_work(drafted: Drafted):
    """Its first stage is that of the other without the MLPs, whose readings the store has."""
    store = cd.Store.in_folder(drafted.folder)
    heads = cd.draft("ioi", prompts=PROMPTS, unexplained=False, stages=1, mlps=False, store=store)
    assert [stage.senders for stage in heads.stages] == [33]  # 32 heads and the token embedding
    assert heads.stages[0].senders == drafted.report.stages[0].senders - 4
    for mlps, made in ((False, heads), (True, drafted.report)):
        (planned,) = cd.plan_draft("ioi", prompts=PROMPTS, mlps=mlps).sweeps
        assert planned.senders == made.stages[0].senders
        assert made.to_dict()["mlps"] == mlps
    assert nodes(heads) and all(isinstance(node.component, Head) for node in nodes(heads))
    assert "MLPs were not looked for" in heads.text and "MLPs were not looked for" not in drafted.report.text
    assert set(cd.load(text=heads.text).circuits[0].heads) == {node.component for node in nodes(heads)}

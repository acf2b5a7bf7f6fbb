"""True specifications of planted models, damaged: exactly the damage is proposed to be undone, and nothing of a true
one."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from jsonschema import Draft202012Validator
from transformer_lens.model_bridge import TransformerBridge

import circuitdsl as cd
from benchmarks.refine import Results, count_one
from circuitdsl.check.progress import unwatched
from circuitdsl.check.work import Watch
from circuitdsl.components import ALL, Head, Mlp, Node
from circuitdsl.draft.asked import read_rule
from circuitdsl.draft.places import places_of
from circuitdsl.draft.refine import outside
from circuitdsl.draft.refine.editing import MARK
from circuitdsl.draft.refine.inquiry import Inquiry
from circuitdsl.language.circuit import Circuit
from circuitdsl.measures.measurement import data_of
from circuitdsl.models import open_model
from circuitdsl.outcome import RefinementReport
from circuitdsl.report.data.json import to_json

torch.set_num_threads(1)

ROOT = Path(__file__).parents[2]
TRUE = (ROOT / "specs" / "planted" / "induction.circuit").read_text(encoding="utf-8")
FEW, MORE = 16, 32

BACKUP_SAID = (
    "  expect attention(backup, END -> NEXT)           <= 5%\n",
    "  edge induction                    -> backup.q : lowers\n",
    "  expect knockout(backup)         in -1% .. 1%\n",
)
TO_LOGITS = "  edge induction                    -> logits : raises\n"


@cache
def bridge(model: str = "planted-induction") -> TransformerBridge:
    return open_model(model).bridge


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("refine")


def damaged(*changes: tuple[str, str], text: str = TRUE) -> str:
    for true, wrong in changes:
        assert true in text, true
        text = text.replace(true, wrong)
    return cd.format(text)


def refined(folder: Path, text: str, prompts: int = FEW, unexplained: bool = True) -> RefinementReport:
    """The refinement of a text. All tests of this file share a store: what they measure is much the same."""
    (folder / "x.circuit").write_text(text, encoding="utf-8")
    store = cd.Store.in_folder(folder / "store")
    report = cd.refine(folder / "x.circuit", model=bridge(), prompts=prompts, store=store, unexplained=unexplained)
    assert report.exit_code == 0
    if report.text != report.before:
        assert cd.format(report.text) == report.text
        (folder / "y.circuit").write_text(report.text, encoding="utf-8")
        assert not cd.lint(folder / "y.circuit")
    return report


def circuit(text: str, folder: Path) -> Circuit:
    (folder / "z.circuit").write_text(text, encoding="utf-8")
    (found,) = cd.load(folder / "z.circuit").circuits
    return found


def meaning(text: str, folder: Path) -> tuple[dict[str, set[Node]], set[str]]:
    """The roles and the stated edges of a text."""
    found = circuit(text, folder)
    edges = {claim.text.split(" : ")[0] for claim in found.edge_claims()}
    return {role.name: set(role.nodes) for role in found.roles}, edges


def proposed(report: RefinementReport) -> set[tuple[str, str]]:
    return {(each.kind, each.text) for each in report.made}


def test_nothing_is_proposed_of_a_true_specification(folder: Path):
    report = refined(folder, TRUE)
    assert not report.proposals and report.text == report.before == TRUE and report.diff == ""
    assert "nothing is to be changed" in cd.show(report)
    # It did look: at every member, every other head and other places of members, every edge and every input of roles.
    assert {each.number for each in report.surveys} >= {6, 3, 4, 12, 36}


def test_what_is_missing_and_what_does_nothing_are_found_together(folder: Path):
    wrong = damaged(
        ("{ 2.0  2.2 }", "{ 2.0 }"),  # a backup, which acts only where the role before it is gone
        ("{ 0.0  0.3 }", "{ 0.0  0.1  0.3 }"),  # an idle head
        ("no edge previous_token            -> induction.v ", "edge previous_token -> induction.v : raises"),
        (TO_LOGITS, ""),
    )
    report = refined(folder, wrong)
    assert proposed(report) == {
        ("add", "2.2 at END to role backup"),
        ("drop", "0.1 at NEXT from role previous_token"),
        ("drop edge", "edge previous_token -> induction.v : raises"),
        ("add edge", "edge induction -> logits : raises"),
    }
    assert not [each for each in report.proposals if each.withheld]
    assert meaning(report.text, folder) == meaning(TRUE, folder)
    assert all(each.p_adjusted is not None and each.p_adjusted <= 0.05 for each in report.proposals)
    lines = {each.text: each.line for each in report.proposals}
    assert "{ 2.0 }" in wrong.splitlines()[lines["2.2 at END to role backup"] - 1]
    assert "induction.v" in wrong.splitlines()[lines["edge previous_token -> induction.v : raises"] - 1]


def test_a_backup_is_found_where_estimates_of_the_whole_model_say_that_it_does_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """An estimate orders nothing and decides nothing: how far it is off is measured."""
    monkeypatch.setattr(outside, "worth_sketching", lambda number, method: True)
    report = refined(folder, damaged(("{ 2.0  2.2 }", "{ 2.0 }")))
    assert proposed(report) == {("add", "2.2 at END to role backup")}


def gone(text: str, folder: Path) -> tuple[str, ...]:
    """The roles without which others are looked for."""
    own = circuit(text, folder)
    own = replace(own, method=replace(own.method, prompts_first=FEW))
    bench = cd.Workbench(bridge(), store=None).bench(own)
    places = places_of(bench.session.prompts(data_of(own), FEW))
    return outside.lookout(places, Inquiry(bench, own, own, read_rule("fdr", "5%", 0.5), Watch(unwatched))).gaps


def test_backups_are_looked_for_where_the_circuit_misses_a_role_otherwise_than_the_model(folder: Path):
    """A backup that is not listed wakes up in the model alone. What is off anyway is no reason: without half of the
    induction heads the circuit is off from the model whether the backups, which sleep in both, are gone or not."""
    assert gone(TRUE, folder) == ()
    assert "induction" in gone(damaged(("{ 2.0  2.2 }", "{ 2.0 }")), folder)
    assert "backup" not in gone(damaged(("{ 1.1  1.3 }", "{ 1.1 }")), folder)


def test_the_authors_words_stay_and_every_change_has_its_evidence(folder: Path):
    wrong = damaged(("{ 2.0  2.2 }", "{ 2.0 }"), (TO_LOGITS, ""))
    report = refined(folder, wrong)
    after = report.text.splitlines()
    assert [line for line in wrong.splitlines() if line not in after] == ["  role backup         at END  { 2.0 }"]
    new = [line for line in after if line.strip() and line not in wrong.splitlines()]
    assert len(new) == 2 and all(f"# {MARK}: " in line and "%" in line and ", p " in line for line in new)
    page = cd.show(report)
    assert report.diff in page
    assert report.diff.startswith("--- ") and report.diff.count("\n@@ ") == 2
    assert "knockout of 2.2 at END where induction is gone" in page


def test_roles_and_nodes_that_stand_at_the_wrong_place_are_moved(folder: Path):
    backup = refined(folder, damaged(("role backup         at END", "role backup at NEXT")), unexplained=False)
    assert proposed(backup) == {("move", "role backup stands at END, not at NEXT")}
    assert meaning(backup.text, folder) == meaning(TRUE, folder)
    # Without its previous-token heads nothing is left of the circuit: what adds nothing to it is told by the model.
    early = refined(folder, damaged(("role previous_token at NEXT", "role previous_token at FIRST")), MORE, False)
    assert proposed(early) == {("move", "role previous_token stands at NEXT, not at FIRST")}
    assert meaning(early.text, folder) == meaning(TRUE, folder)
    assert any("so far from whole" in note for note in early.notes)
    one = refined(folder, damaged(("{ 0.0  0.3 }", "{ 0.0  0.3 at FIRST }")), MORE, False)
    assert proposed(one) == {("move", "0.3 at FIRST stands at NEXT in role previous_token")}
    assert meaning(one.text, folder) == meaning(TRUE, folder)


def test_heads_that_are_like_no_role_make_one_of_their_own(folder: Path):
    said = [(line, "") for line in BACKUP_SAID]
    none = ("  role backup         at END  { 2.0  2.2 }\n", "")
    report = refined(folder, damaged(*said, none, ("{ previous_token backup }", "previous_token")))
    roles, edges = meaning(report.text, folder)
    assert {str(node) for node in roles["role_1"]} == {"2.0 at END", "2.2 at END"}
    assert "edge induction -> role_1.q" in edges


def test_what_a_change_would_make_wrong_is_left_to_the_author(folder: Path):
    wrong = damaged(
        ("  role backup ", "  role idle at END { 1.0 }\n  role quiet at END { 2.1 }\n  role backup "),
        ("{ 1.1  1.3 }", "{ 1.1  1.2  1.3 }"),
        ("no edge 1.2 at END ", "no edge 1.2 "),  # has the position from the role
        (BACKUP_SAID[0], BACKUP_SAID[0] + "  expect knockout(idle) in -1% .. 1%\n"),
    )
    report = refined(folder, wrong, unexplained=False)
    assert proposed(report) == {("drop", "role quiet: none of its nodes does anything")}
    withheld = {each.text: each.withheld for each in report.proposals if each.withheld}
    assert "claims name it" in withheld["role idle: none of its nodes does anything"]
    assert "`1.2`" in withheld["1.2 at END from role induction"]
    page = " ".join(cd.show(report).split())
    assert "for you to decide" in page and "not changed: claims name it" in page
    assert "quiet" not in report.text and "role idle" in report.text


MIXED = """\
circuit own {
  model planted-induction
  task  induction

  # Some look at FIRST, and some at NEXT itself.
  role mixed at NEXT { 0.0  2.0  0.3 }
  expect accuracy >= 50%
}
"""


def test_a_role_of_two_kinds_is_split_unless_claims_name_it(folder: Path):
    report = refined(folder, MIXED, unexplained=False)
    (split,) = report.made
    assert split.text == "role mixed is of 2 kinds: 0.0 0.3 looking mostly at FIRST; 2.0 looking mostly at NEXT"
    roles, _ = meaning(report.text, folder)
    assert {name: sorted(map(str, nodes)) for name, nodes in roles.items()} == {
        "mixed": ["0.0 at NEXT", "0.3 at NEXT"],
        "reader_of_NEXT": ["2.0 at NEXT"],
    }
    named = MIXED.replace("expect accuracy >= 50%", "expect attention(mixed, NEXT -> FIRST) >= 50%")
    report = refined(folder, named, unexplained=False)
    (split,) = report.proposals
    assert split.kind == "split" and "claims name the role" in split.withheld and report.text == named


def test_claims_that_a_change_makes_false_are_listed(folder: Path):
    half = ("expect knockout(backup)         in -1% .. 1%", "expect knockout({ induction backup }) > -90%")
    report = refined(folder, damaged(("{ 2.0  2.2 }", "{ 2.0 }"), half))
    (claim,) = report.claims
    assert (str(claim.before), str(claim.after)) == ("holds", "fails")
    assert claim.text.split(" > ")[0] in report.text.splitlines()[claim.line - 1]
    assert claim.text in " ".join(cd.show(report).split())


def test_json_has_the_schema_that_is_documented_and_what_was_measured_is_not_measured_again(folder: Path):
    text = damaged(("{ 2.0  2.2 }", "{ 2.0 }"))
    first, report = refined(folder, text), refined(folder, text)
    # What a patch does not change is no reading, which could be kept: it is asked again.
    assert report.text == first.text and report.cost.experiments < 0.5 * report.cost.kept
    data = json.loads(to_json(report.to_dict()))
    described = json.loads((ROOT / "docs" / "refinement.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(described)
    Draft202012Validator(described).validate(data)
    assert data["text"] == report.text and data["diff"] == report.diff and len(data["proposals"]) == 1


def test_random_planted_models_are_repaired(tmp_path: Path):
    """``python -m benchmarks.refine`` asks more of them, and of more kinds of damage."""
    results = Results()
    count_one(2, 30, tmp_path, results, ("a head missing", "a false edge"))
    assert results.withheld == 0 and not results.examples
    assert [damage for damage, number in results.repaired.items() if number] == ["a head missing", "a false edge"]


def test_listed_mlps_are_looked_for_elsewhere_without_estimates(folder: Path):
    """Of heads alone there are estimates: the engines keep gradients of no other outputs."""
    own = circuit(TRUE, folder)
    nodes = (Node(Head(0, 1), ALL), Node(Mlp(0), ALL))
    assert tuple(outside.sketches_of(nodes, own)) == nodes[:1]

"""What the editor is told of a page, feature by feature, without a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import circuitdsl as cd
from cheap import with_reference
from circuitdsl.editor.completion import complete
from circuitdsl.editor.definition import definition
from circuitdsl.editor.diagnostics import by_file
from circuitdsl.editor.hover import UNKNOWN, hover
from circuitdsl.editor.lens import lenses, only
from circuitdsl.editor.measured import Measured
from circuitdsl.editor.page import Page
from circuitdsl.editor.rename import rename, renamed
from circuitdsl.errors import InputError
from circuitdsl.outcome import Report

TEXT = """circuit c {
  about "an example"
  model mini
  task  ioi
  method { against abc  vary ablate: zero }
  role lookup  at S2  { 1.6 }
  role fetcher at END { 3.0 3.7 }
  edge lookup -> fetcher.v : raises
  expect attention(fetcher, END -> S2) >= 60%
  expect faithfulness > random heads
}

intervention without_lookup on c {
  ablate lookup zero
  expect accuracy - baseline <= -10%
}
"""


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page.read(TEXT, str(tmp_path / "c.circuit"))


def place(text: str, words: str, within: int = 0, nth: int = 0) -> tuple[int, int]:
    """Line and column of some words, the first time or later, and a few characters on."""
    offset = -1
    for _ in range(nth + 1):
        offset = text.index(words, offset + 1)
    before = text[: offset + within]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


# --- completion --------------------------------------------------------------------------------------


def proposed(written: str, after: str = "\n") -> dict[str, set[str]]:
    """What is proposed at the | of a text, by kinds."""
    before, _, behind = written.partition("|")
    page = Page.read(before + behind + after, "c.circuit")
    lines = before.split("\n")
    found: dict[str, set[str]] = {}
    for each in complete(page, len(lines), len(lines[-1]) + 1):
        found.setdefault(each.kind, set()).add(each.label)
    return found


BODY = TEXT.partition("  edge")[0]


@pytest.mark.parametrize(
    ("written", "kind", "names"),
    [
        ("|", "keyword", {"circuit", "compare", "intervention", "use"}),
        ("circuit c {\n  mo|", "keyword", {"model", "task", "expect", "no edge"}),
        ("circuit c {\n  model |", "model", {"mini", "smollm2-135m"}),
        ("circuit c { model mini task |", "task", {"ioi", "file"}),
        (BODY + "  edge |", "role", {"lookup", "fetcher"}),
        (BODY + "  edge lookup -> fet|", "role", {"fetcher"}),
        (BODY + "  edge lookup -> |", "keyword", {"logits", "mlp"}),
        (BODY + "  edge lookup -> logits : |", "keyword", {"raises", "lowers", "strict"}),
        (BODY + "  edge lookup at |", "position", {"IO", "S2", "END", "all"}),
        (BODY + "  role third at |", "position", {"S1"}),
        (BODY + "  role third at S1 { 0.1 at |", "position", {"S2"}),
        (BODY + "  expect |", "measure", {"attention", "faithfulness", "logit_diff"}),
        (BODY + "  expect att|", "measure", {"attention"}),
        (BODY + "  expect attention(|", "role", {"lookup", "fetcher"}),
        (BODY + "  expect attention(fetcher, END -> |", "position", {"S2", "IO"}),
        (BODY + "  expect accuracy(|", "option", {"among options"}),
        (BODY + "  expect faithfulness > |", "control", {"random heads"}),
        ("circuit c { task ioi method { |", "setting", {"metric", "ablate", "vary"}),
        ("circuit c { task ioi method { ablate |", "value", {"zero", "mean by template"}),
        ("circuit c { task ioi method { ablate zero |", "setting", {"seed"}),
        ("circuit c { task ioi method { vary |", "setting", {"ablate", "metric"}),
        ("circuit c { task ioi method { vary ablate: zero, |", "value", {"resample"}),
        ("circuit c { task ioi method { against |", "counterfactual", {"abc"}),
        (BODY + "  edge fetcher -> logits against |", "counterfactual", {"abc", "s2_io"}),
        (BODY + "  expect effect(fetcher -> logits, against |", "counterfactual", {"abc", "s2_io"}),
        (BODY + "}\nintervention i on |", "circuit", {"c"}),
        (BODY + "}\nintervention i on c {\n  |", "keyword", {"ablate", "attend", "expect"}),
        (BODY + "}\nintervention i on c {\n  ablate |", "role", {"lookup"}),
        (BODY + "}\nintervention i on c {\n  patch lookup from |", "counterfactual", {"abc"}),
        (BODY + "}\ncompare c with |", "circuit", {"c"}),
        (BODY + "}\ncompare c with d {\n  expect |", "measure", {"overlap", "transfer"}),
        (BODY + "}\ncompare c with d {\n  align |", "role", {"lookup"}),
    ],
)
def test_what_is_proposed(written: str, kind: str, names: set[str]):
    assert names <= proposed(written).get(kind, set())


def test_measurements_are_those_of_the_block():
    assert "overlap" not in proposed(BODY + "  expect |")["measure"]
    assert "faithfulness" not in proposed(BODY + "}\ncompare c with d {\n  expect |")["measure"]


@pytest.mark.parametrize("written", ['circuit c { about "mo|', "circuit c { # mo|"])
def test_nothing_is_proposed_in_texts_and_comments(written: str):
    assert proposed(written, '"\n') == {}


def test_nothing_that_somebody_writes_breaks_it():
    for end in range(len(TEXT) + 1):
        page = Page.read(TEXT[:end], "c.circuit")
        lines = TEXT[:end].split("\n")
        complete(page, len(lines), len(lines[-1]) + 1)
        hover(page, len(lines), len(lines[-1]) + 1, Measured())


# --- hover, definition, rename -----------------------------------------------------------------------


def test_a_role_is_shown_as_it_is_defined(page: Page):
    found = hover(page, *place(TEXT, "fetcher", 2, nth=2), Measured())
    assert found and "role fetcher at END { 3.0 3.7 }" in found.text
    assert found.span and (found.span.line, found.span.column) == place(TEXT, "fetcher", nth=2)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("faithfulness", cd.explain("faithfulness").splitlines()[0]),
        ("random heads", "The same done to random heads"),
        ("ioi", "IO"),
        ("mini", "4 layers of 8 heads"),
        ("against", "counterfactual that patches take"),
        ("abc", "abc: "),
        ("S2", "S2: "),
    ],
)
def test_names_are_explained(page: Page, words: str, says: str):
    found = hover(page, *place(TEXT, words, 1), Measured())
    assert found and says in found.text


@pytest.fixture(scope="module")
def report() -> Report:
    return cd.check(with_reference(cd.load("specs/mini/ioi.circuit"), 2), prompts=8, unexplained=False)


def test_the_last_measured_value_is_shown_or_that_there_is_none(page: Page, report: Report):
    where = place(TEXT, "attention", 2)
    found = hover(page, *where, Measured())
    assert found and UNKNOWN in found.text
    measured = Measured()
    measured.keep(report)
    real = Page.read(Path("specs/mini/ioi.circuit").read_text(), "specs/mini/ioi.circuit")
    outcome = next(each for each in report.outcomes if each.claim.term.measure == "attention")
    shown = hover(real, outcome.claim.line, 10, measured)
    assert shown and "%" in shown.text and "on 8 prompts" in shown.text and UNKNOWN not in shown.text
    titles = {each.line: each.title for each in lenses(real, measured)}
    assert titles[outcome.claim.line].endswith("· check again") and "%" in titles[outcome.claim.line]


def test_figures_of_a_report_are_read_and_other_files_are_refused(tmp_path: Path, page: Page, report: Report):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report.to_dict()))
    read, kept = Measured(), Measured()
    read.read(path)
    kept.keep(report)
    assert {key: seen.verdict for key, seen in read.seen.items()} == {k: seen.verdict for k, seen in kept.seen.items()}
    for wrong in ("", "[]", "{", "[" * 100_000, '{"circuits": [{"name": "c", "claims": [{}]}]}'):
        path.write_text(wrong)
        with pytest.raises(InputError, match=r"report\.json") as refused:
            read.read(path)
        assert refused.value.remedy
    with pytest.raises(InputError):
        read.read(tmp_path / "none.json")


def test_figures_of_one_model_of_a_panel_are_read(tmp_path: Path):
    spec = tmp_path / "c.circuit"
    spec.write_text("circuit c { model mini task ioi method { prompts 4 } expect logit_diff >= 0 }\n")
    (tmp_path / "panel.json").write_text(json.dumps(cd.panel(spec, ["mini"], unexplained=False).to_dict()))
    read = Measured()
    read.read(tmp_path / "panel.json:mini")
    (seen,) = read.seen.values()
    assert "panel.json:mini of " in str(seen)


def test_definitions_are_found_in_this_file_and_in_those_it_uses(tmp_path: Path, page: Page):
    span = definition(page, *place(TEXT, "lookup -> fetcher", 3))
    assert span and (span.line, span.column) == place(TEXT, "lookup")
    (tmp_path / "c.circuit").write_text(TEXT)
    (tmp_path / "my.jsonl").write_text("{}")
    (tmp_path / "of.jsonl").write_text("{}")
    other = 'use "c.circuit"\nintervention i on c {\n  ablate fetcher zero\n  expect accuracy <= 1%\n}\n'
    other += 'circuit d { task file("my.jsonl") }\ncircuit e { task facts("of.jsonl") }\n'
    using = Page.read(other, str(tmp_path / "other.circuit"))
    span = definition(using, *place(other, "fetcher", 1))
    assert span and span.file == str(tmp_path / "c.circuit") and (span.line, span.column) == place(TEXT, "fetcher")
    for words, file in (("c.circuit", "c.circuit"), ("my.jsonl", "my.jsonl"), ("of.jsonl", "of.jsonl")):
        span = definition(using, *place(other, words, 1))
        assert span and span.file == str(tmp_path / file)
    assert definition(using, *place(other, "accuracy", 1)) is None


def test_a_role_is_renamed_wherever_it_is_named(tmp_path: Path, page: Page):
    other = 'use "c.circuit"\ncompare c with d { align lookup ~ lookup expect overlap(lookup ~ lookup) >= 0% }\n'
    other += "circuit d { model mini task ioi role lookup at S2 { 1.6 } }\n"
    (tmp_path / "c.circuit").write_text(TEXT)
    using = Page.read(other, str(tmp_path / "other.circuit"))
    spans = rename(page, *place(TEXT, "lookup", 2), "finder", [using])
    found = sorted((Path(span.file).name, span.line, span.column) for span in spans)
    own = [("c.circuit", *place(TEXT, "lookup", nth=n)) for n in (0, 1, 3)]
    compared = [("other.circuit", *place(other, "lookup", nth=n)) for n in (0, 2)]
    assert found == sorted([*own, *compared])
    assert TEXT.split("\n")[12].startswith("intervention without_lookup")  # whose name is no role's


@pytest.mark.parametrize("name", ["edge", "two words", "", "S2", "fetcher", "END", "1.6", "a[n]"])
def test_names_that_a_role_cannot_have(page: Page, name: str):
    with pytest.raises(InputError) as caught:
        rename(page, *place(TEXT, "lookup", 2), name)
    assert caught.value.remedy


def test_only_roles_are_renamed(page: Page):
    assert renamed(page, *place(TEXT, "attention", 2)) is None
    with pytest.raises(InputError, match="only roles"):
        rename(page, *place(TEXT, "attention", 2), "other")


# --- diagnostics and lenses --------------------------------------------------------------------------


def test_what_is_wrong_with_another_file_is_said_where_it_is_named_too(tmp_path: Path):
    (tmp_path / "my.jsonl").write_text('{"prompt": "When Mary met John", "answer": " Anna"}\n[]\n')
    text = 'circuit c {\n  model mini\n  task file("my.jsonl")\n  expect accuracy >= 1%\n}\n'
    found = by_file(Page.read(text, str(tmp_path / "c.circuit")))
    assert [(each.code, each.span.line) for each in found[str(tmp_path / "my.jsonl")]] == [("C231", 2)]
    (own,) = found[str(tmp_path / "c.circuit")]
    assert own.span.line == 3 and own.message.startswith("1 error in my.jsonl: line 2: an empty list")


def test_a_lens_stands_over_each_line_that_claims_something(page: Page):
    found = {(each.block, each.line): each.title for each in lenses(page, Measured())}
    lines = {"c": (6, 7, 8, 9, 10), "without_lookup": (15,)}
    assert set(found) == {(block, line) for block, numbers in lines.items() for line in numbers}
    assert found["c", 7] == "check 2 claims" and found["c", 8] == "check"
    assert list(lenses(Page.read(TEXT.replace("ioi", "iou"), "c.circuit"), Measured())) == []


def test_the_claims_of_one_line_are_a_document_of_their_own(page: Page):
    document = page.linted.document
    alone = only(document, "c", 8)
    assert [claim.line for circuit in alone.circuits for claim in circuit.claims] == [8]
    assert (alone.comparisons, alone.interventions) == ((), ())
    other = only(document, "without_lookup", 15)
    assert other.circuits == () and [each.name for each in other.used] == ["c"]
    with pytest.raises(InputError, match="line 3 of c claims nothing"):
        only(document, "c", 3)

"""The commands that run no model: lint, fmt, plan, show, diff, explain, models, tasks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from command_line import ROOT, run
from jsonschema import Draft202012Validator

from benchmarks.robustness.evil_texts import harm_of
from circuitdsl.models import folders
from circuitdsl.models.opening import DTYPES
from models.folders_of_models import copied

MINI = ROOT / "specs" / "mini"
UGLY = "circuit  c {\n model mini # small\n\n\n task ioi\n   role a at END {0.1  0.2}\n}\n"


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def ugly(tmp_path: Path) -> Path:
    path = tmp_path / "ugly.circuit"
    path.write_text(UGLY)
    return path


# --- fmt -------------------------------------------------------------------------------------------


def test_fmt_changes_a_file_once_and_keeps_comments(ugly: Path):
    assert run("fmt", ugly) == (0, f"{ugly} formatted\n", "")
    after = ugly.read_text()
    assert after != UGLY
    assert "# small" in after
    assert run("fmt", ugly) == (0, "", "")
    assert ugly.read_text() == after


def test_fmt_check_changes_nothing_and_exits_1(ugly: Path):
    clean = MINI / "ioi.circuit"
    assert run("fmt", "--check", ugly, clean) == (1, f"{ugly} would be formatted\n", "")
    assert ugly.read_text() == UGLY
    assert run("fmt", "--check", clean) == (0, "", "")


def test_fmt_diff_shows_what_would_change(ugly: Path):
    ended = run("fmt", "--diff", ugly)
    assert ended.code == 1
    assert ended.out.startswith(f"--- {ugly}\n+++ {ugly} (formatted)\n@@")
    assert "-circuit  c {\n" in ended.out
    assert "+circuit c {\n" in ended.out
    assert ugly.read_text() == UGLY


def test_fmt_of_standard_input(ugly: Path):
    ended = run("fmt", "-", stdin=UGLY)
    run("fmt", ugly)
    assert ended == (0, ugly.read_text(), "")
    assert run("fmt", "--check", "-", stdin=UGLY).code == 1
    assert run("fmt", "--check", "-", stdin=ended.out).code == 0


def test_fmt_leaves_a_file_with_errors_as_it_is(tmp_path: Path):
    path = tmp_path / "wrong.circuit"
    path.write_text("circuit c {\n  model mini\n  task\n}\n")
    ended = run("fmt", path)
    assert (ended.code, ended.out) == (2, "")
    assert f"{path}:3:3" in ended.err
    assert path.read_text() == "circuit c {\n  model mini\n  task\n}\n"


# --- lint ------------------------------------------------------------------------------------------


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.circuit"
    path.write_text("circuit c {\n  model mini\n  task  ioi\n  role a at END { 9.9 }\n  expect acuracy >= 90%\n}\n")
    return path


def test_lint_shows_all_that_is_wrong_where_it_stands(wrong: Path):
    ended = run("lint", wrong)
    assert (ended.code, ended.err) == (2, "")
    assert f"{wrong}:4:19" in ended.out
    assert f"{wrong}:5:10" in ended.out
    assert "help: did you mean `accuracy`?" in ended.out
    assert ended.out.endswith("2 errors\n")
    assert "\x1b" not in ended.out


def test_lint_as_json_and_as_sarif(wrong: Path, tmp_path: Path):
    found = json.loads(run("lint", wrong, "-f", "json").out)
    assert [(one["severity"], one["line"], one["column"]) for one in found] == [("error", 4, 19), ("error", 5, 10)]
    file = tmp_path / "lint.sarif"
    assert run("lint", wrong, "-f", "sarif", "-o", file) == (2, "", "")
    results = json.loads(file.read_text())["runs"][0]["results"]
    assert [result["ruleId"] for result in results] == [one["code"] for one in found]


def test_lint_of_a_warning_is_0(tmp_path: Path):
    path = tmp_path / "idle.circuit"
    path.write_text("circuit c {\n  model mini\n  task  ioi\n}\n")
    ended = run("lint", path)
    assert ended.code == 0
    assert "warning[C590]" in ended.out


@pytest.mark.parametrize(
    "path", sorted((ROOT / "specs").rglob("*.circuit")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_shipped_specs_are_clean_and_formatted(path: Path):
    ended = run("lint", path)
    assert (ended.code, ended.err) == (0, "")
    warned = re.findall(r"^warning\[(C\d+)\]", ended.out, re.MULTILINE)
    # An edge is tried where it cannot be; SmolLM2 does not ship, and files of prompts are for its tokenizer.
    unread = path.parent.name == "smollm2-135m" and set(warned) == {"C496"}
    assert ended.out == "nothing is wrong\n" or warned == ["C490"] or unread
    assert run("fmt", "--check", path) == (0, "", "")


# --- plan ------------------------------------------------------------------------------------------


def test_plan_says_what_checking_costs_in_text_and_json():
    path = MINI / "ioi.circuit"
    ended = run("plan", path)
    data = json.loads(run("plan", path, "-f", "json").out)
    assert (ended.code, data["schema"]) == (0, "circuitdsl/plan/2")
    said = " ".join(ended.out.split())
    assert said.startswith(f"{data['experiments']['distinct']:,} experiments on 90 prompts at first")
    assert f"with the plain engine {data['passes']['total']:,.0f} forward passes" in said
    assert f"with the fast engine about {data['fast_passes']['total']:,.0f} forward passes" in said
    shown = [line["purpose"] for line in json.loads(run("plan", path, "-f", "json", "--examples").out)["lines"]]
    assert shown.count("single prompts") == 1 and len(shown) == len(data["lines"]) + 1
    less = json.loads(run("plan", path, "-f", "json", "--no-unexplained").out)
    assert less["passes"]["total"] < data["passes"]["total"]
    assert len(run("plan", path, "-v").out.splitlines()) > len(ended.out.splitlines())


# --- show and diff ---------------------------------------------------------------------------------


def test_show_draws_a_circuit_in_text_and_svg(tmp_path: Path):
    ended = run("show", MINI / "ioi.circuit")
    assert ended.code == 0
    assert all(role in ended.out for role in ("gatherer", "lookup", "caller", "fetcher"))
    assert max(map(len, ended.out.splitlines())) <= 80
    picture = tmp_path / "ioi.svg"
    assert run("show", MINI / "ioi.circuit", "--svg", picture) == (0, "", "")
    assert ET.parse(picture).getroot().tag.endswith("svg")


def test_show_of_one_of_several_circuits():
    path = ROOT / "specs" / "planted" / "repair.circuit"
    assert "broken_ioi" in run("show", f"{path}:broken_ioi").out
    ended = run("show", path)
    assert (ended.code, ended.out) == (2, "")
    assert "holds 2 circuits, and one is needed" in ended.err
    assert "broken_ioi, broken_colored_objects" in ended.err


def test_diff_in_text_json_and_svg(tmp_path: Path):
    pair = (MINI / "ioi.circuit", MINI / "colored_objects.circuit")
    ended = run("diff", *pair)
    assert ended.code == 0
    assert "13 heads shared of 17 and 23: 76% of the smaller circuit" in ended.out
    data = json.loads(run("diff", *pair, "-f", "json").out)
    assert (len(data["heads"]["shared"]), data["left"]) == (13, "mini_ioi")
    picture = tmp_path / "both.svg"
    assert run("diff", *pair, "--svg", picture) == (0, "", "")
    assert ET.parse(picture).getroot().tag.endswith("svg")


def test_diff_of_two_versions_says_what_became_of_the_circuit(tmp_path: Path):
    text = "circuit c {\n model mini\n task ioi\n role r at END { 3.0 }\n expect attention(r, END -> S2) >= 65%\n}\n"
    old, new = tmp_path / "old.circuit", tmp_path / "new.circuit"
    old.write_text(text, encoding="utf-8")
    new.write_text(text.replace("65%", "70%"), encoding="utf-8")
    ended = run("diff", old, new)
    assert "100% of the smaller circuit" in ended.out
    lines = [line.strip() for line in ended.out.splitlines()]
    what = lines.index("claim attention(r, END -> S2)")
    assert lines[what + 1] == "- expect attention(r, END -> S2) >= 65%"
    assert lines[what + 2] == "+ expect attention(r, END -> S2) >= 70%"
    assert lines[what + 3] == ""
    (change,) = json.loads(run("diff", old, new, "-f", "json").out)["changes"]
    assert (change["kind"], change["what"]) == ("claim", "attention(r, END -> S2)")
    assert "both say the same" in run("diff", old, old).out


PLANTED = ROOT / "specs" / "planted"
REUSE = """use "ioi.circuit"
use "colored_objects.circuit"
compare planted_ioi with planted_colored_objects {
  align mover ~ mover, duplicate_token ~ content_gatherer
  expect overlap(heads) >= 50%
}
"""


def counterparts(*arguments: object) -> dict[tuple[str, str], str]:
    """The roles that ``diff`` takes for one, and why."""
    ended = run("diff", *arguments, "-f", "json")
    assert ended.code == 0, ended.err
    return {(p["left"], p["right"]): p["rule"] for p in json.loads(ended.out)["roles"] if p["rule"] is not None}


def test_diff_takes_counterparts_from_the_command_line():
    pair = (PLANTED / "ioi.circuit", PLANTED / "colored_objects.circuit")
    assert ("duplicate_token", "content_gatherer") not in counterparts(*pair)
    found = counterparts(*pair, "--align", "duplicate_token~content_gatherer, mover ~ backup_mover")
    assert found["duplicate_token", "content_gatherer"] == found["mover", "backup_mover"] == "align"
    assert ("mover", "mover") not in found
    twice = counterparts(*pair, "--align", "duplicate_token ~ content_gatherer", "--align", "mover ~ backup_mover")
    assert twice == found


def test_diff_of_a_compare_block_takes_its_circuits_and_counterparts(tmp_path: Path):
    for name in ("ioi", "colored_objects"):
        (tmp_path / f"{name}.circuit").write_bytes((PLANTED / f"{name}.circuit").read_bytes())
    path = tmp_path / "reuse.circuit"
    path.write_text(REUSE, encoding="utf-8")
    found = counterparts(path)
    assert found["duplicate_token", "content_gatherer"] == found["mover", "mover"] == "align"
    assert counterparts(path, "--align", "mover ~ mover")["mover", "mover"] == "align"
    assert ("duplicate_token", "content_gatherer") not in counterparts(path, "--align", "mover ~ mover")
    data = json.loads(run("diff", path, "-f", "json").out)
    assert (data["left"], data["right"]) == ("planted_ioi", "planted_colored_objects")
    assert counterparts(f"{path}:planted_ioi~planted_colored_objects") == found
    assert "duplicate_token ~ content_gatherer" in run("diff", path, "-v").out


CITING = """circuit one {
  model mini
  task  ioi
  cite  "one and the block"
  role mover at END { 3.0  cite "a role of each" }
}
circuit two {
  model mini
  task  colored_objects
  role fetcher at END { 3.0 3.3  cite "a role of each" }
}
compare one with two {
  about  "what is shared"
  cite   "the block alone"
  cite   "one and the block"
  expect overlap(heads) >= 50%
}
"""


def test_diff_names_what_the_block_the_circuits_and_their_roles_cite(tmp_path: Path):
    path = tmp_path / "both.circuit"
    path.write_text(CITING, encoding="utf-8")
    text = run("diff", path, "-v").out
    assert re.search(r"^compared in +what is shared;", text, re.MULTILINE)
    assert text.split("Sources, as the files give them\n")[1].split("\n\n")[0].splitlines() == [
        "  the comparison: the block alone",
        "  the comparison, one: one and the block",
        "  mover in one, fetcher in two: a role of each",
    ]
    data = json.loads(run("diff", path, "-f", "json").out)
    assert data["about"] == "what is shared"
    assert [(each["text"], [(by["in"], by["role"]) for by in each["by"]]) for each in data["sources"]] == [
        ("the block alone", [("compare", None)]),
        ("one and the block", [("compare", None), ("left", None)]),
        ("a role of each", [("left", "mover"), ("right", "fetcher")]),
    ]
    alone = run("diff", f"{path}:one", f"{path}:two")
    assert "the comparison" not in alone.out
    assert "compared in" not in alone.out


def test_what_diff_prints_as_json_is_an_entry_of_the_report(tmp_path: Path):
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
    entry = Draft202012Validator(schema).evolve(schema={"$ref": "#/$defs/comparison", "$defs": schema["$defs"]})
    ioi, medium = PLANTED / "ioi.circuit", ROOT / "specs" / "gpt2-medium"
    for arguments in ((PLANTED / "reuse.circuit",), (ioi, ioi), (medium / "reuse.circuit",)):
        data = json.loads(run("diff", *arguments, "-f", "json").out)
        assert [f"{e.json_path}: {e.message}" for e in entry.iter_errors(data)] == []
        assert {"left", "right", "heads", "roles", "edges", "graph", "claims"} <= set(data)
        assert ("changes" in data) == (arguments == (ioi, ioi))
        assert bool(data["about"]) == (arguments == (medium / "reuse.circuit",))
    mover = next(node for node in data["graph"]["nodes"] if node["name"] == "mover")
    assert (mover["in"], len(mover["shared"]), mover["left_only"]) == ("both", 5, [])
    del mover["in"]
    assert len(list(entry.iter_errors(data))) == 1


# --- explain, models, tasks ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("faithfulness", "unit     a share"),
        ("c201", "C201"),
        ("ablate", "method setting ablate"),
        ("ioi", "S2"),
        ("mini", "4 layers of 8 heads"),
        ("planted-ioi", "planted-ioi"),
        ("gpt2-medium", "24 layers of 16 heads"),
        ("file", "one JSON object a line"),
    ],
)
def test_explain_knows_measurements_codes_settings_tasks_and_models(name: str, says: str):
    ended = run("explain", name)
    assert (ended.code, ended.err) == (0, "")
    assert says in ended.out


def test_explain_alone_lists_what_can_be_explained():
    ended = run("explain")
    assert (ended.code, ended.err) == (0, "")
    listed = ended.out.replace(",", " ").split()
    for name in ("faithfulness", "overlap(elements)", "ablate", "colored_objects", "file", "mini"):
        assert name in listed


def test_models_and_tasks_are_listed():
    models, tasks = run("models").out, run("tasks").out
    assert all(name in models for name in ("planted-ioi", "mini", "smollm2-135m"))
    assert all(name in tasks for name in ("ioi", "colored_objects", "induction", 'file("my.jsonl")'))
    assert run("--version").out.startswith("circuitdsl 0.")


def test_a_model_of_tasks_show_may_be_a_folder():
    assert run("tasks", "show", "ioi", "--model", folders.MINI, "-n", 1) == run("tasks", "show", "ioi", "-n", 1)


@pytest.mark.parametrize("evil", ["below\n✓ FORGED", "over\x1b[1A\u2028✓ FORGED"])
def test_evil_names_begin_no_line_and_move_no_cursor(ugly: Path, tmp_path: Path, evil: str):
    """A campaign found these doors: wrong usage, headings of what fmt would change, notes of an export, messages."""
    path = ugly.with_name(f"{evil}.circuit")
    path.write_bytes(ugly.read_bytes())
    model = f"a {' '.join(evil.split(chr(10)))}"
    copied(tmp_path / model)
    other = tmp_path / "other.circuit"
    other.write_text(f'circuit c {{ model "{model}" task ioi role a {{ 0.1 }} edge a -> logits : raises }}')
    calls = [
        ["fmt", "--diff", path],
        ["check", f"--{evil}"],
        [evil],
        ["models", "add", evil],
        ["export", other, "--format", "eap"],
    ]
    for said in (ended.out + ended.err for ended in (run(*call) for call in calls)):
        assert "FORGED" in said and [*harm_of(said)] == []


def test_prompts_of_a_task_as_a_model_reads_them():
    ended = run("tasks", "show", "ioi", "--model", "mini", "-n", 2)
    assert ended.code == 0
    assert ended.out.count("[END]") == ended.out.count("answer ") == 2
    assert "Anna[IO] and Andrew[S1]" in ended.out
    again = run("tasks", "show", "ioi", "--model", "mini", "-n", 1, "--seed", 1)
    assert "Anna[IO] and Andrew[S1]" not in again.out
    with_bos = run("tasks", "show", "colored_objects(shots: 0)", "--model", "mini", "-n", 1, "--bos")
    without = run("tasks", "show", "colored_objects(shots: 0)", "--model", "mini", "-n", 1)
    tokens = [int(shown.out.split(", ")[1].split()[0]) for shown in (with_bos, without)]
    assert tokens[0] == tokens[1] + 1


# --- help ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "diff"])
def test_the_command_line_offers_every_precision(command: str, monkeypatch: pytest.MonkeyPatch):
    """It lists them itself, since the package of models is too large to load for a help text."""
    monkeypatch.setenv("COLUMNS", "120")
    assert f"<{'|'.join(DTYPES)}>" in run(command, "--help").out


def test_a_new_file_of_prompts_is_right_and_never_takes_the_place_of_another(tmp_path: Path):
    prompts, spec = tmp_path / "my.jsonl", tmp_path / "my.circuit"
    ended = run("tasks", "new", prompts)
    assert ended.code == 0 and ended.out.startswith(f"{prompts} written")
    spec.write_text('circuit c {\n  model mini\n  task file("my.jsonl")\n  edge 0.1 at END -> logits\n}\n')
    assert run("lint", spec) == (0, "nothing is wrong\n", "")
    before = prompts.read_text()
    ended = run("tasks", "new", prompts)
    assert (ended.code, ended.out) == (2, "") and "is there already" in ended.err
    assert prompts.read_text() == before

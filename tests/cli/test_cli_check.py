"""``circuitdsl check``: exit codes, formats, files, the store."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch
from command_line import ROOT, run
from jsonschema import Draft202012Validator

torch.set_num_threads(1)

HEAD = "circuit c {\n  model mini\n  task  ioi\n  method { prompts 20  reference 2 }\n"
QUICK = ("--no-unexplained",)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory):
    """One results store for this file's checks."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CIRCUITDSL_CACHE", str(folder))
        patch.setenv("COLUMNS", "100")
        yield folder


@pytest.fixture
def spec(tmp_path: Path):
    def write(*claims: str, head: str = HEAD, name: str = "my.circuit") -> Path:
        path = tmp_path / name
        path.write_text(head + "".join(f"  {claim}\n" for claim in claims) + "}\n", encoding="utf-8")
        return path

    return write


def report(*arguments: object) -> dict:
    """The JSON report of a check, whatever its exit code."""
    return json.loads(run("check", *arguments, *QUICK, "--format", "json").out)


def prompts_with_a_gap(folder: Path) -> Path:
    """Two prompts of one's own; the second lacks the position IO."""
    text, changed = "Then, Mary and John went to the store. John gave a ball to", "Mary gave a ball to"
    base = {
        "prompt": text,
        "answer": " Mary",
        "wrong": [" John"],
        "counterfactuals": {"abc": text.replace("John gave a ball to", changed)},
        "template": "one",
    }
    lines = [base | {"positions": {"IO": [6, 10], "S2": [39, 43]}}, base | {"positions": {"S2": [39, 43]}}]
    path = folder / "my.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


# --- exit codes ------------------------------------------------------------------------------------


def test_0_where_all_claims_hold(spec):
    ended = run("check", spec("expect logit_diff >= 0", "expect accuracy >= 50%"), "--prompts", 25, *QUICK)
    assert (ended.code, ended.err) == (0, "")
    assert "task ioi, 25 prompts" in ended.out
    assert ended.out.startswith("2 claims hold; nothing fails, nothing is undecided (")


def test_1_where_one_fails(spec):
    path = spec("expect logit_diff >= 0", "expect logit_diff <= 0")
    ended = run("check", path, *QUICK)
    assert ended.code == 1
    last = " ".join(ended.out.split("what does not hold")[1].split())
    assert f"FAILS {path}:6 expect logit_diff <= 0 measured" in last


def test_2_where_the_input_is_wrong_and_nothing_is_run(spec):
    ended = run("check", spec("expect acuracy >= 0"))
    assert (ended.code, ended.out) == (2, "")
    assert "did you mean" in ended.err


def test_3_where_one_is_undecided(spec):
    middle = report(spec("expect logit_diff >= 0"))["circuits"][0]["claims"][0]["value"]
    ended = run("check", spec("expect logit_diff >= 0", f"expect logit_diff >= {middle:.6f}"), *QUICK)
    assert ended.code == 3
    assert "not decided by 20 prompts" in ended.out


def test_4_where_one_cannot_be_run_though_another_fails(spec, tmp_path: Path):
    prompts_with_a_gap(tmp_path)
    head = 'circuit c {\n  model mini\n  task  file("my.jsonl")\n  method { prompts 2 }\n'
    claims = ("expect attention({ 3.0 at END }, END -> IO) >= 0%", "expect accuracy <= 1%")
    ended = run("check", spec(*claims, head=head), *QUICK)
    assert ended.code == 4
    assert "! 1 could not be measured: line 5, at the end" in ended.out
    assert "1 fails" in ended.out
    assert "IO" in ended.out.split("what does not hold")[1]


def test_the_control_of_an_intervention_is_shown_as_that_of_a_circuit(spec):
    """A head that does next to nothing does not do more than others of its layer."""
    claims = ("expect logit_diff >= 0", "role r at END { 3.0 }")
    path = spec(*claims)
    block = "intervention off on c {\n  ablate 3.7 at END zero\n  expect logit_diff > random heads\n}\n"
    path.write_text(path.read_text() + block)
    data = report(path)
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(data)) == []
    (claim,) = data["interventions"][0]["claims"]
    bound = claim["bound"]
    assert (bound["op"], bound["control"], claim["verdict"]) == (">", "random heads", "fails")
    assert bound["low"] <= bound["value"] <= bound["high"]
    said = " ".join(run("check", path, *QUICK).out.split())
    assert f"wants more than random heads (median {bound['value']:.2f})" in said


# --- what is printed, and where --------------------------------------------------------------------


def test_formats_say_the_same(spec, tmp_path: Path):
    path = spec("expect logit_diff >= 0", "expect logit_diff <= 0")
    data = report(path)
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(data)) == []
    assert data["summary"] == {"holds": 1, "fails": 1, "undecided": 0, "error": 0}
    suites = ET.fromstring(run("check", path, *QUICK, "--format", "junit").out)
    assert (suites.get("tests"), suites.get("failures")) == ("2", "1")
    sarif = json.loads(run("check", path, *QUICK, "--format", "sarif").out)
    (result,) = sarif["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 6}


def test_a_text_goes_to_a_file_and_not_to_the_terminal(spec, tmp_path: Path):
    file = tmp_path / "report"
    ended = run("check", spec("expect logit_diff <= 0"), *QUICK, "-o", file)
    assert (ended.code, ended.out, ended.err) == (1, "", "")
    assert "logit_diff" in file.read_text("utf-8")
    assert not (tmp_path / "report.log").exists()


@pytest.mark.parametrize("name", ["json", "junit", "sarif"])
def test_beside_a_report_for_programs_there_is_a_log_and_people_see_the_text(spec, tmp_path: Path, name: str):
    file, path = tmp_path / "report.out", spec("expect logit_diff <= 0")
    ended = run("check", path, *QUICK, "-f", name, "-o", file)
    assert (ended.code, ended.err) == (1, "")
    assert ended.out.startswith("1 claim fails (")
    assert "logit_diff" in file.read_text("utf-8")
    log = (tmp_path / "report.out.log").read_text("utf-8")
    assert log.startswith("1 claim fails (")
    assert len(log) > len(ended.out)  # it is the text in full
    assert "confidence 95%" in log and "of heads at their roles' positions" in log
    assert "\x1b" not in log


def test_a_reader_of_standard_output_gets_the_report_alone(spec, tmp_path: Path):
    ended = run("check", spec("expect logit_diff <= 0"), *QUICK, "-f", "json", "-o", "/dev/stdout")
    assert "claim fails" not in ended.out


def test_a_log_that_cannot_be_written_is_told_before_anything_is_run(spec, tmp_path: Path):
    (tmp_path / "report.json.log").mkdir()
    ended = run("check", spec("expect logit_diff <= 0"), *QUICK, "-f", "json", "-o", tmp_path / "report.json")
    assert (ended.code, ended.out) == (2, "")
    assert "report.json.log" in ended.err


def test_quiet_shows_what_does_not_hold_and_the_count(spec):
    path = spec("expect logit_diff >= 0", "expect logit_diff <= 0")
    lines = run("check", path, *QUICK, "--quiet").out.splitlines()
    assert lines[0].startswith("1 claim holds, 1 fails")
    assert any(line.startswith("what does not hold") for line in lines)
    assert not any("logit_diff >= 0" in line for line in lines)


def test_verbose_shows_every_head(spec):
    path = spec("role r at END { 3.0 3.1 }")
    short, long = (run("check", path, *QUICK, *more).out for more in ((), ("--verbose",)))
    assert "2 are undecided: line 5, at the end" in short
    blocks = [shown.split("what does not hold")[0] for shown in (short, long)]
    assert ["role r at END: 3.1 matters" in block for block in blocks] == [False, True]


def test_the_search_for_heads_that_are_not_listed_can_be_left_out(spec):
    path = spec("expect logit_diff >= 0")
    assert "outside the circuit: not looked for" in run("check", path, *QUICK).out
    assert "of the 32 heads that the circuit does not list" in " ".join(run("check", path, "-v").out.split())


def test_another_model_by_name_and_by_folder(spec):
    path = spec("expect logit_diff >= 0")
    assert report(path, "--model", "planted-ioi")["circuits"][0]["model"] == "planted-ioi"
    folder = ROOT / "circuitdsl" / "models" / "mini"
    estimates = [report(path, *model)["circuits"][0]["claims"][0]["value"] for model in ((), ("--model", folder))]
    assert estimates[0] == estimates[1]


def test_both_engines_say_the_same(spec):
    path = spec("expect logit_diff >= 0", "role r at END { 3.0 }", "edge r -> logits")
    fast, plain = (report(path, "--no-cache", "--engine", name) for name in ("fast", "plain"))
    assert (fast["engine"], plain["engine"]) == ("fast", "plain")
    for ours, theirs in zip(fast["circuits"][0]["claims"], plain["circuits"][0]["claims"], strict=True):
        assert ours["verdict"] == theirs["verdict"]
        assert ours["value"] == pytest.approx(theirs["value"], rel=1e-3)


def test_several_files_are_one_report(spec):
    first = spec("expect logit_diff >= 0")
    second = spec("expect accuracy >= 0%", head=HEAD.replace("circuit c", "circuit d"), name="other.circuit")
    data = report(first, second)
    assert [(circuit["name"], circuit["file"]) for circuit in data["circuits"]] == [
        ("c", str(first)),
        ("d", str(second)),
    ]


def test_a_circuit_that_claims_nothing_is_warned_of(spec):
    ended = run("check", spec(), *QUICK)
    assert ended.code == 0
    assert "warning[C590]: circuit c claims nothing" in ended.err


# --- the store -------------------------------------------------------------------------------------


def test_a_second_run_runs_nothing(spec, tmp_path: Path):
    path = spec("expect logit_diff >= 0", "role r at END { 3.0 3.1 }", "edge r -> logits")
    first, second = (report(path, "--cache-folder", tmp_path / "kept") for _ in range(2))
    assert first["cost"]["experiments"] > 0
    assert (second["cost"]["experiments"], second["cost"]["prompt_passes"]) == (0, 0)
    assert second["cost"]["kept"] > 0
    assert second["circuits"] == first["circuits"]
    said = run("check", path, *QUICK, "--cache-folder", tmp_path / "kept").out
    assert f"0 experiments run ({second['cost']['kept']} more from the results store)" in said
    again = report(path, "--no-cache")
    assert again["cost"]["experiments"] == first["cost"]["experiments"]
    assert again["cost"]["kept"] == 0


def test_no_cache_writes_none(spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(tmp_path / "none"))
    assert run("check", spec("expect logit_diff >= 0"), *QUICK, "--no-cache").code == 0
    assert not (tmp_path / "none").exists()


def test_a_damaged_store_says_what_to_do(spec, tmp_path: Path):
    file = tmp_path / "kept" / "results.sqlite"
    file.parent.mkdir()
    file.write_bytes(b"this is no database, but it is long enough to be taken for one" * 100)
    path = spec("expect logit_diff >= 0")
    ended = run("check", path, *QUICK, "--cache-folder", file.parent)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"error: the results store {file} cannot be used")
    assert "help: delete the file" in ended.err
    assert run("check", path, *QUICK, "--cache-folder", file.parent, "--no-cache").code == 0
    file.unlink()
    assert run("check", path, *QUICK, "--cache-folder", file.parent).code == 0


# --- two circuits in function ----------------------------------------------------------------------


def test_diff_in_function_says_what_each_does_for_the_other_and_draws_the_curve(tmp_path: Path):
    heads = "{ 2.0 2.3 }", "{ 3.1 3.4 }"
    text = "".join(
        f"circuit {name} {{ model planted-broken task ioi method {{ reference 2 }} role a at END {role} }}\n"
        for name, role in zip(("one", "two"), heads, strict=True)
    )
    spec = tmp_path / "both.circuit"
    spec.write_text(text)
    picture = tmp_path / "curve.svg"
    pair = (f"{spec}:one", f"{spec}:two", "--prompts", 12)
    ended = run("diff", *pair, "--function", "--curve", picture, "-f", "json")
    data = json.loads(ended.out)
    assert (ended.code, data["left"], data["right"]) == (0, "one", "two")
    assert data["function"]["cells"] and data["curves"]
    assert ET.parse(picture).getroot().tag.endswith("svg")
    shown = run("diff", *pair, "--function")
    assert shown.code == 0
    assert len(shown.out.splitlines()) > len(run("diff", *pair).out.splitlines())
    nowhere = run("diff", *pair, "--curve", tmp_path / "nowhere" / "curve.svg")
    assert (nowhere.code, nowhere.out) == (2, "")
    assert "cannot write" in nowhere.err


# --- precision -------------------------------------------------------------------------------------


def test_bfloat16_is_told_apart_in_the_report_and_in_the_store(spec):
    path = spec("expect logit_diff >= 0")
    fine, coarse = report(path), report(path, "--dtype", "bfloat16")
    assert (fine["dtype"], coarse["dtype"]) == ("float32", "bfloat16")
    assert coarse["cost"]["kept"] == 0 < coarse["cost"]["experiments"]
    assert report(path, "--dtype", "bfloat16")["cost"]["experiments"] == 0
    values = [each["circuits"][0]["claims"][0]["value"] for each in (fine, coarse)]
    assert values[0] != values[1] == pytest.approx(values[0], rel=0.02)
    assert "in bfloat16" in coarse["circuits"][0]["processing"]
    said = " ".join(run("check", path, *QUICK, "--dtype", "bfloat16").out.split())
    assert "fast engine in bfloat16" in said and "weights as they are, in bfloat16" in said
    assert "float32" not in run("check", path, *QUICK).out


def test_the_report_says_where_the_model_ran(spec):
    path = spec("expect logit_diff >= 0")
    assert report(path, "--device", "cpu")["device"] == "cpu"
    for engine in ("fast", "plain"):
        said = " ".join(run("check", path, *QUICK, "--device", "cpu", "--engine", engine).out.split())
        assert f"{engine} engine on cpu" in said
    here = "cuda:0" if torch.cuda.is_available() else "cpu"
    assert report(path)["device"] == here


def test_a_report_of_descriptions_alone_says_where_models_would_have_run(tmp_path: Path):
    head = "circuit NAME {\n  model mini\n  task  ioi\n  role a at END { 3.0 }\n}\n"
    (tmp_path / "used.circuit").write_text("".join(head.replace("NAME", name) for name in ("one", "two")))
    file = tmp_path / "pair.circuit"
    file.write_text('use "used.circuit"\ncompare one with two {\n  expect overlap(heads) >= 50%\n}\n')
    assert report(file, "--device", "cpu")["device"] == "cpu"


def test_a_screened_search_says_how_many_heads_it_sorted_out(spec):
    path = spec("role r at END { 3.0 }", head=HEAD.replace("prompts 20", "prompts 8\n floor 10%\n"))
    whole, quick = (
        json.loads(run("check", path, "--format", "json", *more).out) for more in ((), ("--screen", "bf16"))
    )
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(quick)
    (one,), (other,) = whole["circuits"], quick["circuits"]
    assert one["screening"] is None
    assert other["screening"]["sorted_out"] > 0 < other["screening"]["margin"] < 0.1
    assert other["unexplained"] == one["unexplained"]
    said = " ".join(run("check", path, "--screen", "bf16", "-v").out.split())
    assert f"{other['screening']['sorted_out']} were excluded in bfloat16" in said


def test_nothing_is_screened_that_is_coarse_already(spec):
    ended = run("check", spec("expect logit_diff >= 0"), "--dtype", "bfloat16", "--screen", "bf16")
    assert ended.code == 2
    assert "nothing coarser" in ended.err

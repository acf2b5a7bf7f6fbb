"""``import circuitdsl as cd``: everything that the command line does, and its checks of arguments."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

import circuitdsl as cd
from circuitdsl.engine import store
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.outcome import Report
from cli.command_line import ROOT, environment, run

SPEC = "circuit c {\n  model planted-broken\n  task  ioi\n  method { prompts 12 }\n  expect accuracy >= 1%\n}\n"
SHIPPED = "specs/mini/ioi.circuit"
PAIR = ("specs/planted/ioi.circuit", "specs/planted/colored_objects.circuit")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "my.circuit"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def pair() -> tuple[Any, Any]:
    left, right = (cd.load(path).circuits[0] for path in PAIR)
    return left, right


def test_importing_loads_no_torch_nor_do_reading_and_explaining():
    script = (
        "import sys, circuitdsl as cd\n"
        f"assert cd.load({SHIPPED!r}) and cd.lint({SHIPPED!r}) is not None and cd.explain('ioi')\n"
        "print(sorted({'torch', 'transformers', 'scipy'} & set(sys.modules)))\n"
        "print(cd.Workbench.__name__, cd.Store.__name__)\n"
    )
    assert _printed(script) == "[]\nWorkbench Store\n"
    with pytest.raises(AttributeError):
        _ = cd.nope  # type: ignore[attr-defined]


def _printed(script: str) -> str:
    """What a process of its own prints."""
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment(), timeout=120)
    assert ended.stderr == ""
    return ended.stdout


def test_importing_loads_nothing_that_is_large():
    large = {"torch", "networkx", "numpy", "scipy", "lark", "rich", "typer"}
    assert _printed(f"import sys, circuitdsl; print(sorted({large!r} & set(sys.modules)))") == "[]\n"


@pytest.mark.parametrize(
    ("package", "module"),
    [("check.progress", "checking"), ("compare.structure", "comparing"), ("plan.plan", "checking")],
)
def test_a_function_keeps_its_name_from_the_package_that_is_called_the_same(package: str, module: str):
    name = package.partition(".")[0]
    said = f"print(cd.{name}.__module__, type(cd.{name}).__name__)"
    assert _printed(f"import circuitdsl.{package}, circuitdsl as cd; {said}") == f"circuitdsl.api.{module} function\n"
    assert _printed(f"import circuitdsl as cd; {said}; {said}") == f"circuitdsl.api.{module} function\n" * 2


def test_all_names_are_listed_before_they_are_loaded():
    shown = "print(sorted({*cd.__all__, 'api', 'models', 'tasks'} - set(dir(cd))), cd.api.load is cd.load)"
    assert _printed(f"import circuitdsl as cd; {shown}") == "[] True\n"


# --- what the command line prints ------------------------------------------------------------------


def test_the_texts_are_those_of_the_command_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "100")
    document = cd.load(SHIPPED)
    assert cd.show(cd.plan(document)) == run("plan", SHIPPED).out
    assert cd.show(document.circuits[0]) == run("show", SHIPPED).out
    assert cd.explain("faithfulness") == run("explain", "faithfulness").out
    assert cd.explain() == run("explain").out
    left, right = (cd.load(path).circuits[0] for path in PAIR)
    assert cd.show(cd.diff(left, right)) == run("diff", *PAIR).out
    assert cd.diff(*PAIR).to_dict() == json.loads(run("diff", *PAIR, "-f", "json").out)


def test_pictures(pair: tuple[Any, Any]):
    for thing in (pair[0], cd.diff(*pair)):
        assert cd.show(thing, "svg").startswith("<svg")
    with pytest.raises(cd.InputError, match="no picture of a plan"):
        cd.show(cd.plan(cd.load(SHIPPED)), "svg")
    with pytest.raises(cd.InputError, match="nothing is shown as png"):
        cd.show(pair[0], cast(Any, "png"))


def test_lint_gives_diagnostics_and_their_text(spec: Path):
    assert list(cd.lint(spec)) == []
    spec.write_text(SPEC.replace("accuracy", "acuracy"))
    found = cd.lint(spec)
    assert [(each.severity, each.span.line, each.span.column) for each in found] == [("error", 5, 10)]
    assert found.render() + "\n" == run("lint", spec).out


def test_loading_tells_of_what_is_suspicious(spec: Path):
    spec.write_text(SPEC.replace("  expect accuracy >= 1%\n", ""))
    told: list[str] = []
    cd.load(spec, warned=lambda findings: told.extend(each.code for each in findings))
    assert told == ["C590"]


def test_format():
    once = cd.format("circuit  c {\n model mini # small\n task ioi\n}\n")
    assert once == "circuit c {\n  model mini  # small\n  task  ioi\n}\n"
    assert cd.format(once) == once
    with pytest.raises(SpecError):
        cd.format("circuit {")


def test_a_check_in_a_few_bytes_says_the_same(spec: Path):
    document = cd.load(spec)
    whole, narrow = (cd.check(document, memory=memory, unexplained=False) for memory in (0, 200_000))
    assert whole.circuits[0].claims == narrow.circuits[0].claims


def test_watching_gives_a_report_after_each_save_and_errors_in_between(spec: Path):
    reports = cd.watch(spec, unexplained=False, prompts=10)
    first = next(reports)
    assert isinstance(first, Report) and first.circuits[0].prompts == 10
    spec.write_text(SPEC.replace("accuracy", "acuracy"))
    assert isinstance(next(reports), SpecError)
    spec.write_text(SPEC.replace("accuracy >= 1%", "logit_diff <= -1000"))
    second = next(reports)
    assert isinstance(second, Report) and second.summary["fails"] == 1
    spec.write_text("")
    empty = next(reports)
    assert isinstance(empty, cd.InputError) and "nothing to check" in empty.message


def test_watching_prompts_of_a_file_keeps_the_model_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Seven prompts, which are fewer than the method draws: they are all that is planned and run."""
    from circuitdsl.check import open_models

    opened = []
    opens = open_models.open_model
    monkeypatch.setattr(open_models, "open_model", lambda *given: opened.append(given) or opens(*given))
    names = ("Mary", "Anna", "Tom", "Emily", "Ryan", "Maria", "Andrew")
    rows = [
        {
            "prompt": f"When {name} and John went to the store, John gave a drink to",
            "answer": f" {name}",
            "wrong": [" John"],
        }
        for name in names
    ]
    prompts, file = tmp_path / "my.jsonl", tmp_path / "my.circuit"
    prompts.write_text("\n".join(map(json.dumps, rows)))
    file.write_text('circuit c { model mini task file("my.jsonl") method { ablate zero } expect logit_diff >= -99 }')
    reports = cd.watch(file, unexplained=False, store=False)
    first = next(reports)
    assert isinstance(first, Report) and first.circuits[0].prompts == 7
    plan = cd.plan(cd.load(file), unexplained=False)
    assert plan.prompts == 7
    assert first.cost.passes == plan.fast.total == first.cost.planned
    prompts.write_text("\n".join(map(json.dumps, rows[:3])))
    second = next(reports)
    assert isinstance(second, Report) and second.circuits[0].prompts == 3
    assert second.outcomes[0].estimate.value != first.outcomes[0].estimate.value
    assert len(opened) == 1


def test_the_first_check_of_a_watch_raises(tmp_path: Path):
    with pytest.raises(SpecError):
        next(cd.watch(tmp_path / "missing.circuit"))


# --- files, texts and what is kept -----------------------------------------------------------------

SMALL = "circuit c {\n  model mini\n  task  ioi\n  method { prompts 6 }\n  expect logit_diff >= 0\n}\n"


def test_a_text_is_read_as_its_file_is(tmp_path: Path):
    file = tmp_path / "my.circuit"
    file.write_text(SMALL, encoding="utf-8")
    of_file, of_text = cd.load(file).circuits[0], cd.load(text=SMALL).circuits[0]
    assert of_text.file == "text" and replace(of_text, file=of_file.file) == of_file
    with pytest.raises(SpecError) as caught:
        cd.load(text=SMALL.replace("logit_diff", "logit_dif"))
    assert "text:5:10" in str(caught.value)


@pytest.mark.parametrize("name", ["mini/ioi", "mini/ioi.circuit", "specs/mini/ioi", "specs/mini/ioi.circuit"])
def test_specifications_that_ship_have_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert [circuit.name for circuit in cd.load(name).circuits] == ["mini_ioi"]
    (tmp_path / "mini").mkdir()
    (tmp_path / "mini" / "ioi").write_text(SMALL, encoding="utf-8")
    assert cd.load("mini/ioi").circuits[0].name == "c"


def test_files_are_checked_and_planned(tmp_path: Path):
    file = tmp_path / "my.circuit"
    file.write_text(SMALL, encoding="utf-8")
    assert cd.plan(file).asked == cd.plan(cd.load(file)).asked > 0
    assert cd.check(str(file), unexplained=False).summary["error"] == 0


def test_readings_are_kept_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "usual_store", lambda: cd.Store.in_folder(tmp_path / "kept"))
    document = cd.load(text=SMALL)
    assert cd.check(document, store=False, unexplained=False).cost.kept == 0
    assert not (tmp_path / "kept").exists()
    assert cd.check(document, unexplained=False).cost.kept == 0
    assert cd.check(document, unexplained=False).cost.experiments == 0
    assert cd.Workbench().check(cd.plan(document, unexplained=False)).cost.experiments == 0
    assert cd.check(document, store=False, unexplained=False).cost.experiments > 0


# --- arguments -------------------------------------------------------------------------------------

WRONG: dict[str, tuple[Callable[[Any, Any, Any], object], str]] = {
    "engine": (lambda document, left, right: cd.check(document, engine="warp"), "no engine is called warp"),
    "screen": (lambda document, left, right: cd.check(document, screen="fp4"), "no screen is called fp4"),
    "precision": (lambda document, left, right: cd.check(document, dtype=cast(Any, "int4")), "no model runs in int4"),
    "device": (lambda document, left, right: cd.check(document, device="tpu"), "there is no device tpu here"),
    "one prompt": (lambda document, left, right: cd.check(document, prompts=1), "1 prompts cannot be measured on"),
    "no prompts": (lambda document, left, right: cd.check(document, prompts=0), "0 prompts cannot be measured on"),
    "half a prompt": (lambda d, left, right: cd.check(d, prompts=cast(Any, 2.5)), "2.5 prompts cannot be measured"),
    "memory": (lambda document, left, right: cd.check(document, memory=-1), "a number of bytes"),
    "a memory that is no number": (
        lambda document, left, right: cd.Workbench(memory=cast(Any, True)),
        "a memory of True bytes",
    ),
    "model": (lambda document, left, right: cd.check(document, cast(Any, 7)), "with its tokenizer, not as a int"),
    "model to load": (lambda d, left, right: cd.load(SHIPPED, model=cast(Any, 7)), "with its tokenizer, not as a int"),
    "nothing to load": (lambda document, left, right: cd.load(), "load takes files, or a text"),
    "both to load": (lambda document, left, right: cd.load(SHIPPED, text="circuit"), "load takes files, or a text"),
    "paths to check": (
        lambda document, left, right: cd.check(cast(Any, [SHIPPED])),
        "document or a file, not a list",
    ),
    "paths to plan": (lambda document, left, right: cd.plan(cast(Any, [SHIPPED])), "document or a file, not a list"),
    "numbers to compare": (
        lambda d, left, right: cd.compare(*cast(Any, (1, 2))),
        "compare takes two circuits or files, not 1",
    ),
    "numbers to compare in function": (
        lambda d, left, right: cd.compare_function(*cast(Any, (1, 2))),
        "compare_function takes two circuits or files, not 1",
    ),
    "numbers to tell apart": (
        lambda d, left, right: cd.diff(*cast(Any, (1, 2))),
        "diff takes two circuits or files, not 1",
    ),
    "numbers in an atlas": (
        lambda d, left, right: cd.atlas(*cast(Any, (1, 2, 3))),
        "atlas takes circuits or files, not 1",
    ),
    "numbers in a measured atlas": (
        lambda d, left, right: cd.measure_atlas(*cast(Any, (1, 2, 3))),
        "measure_atlas takes circuits or files, not 1",
    ),
    "a file of several circuits": (lambda d, left, right: cd.diff(PAIR[0], "planted/reuse"), "holds"),
    "align that is no pair": (lambda d, left, right: cd.compare(left, right, cast(Any, ["mover"])), "pairs of roles"),
    "one prompt each": (lambda d, left, right: cd.compare_function(left, right, prompts=1), "cannot be measured on"),
    "no such curve": (lambda d, left, right: cd.compare_function(left, right, kinds=cast(Any, ["x"])), "no curve is"),
    "no such engine": (lambda d, left, right: cd.compare_function(left, right, engine="warp"), "no engine is called"),
    "quoted per cent": (lambda d, left, right: cd.compare_function(left, right, quoted=78), "is no share"),
    "no such name": (lambda document, left, right: cd.explain("atention"), "nothing is called atention"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_say_what_and_what_to_do(case: str, spec: Path, pair: tuple[Any, Any]):
    call, says = WRONG[case]
    with pytest.raises(cd.InputError) as caught:
        call(cd.load(spec), *pair)
    assert says in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(("function", "right"), [(cd.compare_function, 1), (cd.measure_atlas, 2)])
def test_files_are_read_against_the_model_that_they_are_measured_on(
    function: Callable[..., object], right: int, tmp_path: Path
):
    files = []
    for name, head in (("a", "2.7"), ("b", "3.0"), ("c", "9.9")):
        files.append(tmp_path / f"{name}.circuit")
        body = f'model "no/where"\n  task ioi\n  role r at END {{ {head} }}'
        files[-1].write_text(f"circuit {name} {{\n  {body}\n}}", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        function(*files[:right], files[-1], model="mini", store=False)
    (found,) = caught.value.diagnostics
    assert (found.span.file, found.span.line, found.message) == (str(files[-1]), 4, "mini has no layer 9")


@pytest.mark.parametrize("function", [cd.compare, cd.compare_function, cd.diff])
@pytest.mark.parametrize(
    ("align", "code", "says"),
    [
        ([("nosuch", "mover")], "C203", "circuit planted_ioi has no role `nosuch`"),
        ([("mover", "nosuch")], "C203", "circuit planted_colored_objects has no role `nosuch`"),
        ([("mover", "mover"), ("mover", "backup_mover")], "C603", "role `mover` of planted_ioi is aligned twice"),
    ],
)
def test_roles_to_align_are_checked_as_those_of_a_compare_block(
    function: Callable[..., object], align: list[tuple[str, str]], code: str, says: str, pair: tuple[Any, Any]
):
    with pytest.raises(SpecError) as caught:
        function(*pair, align=align)
    assert [(each.code, each.message) for each in caught.value.diagnostics] == [(code, says)]
    assert caught.value.diagnostics[0].remedy

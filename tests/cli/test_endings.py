"""How a command ends where something is wrong that is nobody's specification: a model's files, the libraries that run
it, standard output, circuitdsl itself."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from command_line import run
from jsonschema import Draft202012Validator

import circuitdsl as cd
from circuitdsl.cli import main
from circuitdsl.engine.plain import engine as plain
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.models.folders import MINI
from circuitdsl.version import __version__
from models.folders_of_models import copied, with_weights

torch.set_num_threads(1)

SPEC = "circuit c {\n  model mini\n  task  ioi\n  method { prompts 20 }\n  expect logit_diff >= 0\n}\n"
SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    path = tmp_path / "my.circuit"
    path.write_text(SPEC, encoding="utf-8")
    return path


# --- a model ---------------------------------------------------------------------------------------


def test_2_where_a_model_is_not_what_it_says(spec, tmp_path):
    folder = with_weights(copied(tmp_path / "m"), lambda w: {key: w[key] for key in w if "h.2.mlp.c_fc" not in key})
    ended = run("check", spec, "--model", folder, "--no-unexplained")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: the weights of ") and "help: " in ended.err
    assert "transformer.h.2.mlp.c_fc.bias, transformer.h.2.mlp.c_fc.weight" in ended.err


def test_2_where_the_tokenizer_is_of_a_larger_model(spec, tmp_path):
    def fewer(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {key: value[:100].clone() if "wte" in key else value for key, value in weights.items()}

    folder = with_weights(copied(tmp_path / "m", vocab_size=100), fewer)
    ended = run("check", spec, "--model", folder, "--no-unexplained")
    assert (ended.code, ended.out) == (2, "")
    assert "knows only tokens below 100" in ended.err


@pytest.mark.parametrize("command", ["lint", "plan", "show"])
def test_2_for_a_configuration_that_makes_no_sense(spec, tmp_path, command):
    folder = copied(tmp_path / "m", n_head=0)
    ended = run(command, spec, "--model", folder)
    assert ended.code == 2
    assert "has none of num_attention_heads, n_head" in ended.out + ended.err


def test_2_for_a_number_of_5000_digits_in_prompts(tmp_path):
    (tmp_path / "my.jsonl").write_text('{"prompt": ' + "9" * 5000 + "}\n")
    path = tmp_path / "my.circuit"
    path.write_text(SPEC.replace("ioi", 'file("my.jsonl")'))
    ended = run("lint", path)
    assert ended.code == 2
    assert "line 1: a number of too many digits" in ended.out + ended.err


def test_the_report_says_why_the_plain_engine_ran(spec, tmp_path):
    folder = copied(tmp_path / "m", activation_function="tanh")
    shown = run("check", spec, "--model", folder, "--no-unexplained").out
    why = f"the plain engine runs {folder}: its activation function is tanh"
    assert f"note: {why}" in " ".join(shown.split()).replace("/ ", "/")
    data = json.loads(run("check", spec, "--model", folder, "--no-unexplained", "-f", "json").out)
    assert (data["engine"], data["notes"]) == ("plain", [why])
    assert not list(Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).iter_errors(data))
    assert json.loads(run("check", spec, "--no-unexplained", "-f", "json").out)["notes"] == []


# --- what runs it ------------------------------------------------------------------------------------


def test_4_where_a_library_cannot_run_the_model(spec, monkeypatch):
    """The bridge is given tokens of a type that Hugging Face's code cannot look up."""
    passes = PlainEngine._pass
    monkeypatch.setattr(PlainEngine, "_pass", lambda self, tokens, hooked: passes(self, tokens.float(), hooked))
    ended = run("check", spec, "--engine", "plain", "--no-unexplained")
    assert (ended.code, ended.out) == (4, "")
    assert ended.err.startswith("error: the model could not be run: ") and "help: " in ended.err


def test_4_where_memory_runs_out(spec, monkeypatch):
    def full(*given: object) -> None:
        raise MemoryError("12 GiB")

    monkeypatch.setattr(PlainEngine, "_pass", full)
    ended = run("check", spec, "--engine", "plain", "--no-unexplained")
    assert ended.code == 4
    assert "MemoryError: 12 GiB" in ended.err


def test_70_where_circuitdsl_is_wrong_with_a_file_to_report(spec, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(plain, "batch_of", None)
    ended = run("check", spec, "--engine", "plain", "--no-unexplained")
    assert (ended.code, ended.out) == (70, "")
    assert ended.err.startswith("error: circuitdsl itself went wrong: TypeError")
    assert "Traceback" not in ended.err and len(ended.err.splitlines()) == 2
    (file,) = tmp_path.glob("circuitdsl-mistake-*.txt")
    assert str(file) in ended.err
    written = file.read_text("utf-8")
    assert "Traceback" in written and str(spec) in written and __version__ in written


# --- standard output -----------------------------------------------------------------------------------


class Full(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("arguments", [["explain"], ["--help"], ["lint", "my.circuit"], ["--version"]])
@pytest.mark.parametrize("closed", [False, True])
def test_2_where_standard_output_takes_nothing(spec, monkeypatch, capsys, arguments, closed):
    monkeypatch.chdir(spec.parent)
    out = None if closed else io.TextIOWrapper(io.BufferedWriter(Full()), write_through=True)
    with (
        patch.object(sys, "argv", ["circuitdsl", *arguments]),
        patch.object(sys, "stdout", out),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert ended.value.code == 2
    reason = "it is closed" if closed else "No space left on device"
    assert capsys.readouterr().err.startswith(f"error: cannot write to standard output: {reason}\nhelp: ")
    if out is not None:
        with pytest.raises(OSError, match="No space"):
            out.close()


@pytest.mark.parametrize(
    ("begun", "arguments"),
    [
        ("check", ["check", "SPEC"]),
        ("sweep", ["sweep", "ioi"]),
        ("compare_function", ["diff", "specs/mini/ioi.circuit", "specs/mini/colored_objects.circuit", "--function"]),
    ],
)
def test_what_takes_long_does_not_begin_where_its_output_is_closed(spec, monkeypatch, capsys, begun, arguments):
    monkeypatch.setattr(cd, begun, lambda *given, **more: pytest.fail("it was begun"))
    arguments = [str(spec) if each == "SPEC" else each for each in arguments]
    with (
        patch.object(sys, "argv", ["circuitdsl", *arguments]),
        patch.object(sys, "stdout", None),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert ended.value.code == 2
    assert "cannot write to standard output" in capsys.readouterr().err


# --- no home -------------------------------------------------------------------------------------------


def test_a_user_without_a_home_is_told_what_to_name(spec, monkeypatch):
    def homeless(self: Path) -> Path:
        if str(self).startswith("~"):
            raise RuntimeError("Could not determine home directory.")
        return self

    for name in ("CIRCUITDSL_CACHE", "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "expanduser", homeless)
    assert run("lint", spec).code == 0
    assert run("lint", spec, "--model", "gpt2").code == 0
    assert run("check", spec, "--no-unexplained", "--no-cache", "--model", MINI).code == 0
    ended = run("check", spec)
    assert (ended.code, ended.out) == (2, "")
    assert "this user has none (HOME is not set)" in ended.err and "CIRCUITDSL_CACHE" in ended.err

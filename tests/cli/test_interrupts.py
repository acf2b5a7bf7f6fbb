"""Ctrl-C from the first line on: exit code 130, a word, no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import ROOT, environment, run

import circuitdsl as cd
import samples
from circuitdsl.check.interrupted import Interrupted
from circuitdsl.outcome import Report

SPEC = "circuit c {\n  model mini\n  task  ioi\n  method { prompts 20 }\n  expect logit_diff >= 0\n}\n"

# Holds the import of one module until it is interrupted, so that the moment is the same on every machine.
HOLD = """
import sys, time, runpy
class Hold:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            print("there", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Hold())
sys.argv = ["circuitdsl", *sys.argv[1:]]
runpy.run_module("circuitdsl", run_name="__main__", alter_sys=False)
"""


@pytest.mark.parametrize("module", ["circuitdsl.cli", "typer", "circuitdsl.api", "lark", "torch"])
def test_an_interrupt_of_an_import_is_met(module: str, tmp_path: Path):
    (tmp_path / "c.circuit").write_text(SPEC)
    command = [sys.executable, "-c", HOLD.format(module=module), "check", "--no-cache", "c.circuit"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd=tmp_path
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")


def test_the_script_begins_where_the_module_does():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert 'circuitdsl = "circuitdsl.__main__:main"' in text


@pytest.mark.parametrize("report_format", ["text", "json"])
def test_what_is_known_is_printed_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report_format: str):
    known = samples.report()

    def stopped(*arguments: object, **settings: object) -> Report:
        raise Interrupted(known)

    monkeypatch.setattr(cd.api, "check", stopped)
    (tmp_path / "c.circuit").write_text(SPEC)
    before = signal.getsignal(signal.SIGINT)
    ended = run("check", tmp_path / "c.circuit", "--cache-folder", tmp_path, "--format", report_format)
    assert ended.code == 130
    assert ended.err == "interrupted; what was measured is kept, and another check goes on from there\n"
    assert ("undecided" in ended.out) == (report_format == "text")
    assert signal.getsignal(signal.SIGINT) is before


def test_standard_output_is_written_by_its_name(tmp_path: Path):
    (tmp_path / "c.circuit").write_text(SPEC)
    command = [sys.executable, "-m", "circuitdsl", "lint", "c.circuit", "--output", "/dev/stdout"]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=tmp_path, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "nothing is wrong\n", "")
    assert sorted(os.listdir(tmp_path)) == ["c.circuit"]  # noqa: PTH208


EXECUTED = """
import runpy, sys
import circuitdsl as cd
import circuitdsl.cli.lint
STRING = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(5)"
cd.api.lint = lambda *arguments, **settings: exec(STRING)
sys.argv = ["circuitdsl", "lint", "c.circuit"]
runpy.run_module("circuitdsl", run_name="__main__")
"""


def test_an_interrupt_of_a_string_that_is_executed_is_met_as_any_other(tmp_path: Path):
    """Python remembers such an interrupt, and a module that is run by -m would end by the signal though it was met."""
    (tmp_path / "executed.py").write_text(EXECUTED)
    environ = environment(PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))
    command = [sys.executable, "-m", "executed"]
    ended = subprocess.run(command, capture_output=True, text=True, env=environ, check=False, timeout=120)
    assert (ended.returncode, ended.stderr) == (130, "interrupted\n")

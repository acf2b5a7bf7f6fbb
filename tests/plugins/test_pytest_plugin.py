"""``pytest circuits/``: a test a claim, in a process of its own that has the installed wheel and not these sources."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import circuitdsl as cd
from circuitdsl.pytest_plugin import claims_of, only

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parents[2]
# Plug-ins that are here for our own tests: one complains of settings, and others take longer to import than the plug-in
# takes to check a claim.
OURS = ("asyncio", "cacheprovider", "hypothesispytest", "jaxtyping", "pytest-lsp")
APART = tuple(word for name in OURS for word in ("-p", f"no:{name}"))
SPEC = """circuit my {
  model mini
  task  ioi
  method { prompts 12  reference 2 }
  role fetcher at END { 3.0  3.7 }
  edge fetcher -> logits : raises
  expect attention(fetcher, END -> S2) >= 40%
  expect attention(fetcher, END -> IO) >= 90% as looks_at_io
}
"""


@pytest.fixture
def ran(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, warm: tuple[str, ...], installed: Path):
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(pytester.path / "cache"))
    pytester.makefile(".circuit", my=SPEC)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return lambda *arguments: pytester.run(*warm, "-m", "pytest", *APART, *arguments)


def test_every_claim_is_a_test_and_one_that_fails_says_why(ran):
    result = ran("my.circuit", "-v", "-rs")
    result.assert_outcomes(passed=2, failed=1, skipped=2)
    result.stdout.fnmatch_lines(
        [
            "my.circuit::my:member 3.0 at END SKIPPED*",
            "my.circuit::my:edge fetcher -> logits PASSED*",
            "my.circuit::my:looks_at_io FAILED*",
            "*my.circuit:8: expect attention(fetcher, END -> IO) >= 90%",
            "fails: measured *, wants at least 90%",
            "try: *",
            "SKIPPED*my.circuit:5: undecided: measured *",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_the_plug_in_is_that_of_the_wheel(ran, installed: Path):
    ran("my.circuit", "--collect-only", "--trace-config").stdout.fnmatch_lines(
        [f"*circuitdsl-*at {installed}/circuitdsl/pytest_plugin.py*"]
    )


def test_one_is_selected_and_options_hold(ran):
    result = ran("my.circuit::my:member 3.0 at END", "--circuit-undecided", "fail", "--circuit-prompts", "10")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*my.circuit:5: role fetcher at END: 3.0 matters", "undecided: measured *"])


def test_what_is_wrong_in_a_file_is_told_when_it_is_collected(ran, pytester: pytest.Pytester):
    pytester.makefile(".circuit", wrong=SPEC.replace("S2", "S3"))
    result = ran("wrong.circuit")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*error?C401?: task ioi has no position `S3`*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_claims_that_are_not_selected_are_not_measured():
    document = cd.load("mini/ioi", "mini/colored_objects", "mini/reuse", "mini/repair")
    ids = [claim.id for claim in claims_of(document)]
    assert len(set(ids)) == len(ids) == 122
    assert [claim.id for claim in claims_of(only(document, ids))] == ids
    one = only(document, ["mini_ioi:edge lookup -> fetcher.v"])
    assert [claim.id for claim in claims_of(one)] == ["mini_ioi:edge lookup -> fetcher.v"]
    assert cd.plan(one, unexplained=False).asked < cd.plan(document, unexplained=False).asked / 5
    reused = only(document, [next(claim.id for claim in document.comparisons[0].claims)])
    assert not reused.circuits and {circuit.name for circuit in reused.used} >= {"mini_ioi", "mini_colored_objects"}


def test_it_loads_nothing_until_a_specification_is_collected():
    script = "import sys, circuitdsl.pytest_plugin; print({'torch', 'lark', 'scipy', 'rich'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert ended.stdout == "set()\n"


def test_the_workflow_runs_as_a_shell_script(tmp_path: Path, warm: tuple[str, ...]):
    """All its steps but those that install, on a repository with one specification."""
    workflow = yaml.safe_load((ROOT / "docs" / "github-actions.yml").read_text(encoding="utf-8"))
    steps = [step for step in workflow["jobs"]["claims"]["steps"] if "run" in step]
    assert [step["name"] for step in steps[:1]] == ["install"] and len(steps) == 3
    (tmp_path / "circuits").mkdir()
    claims = "\n".join(line for line in SPEC.splitlines() if "looks_at_io" not in line and "role" not in line)
    text = claims.replace("edge fetcher -> logits : raises", "edge { 3.0 3.7 } at END -> logits : raises")
    text = text.replace("attention(fetcher,", "attention({ 3.0 3.7 } at END,")
    (tmp_path / "circuits" / "my.circuit").write_text(text, encoding="utf-8")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, module in (("pytest", f"pytest {' '.join(APART)}"), ("circuitdsl", "circuitdsl")):
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.join(warm)} -m {module} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((str(programs), os.environ["PATH"])),
        "PYTHONPATH": str(ROOT),
        "CIRCUITDSL_CACHE": str(tmp_path / "cache"),
    }
    environment.pop("PYTEST_ADDOPTS", None)
    keep = "circuitdsl check circuits/*.circuit --format json --output circuits/kept.json"
    for script in (keep, *(step["run"] for step in steps[1:])):
        command = ["bash", "-e", "-c", script]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    assert all((tmp_path / name).is_file() for name in ("claims.xml", "drift.xml", "report.json", "report.html"))

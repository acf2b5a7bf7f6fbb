"""How the benchmark asks public implementations: what they are given, and what is said when they do not answer."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cases import CASES
from benchmarks.models import SHAPES, model_of, prompts_of
from benchmarks.peers import Missing, Peers, _code, _is_a_path, _path, asked_of
from circuitdsl.components import Head
from circuitdsl.engine.batch import tokens_at
from circuitdsl.measures.experiments import Ablated, Patched

PROMPTS = prompts_of(2, 16, SHAPES["tiny"].vocabulary)


@pytest.fixture(scope="module")
def geometry():
    return model_of("tiny").geometry


def test_which_cases_path_patching_can_express(geometry):
    cases = {name for name, case in CASES.items() if all(map(_is_a_path, case.worlds(geometry)))}
    assert cases == {"a", "a-total", "b", "d", "e"}


@pytest.mark.parametrize("case", ["a", "a-total", "b", "d"])
def test_a_path_as_path_patching_is_given_it(case, geometry):
    receivers = {"a": 0, "a-total": 0, "b": 3, "d": 1}[case]
    for world in CASES[case].worlds(geometry):
        path = _path(world, PROMPTS[0])
        assert isinstance(world, Ablated | Patched)
        (sender,) = world.nodes if isinstance(world, Ablated) else world.senders
        assert isinstance(world, Ablated) == (case == "a-total")
        assert isinstance(sender.component, Head)
        assert path["sender"] == [sender.component.layer, sender.component.index]
        assert (path["token"],) == tokens_at(PROMPTS[0], sender.position)
        assert len(path["receivers"]) == receivers
        assert path["recomputed"] == (case == "a-total")


def test_a_python_without_what_the_peer_needs(tmp_path, warm):
    """One that has torch already, and is not given the options by which a peer is kept apart from a user's packages."""
    (tmp_path / "path_patching.py").write_text("", encoding="utf-8")
    python = tmp_path / "python"
    without_options = 'test "$1 $2 $3" = "-I -W ignore" && shift 3'
    python.write_text(f'#!/bin/sh\n{without_options}\nexec {shlex.join(warm)} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    peers = Peers(python=python, path_patching=tmp_path)
    answer = asked_of("path_patching", tmp_path, "path_patching.py", "tiny", PROMPTS, {"sweeps": {}}, peers)
    assert isinstance(answer, Missing)
    assert answer.reason.startswith("could not run: ImportError: ")  # HookedTransformer left TransformerLens in 4.0
    assert "HookedTransformer" in answer.reason


def test_code_comes_from_a_folder_or_from_a_bare_repository(tmp_path):
    tree = tmp_path / "tree"
    (tree / "src" / "eap").mkdir(parents=True)
    (tree / "src" / "eap" / "graph.py").write_text("NAME = 'graph'\n", encoding="utf-8")
    assert _code(tree, "src/eap", tmp_path / "unused") == tree / "src"

    def git(*arguments):
        who = ["-c", "user.name=someone", "-c", "user.email=some@one"]
        subprocess.run(["git", "-C", str(tree), *who, *arguments], check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "eap")
    code = _code(tree / ".git", "src/eap", tmp_path / "code")
    assert isinstance(code, Path)
    assert (code / "eap" / "graph.py").read_text(encoding="utf-8") == "NAME = 'graph'\n"


def test_a_repository_without_the_peer_is_named(tmp_path):
    peers = Peers(python=Path(sys.executable), eap_ig=tmp_path)
    answer = asked_of("eap_ig", tmp_path, "src/eap", "tiny", PROMPTS, {}, peers)
    assert answer == Missing(f"{tmp_path} is neither a folder with src/eap nor a git repository that holds it")

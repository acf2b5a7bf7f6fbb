"""A package that adds one of everything is installed, and used from the command line with nothing changed in ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from circuitdsl.models.folders import MINI

PACKAGE = Path(__file__).parent / "example_package"
SPEC = PACKAGE / "everything.circuit"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
OF_THE_FAMILY = """circuit small {{
  model "{folder}"
  task  two_friends
  method {{
    prompts 12
  }}
  expect logit_diff >= -1000
}}
"""


@pytest.fixture(scope="module")
def with_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package is installed into, built with what is there: nothing is downloaded."""
    pytest.importorskip("hatchling")
    target = tmp_path_factory.mktemp("installed")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--target", str(target))
    subprocess.run([*PIP, "install", *options, str(PACKAGE)], check=True, timeout=240)
    return target


def run(*arguments: str, beside: Path | None, python: tuple[str, ...] = (sys.executable, "-m", "circuitdsl")):
    """A command with this package, and what is installed in ``beside``."""
    paths = [str(beside) if beside else "", os.environ.get("PYTHONPATH", ""), str(Path(__file__).parents[2])]
    return subprocess.run(
        [*python, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "HF_HUB_OFFLINE": "1"},
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def of_the_family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A specification for an OLMo of one layer and random weights, with mini's tokenizer."""
    folder = tmp_path_factory.mktemp("olmo")
    for file in MINI.glob("*token*.json"):
        shutil.copy(file, folder)
    words, width, wide = 1000, 32, 48
    config = {"model_type": "olmo", "architectures": ["OlmoForCausalLM"], "vocab_size": words, "hidden_size": width}
    config |= {"num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": wide, "pad_token_id": 0}
    config |= {"max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 1}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    shapes = {"model.embed_tokens": (words, width), "lm_head": (words, width)}
    shapes |= {f"model.layers.0.self_attn.{letter}_proj": (width, width) for letter in "qkvo"}
    shapes |= {f"model.layers.0.mlp.{which}_proj": (wide, width) for which in ("gate", "up")}
    shapes |= {"model.layers.0.mlp.down_proj": (width, wide)}
    rng = np.random.default_rng(0)
    weights = {f"{name}.weight": rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    spec = folder / "small.circuit"
    spec.write_text(OF_THE_FAMILY.format(folder=folder.as_posix()), encoding="utf-8")
    return spec


def test_what_it_adds_is_listed_and_explained(with_package: Path):
    listed = run("tasks", beside=with_package)
    assert "two_friends" in listed.stdout and "Two friends: one of them is named again" in listed.stdout
    explained = run("explain", "error_rate", beside=with_package)
    assert "Share of prompts whose top token at END is not the answer." in explained.stdout
    assert "0% to 100%" in explained.stdout


def test_a_claim_on_all_that_it_adds_is_checked(with_package: Path, of_the_family: Path, warm: tuple[str, ...]):
    options = ("--engine", "frugal", "--format", "tsv", "--no-unexplained")
    command = ("check", str(SPEC), str(of_the_family), *options)
    found = run(*command, beside=with_package, python=(*warm, "-m", "circuitdsl"))
    assert found.returncode == 0, found.stdout + found.stderr
    header, *rows = (tuple(line.split("\t")) for line in found.stdout.splitlines())
    assert header == ("claim", "verdict", "text")
    assert [(verdict, text) for _, verdict, text in rows] == [
        ("holds", "expect error_rate <= 80%"),
        ("holds", "expect knockout(writer) <= -10%"),
        ("holds", "expect logit_diff >= -1000"),
        ("holds", "expect logit_diff - baseline <= -1"),
    ]


def test_a_circuit_of_its_format_is_imported_and_exported(with_package: Path, tmp_path: Path):
    (tmp_path / "found.json").write_text("[[3, 0], [3, 2]]")
    spec = tmp_path / "found.circuit"
    options = ("--model", "mini", "--task", "ioi", "-o", str(spec))
    found = run("import", str(tmp_path / "found.json"), *options, beside=with_package)
    assert (found.returncode, found.stderr) == (0, "")
    assert "role nodes { 3.0  3.2 }" in spec.read_text(encoding="utf-8")
    written = run("export", str(spec), "--format", "pairs", beside=with_package)
    assert json.loads(written.stdout) == [[3, 0], [3, 2]]


def test_what_it_adds_is_planned_and_formatted_without_torch(with_package: Path):
    code = (
        "import sys; from circuitdsl.cli import main\n"
        "try: main()\n"
        "finally: print([name for name in ('torch', 'transformers') if name in sys.modules], file=sys.stderr)"
    )
    planned = run("plan", str(SPEC), beside=with_package, python=(sys.executable, "-c", code))
    assert (planned.returncode, planned.stderr.strip()) == (0, "[]")
    assert "turned" in planned.stdout
    assert run("fmt", "--check", str(SPEC), beside=with_package).returncode == 0


def test_without_it_the_same_specification_is_refused():
    found = run("lint", str(SPEC), beside=None)
    assert found.returncode == 2
    assert "attn" in found.stdout + found.stderr

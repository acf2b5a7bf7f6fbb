"""``circuitdsl attribute``: what it prints and writes, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from command_line import run

torch.set_num_threads(1)

SPEC = "features/brackets:brackets_features"


def test_features_are_printed_and_written_as_json(tmp_path: Path):
    ended = run("attribute", SPEC, "--prompts", 20, "--threshold", 0.2)
    assert (ended.code, ended.err) == (0, "")
    assert "attribution of" in ended.out and "at END" in ended.out and "decides nothing" in ended.out
    ended = run("attribute", SPEC, "--prompts", 20, "--format", "json", "-o", tmp_path / "a.json")
    assert (ended.code, ended.out) == (0, "")
    data = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert (data["schema"], data["prompts"], data["threshold"]) == ("circuitdsl/attribution/1", 20, 0.1)
    assert data["features"] and data["errors"]


def test_wrong_arguments_are_told():
    for arguments, said in (
        (["mini/ioi"], "declares no dictionary"),
        (["nowhere.circuit"], "nowhere.circuit"),
        ([SPEC, "--threshold", "nan"], "the threshold nan"),
    ):
        ended = run("attribute", *arguments)
        assert ended.code == 2 and said in ended.err and "Traceback" not in ended.err

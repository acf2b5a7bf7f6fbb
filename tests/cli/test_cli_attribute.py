"""``circuitdsl attribute``: what it prints and writes, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from command_line import run
from jsonschema import Draft202012Validator

torch.set_num_threads(1)

ROOT = Path(__file__).parents[2]
SPEC = "features/brackets:brackets_features"


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    described = json.loads((ROOT / "docs" / "attribution.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(described)
    return Draft202012Validator(described)


def test_features_are_printed_and_written_as_json(tmp_path: Path, schema: Draft202012Validator):
    ended = run("attribute", SPEC, "--prompts", 20, "--threshold", 0.2)
    assert (ended.code, ended.err) == (0, "")
    assert "attribution of" in ended.out and "at END" in ended.out and "decides nothing" in ended.out
    ended = run("attribute", SPEC, "--prompts", 20, "--format", "json", "-o", tmp_path / "a.json")
    assert (ended.code, ended.out) == (0, "")
    data = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert (data["schema"], data["prompts"], data["threshold"]) == ("circuitdsl/attribution/1", 20, 0.1)
    assert data["features"] and data["errors"]
    schema.validate(data)
    data["features"][0]["share"] = "most"
    assert not schema.is_valid(data) and not schema.is_valid(data | {"more": 1})


def test_an_infinite_threshold_is_null_in_json(schema: Draft202012Validator):
    ended = run("attribute", SPEC, "--prompts", 6, "--threshold", "inf", "--format", "json")
    assert (ended.code, ended.err) == (0, "")
    data = json.loads(ended.out)
    schema.validate(data)
    assert data["threshold"] is None and data["features"] == [] and data["errors"]


def test_wrong_arguments_are_told():
    for arguments, said in (
        (["mini/ioi"], "declares no dictionary"),
        (["nowhere.circuit"], "nowhere.circuit"),
        ([SPEC, "--threshold", "nan"], "the threshold nan"),
    ):
        ended = run("attribute", *arguments)
        assert ended.code == 2 and said in ended.err and "Traceback" not in ended.err

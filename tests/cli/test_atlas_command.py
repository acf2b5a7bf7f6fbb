"""``circuitdsl diff`` of three circuits or more: the page, the data, the picture, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch
from command_line import run
from jsonschema import Draft202012Validator

torch.set_num_threads(1)

SCHEMA = Path(__file__).parents[2] / "docs" / "atlas.schema.json"
SPEC = """circuit names {
  model planted-reuse
  task ioi
  method { prompts 12  reference 2 }
  role inhibition at END { 2.2 }
}
circuit movers {
  model planted-reuse
  task ioi
  method { prompts 12  reference 2 }
  role mover at END { 3.2 4.0 5.1 5.3 }
}
circuit nothing {
  model planted-reuse
  task ioi
  method { prompts 12  reference 2 }
}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    path = tmp_path / "three.circuit"
    path.write_text(SPEC, encoding="utf-8")
    return path


def valid(text: str) -> dict:
    described = json.loads(SCHEMA.read_text("utf-8"))
    Draft202012Validator.check_schema(described)
    found = json.loads(text)
    Draft202012Validator(described).validate(found)
    return found


def test_on_paper(spec: Path, tmp_path: Path):
    others = ("specs/planted/ioi.circuit", "specs/planted/colored_objects.circuit")
    ended = run("diff", f"{spec}:movers", *others)
    assert ended.code == 0, ended.err
    assert "3 circuits of planted-reuse" in ended.out
    assert "What they share" in ended.out and "Pair by pair" in ended.out and "Kept alone" not in ended.out
    found = valid(run("diff", f"{spec}:movers", *others, "--format", "json").out)
    assert found["function"] is None and len(found["pairs"]) == 3
    drawn = run("diff", f"{spec}:movers", *others, "--svg", tmp_path / "a.svg")
    assert (drawn.code, drawn.out) == (0, "")
    assert ET.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")


def test_in_function(spec: Path, tmp_path: Path):
    specs = [f"{spec}:{name}" for name in ("names", "movers", "nothing")]
    ended = run("diff", *specs, "--function", "--svg", tmp_path / "a.svg")
    assert ended.code == 0, ended.err
    for said in ("Kept alone", "Knocked out", "nothing on names's task: it lists nothing", "names no heads"):
        assert said in ended.out
    labels = [each.text for each in ET.parse(tmp_path / "a.svg").iter() if each.tag.endswith("text")]
    assert sum("%" in str(label) for label in labels) >= 8  # of four cells, kept alone and knocked out
    found = valid(run("diff", *specs, "--function", "--format", "json").out)
    cells = {(cell["circuit"], cell["task"]): cell for cell in found["function"]["cells"]}
    assert len(cells) == 9
    assert cells["movers", "names"]["knockout"]["value"] < -0.5
    assert cells["nothing", "names"]["knockout"]["value"] is None
    assert found["function"]["cost"]["experiments"] == 0  # all in the store


def test_what_is_of_two_circuits_is_refused(spec: Path):
    for option in (("--align", "a ~ b"), ("--curve", "c.svg"), ("--quoted", "78%"), ("--exit-code",)):
        ended = run("diff", f"{spec}:names", f"{spec}:movers", f"{spec}:nothing", *option)
        assert ended.code == 2 and "are of two circuits" in ended.err
    twice = run("diff", f"{spec}:names", f"{spec}:names", f"{spec}:movers")
    assert twice.code == 2 and "given twice" in twice.err
    apart = run("diff", spec, "specs/mini/ioi.circuit", "specs/mini/colored_objects.circuit", "--function")
    assert apart.code == 2 and "only within one model" in apart.err

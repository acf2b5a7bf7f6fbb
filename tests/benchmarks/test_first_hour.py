"""The jobs of docs/first-hour.md: each has its command there, and what it writes can be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import circuitdsl as cd
from benchmarks.first_hour import CAPITALS, GUESS, JOBS, OWN, TEXTS, WRONG, capitals
from circuitdsl.language.environment import TaskRef
from circuitdsl.tasks import open_task

DOCS = Path(__file__).parents[2] / "docs" / "first-hour.md"


def test_every_job_has_its_command_in_the_docs():
    said = DOCS.read_text("utf-8")
    assert all(f"python -m benchmarks.first_hour {job} " in said for job in JOBS)


def test_the_prompts_are_a_file_in_which_nothing_is_wrong(tmp_path: Path):
    lines = list(capitals())
    path = tmp_path / "capitals.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    info = open_task(TaskRef("file", (("", str(path)),))).info
    assert info.templates == len(TEXTS) and "COUNTRY" in {position.name for position in info.positions}
    assert len(lines) == len(CAPITALS) * len(TEXTS)
    for line in lines:
        (wrong,) = (country for country, capital in CAPITALS.items() if [f" {capital}"] == line["wrong"])
        assert wrong != line["item"]
        assert line["counterfactuals"]["other"] == line["prompt"].replace(line["item"], wrong)


@pytest.mark.parametrize("text", [GUESS, OWN, WRONG])
def test_the_specifications_can_be_read(text: str):
    assert cd.load(text=text, model="mini").circuits

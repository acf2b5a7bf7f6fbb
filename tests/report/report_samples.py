"""The sample report of tests/samples.py with a real comparison in it, and the schema that reports obey."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

import samples
from circuitdsl.compare.structure import Structure, compare
from circuitdsl.outcome import Report

ROOT = Path(__file__).parents[2]

LEFT = samples.circuit(
    "left", {"mover": "9.6 9.9 at END", "early": "0.1 at S2"}, ["early -> mover.q", "mover -> logits"]
)
RIGHT = samples.circuit("right", {"mover": "9.6 8.1 at END", "late": "11.10 at END"}, ["mover -> logits"])


def structure() -> Structure:
    return compare(LEFT, RIGHT)


def report() -> Report:
    """Every verdict, variants, parts, controls, a comparison and an intervention."""
    return samples.report(structure())


def drawn_rows(chart: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a layer of a chart, as Vega-Lite has them."""
    return chart["datasets"][layer["data"]["name"]]


def schema() -> Draft202012Validator:
    return Draft202012Validator(json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8")))

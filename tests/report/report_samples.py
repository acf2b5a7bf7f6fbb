"""The sample report of tests/samples.py with a real comparison in it, and the schema that reports obey."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from jsonschema import Draft202012Validator

import samples
from circuitdsl.compare.curve import Curve, Effects, curve
from circuitdsl.compare.structure import Structure, compare
from circuitdsl.components import Head
from circuitdsl.judge.bootstrap import Bootstrap
from circuitdsl.judge.estimates import NOTHING, Estimate
from circuitdsl.judge.units import Origin, units_of
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.comparisons import PARTS, SIDES
from circuitdsl.measures.experiments import Data
from circuitdsl.outcome import Cell, Dissociation, Function, FunctionalComparison, Report

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


def estimate(value: float) -> Estimate:
    return Estimate(value, value - 0.05, value + 0.05)


HEADS = tuple(Head(layer, index) for layer in range(4) for index in range(5))


def curve_of_two() -> Curve:
    """An overlap curve with a quoted overlap."""
    generator = np.random.default_rng(0)
    common = generator.normal(size=(1, 1, 20))
    left, right = (
        Effects(Data(TaskRef(name), 0, False), ("logits",), common + generator.normal(size=(30, 1, 20)))
        for name in ("a", "b")
    )
    bootstrap = Bootstrap(lambda sample: units_of([Origin("one", i) for i in range(len(sample.columns))], {}))
    return curve("direct", ("first", "second"), HEADS, left, right, bootstrap, 0.95, 5, quoted=0.75)


def functional_of_two() -> FunctionalComparison:
    """Two circuits on each other's tasks, with a part that has no heads."""
    shape = samples.geometry(4, 5, "mini")
    left = samples.circuit("first", {"mover": "2.0 2.4 at END"}, shape=shape)
    right = samples.circuit("second", {"mover": "2.0 3.1 at END"}, shape=shape)
    cells = tuple(
        Cell(part, side, 0, NOTHING, NOTHING, "no heads")
        if part == "left only"
        else Cell(part, side, 2, estimate(0.8), estimate(-0.6))
        for part in PARTS
        for side in SIDES
    )
    dissociation = Dissociation(
        estimate(0.3), estimate(0.2), estimate(0.2), estimate(0.25), "double", estimate(0.01), 20, 1 / 21
    )
    function = Function("first", "second", ("ioi", "colored_objects"), cells, dissociation, ("a note",))
    return FunctionalComparison(compare(left, right), function, (curve_of_two(),))

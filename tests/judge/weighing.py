"""Measurements of made-up columns, weighed without a model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from circuitdsl.judge.units import Origin, Units, units_of
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.estimands import Estimand, average
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import Array, Measurement, Sample

DATA = Data(TaskRef("ioi"), 0, False)


@cache
def in_templates(count: int, templates: int = 1) -> Units:
    """Independent prompts of templates that take turns."""
    return units_of([Origin(str(i % templates), i) for i in range(count)], {})


def measured(*columns: Array | Sequence[float], estimand: Estimand | None = None, **fields) -> Measurement:
    sample = Sample(DATA, np.stack([np.asarray(each, dtype=float) for each in columns], axis=1))
    return Measurement((sample,), estimand or average(), **fields)


def weighed(*columns: Array | Sequence[float], units: Units | None = None, templates: int = 1, **fields) -> Weighed:
    return Weighed(measured(*columns, **fields), (units or in_templates(len(columns[0]), templates),))

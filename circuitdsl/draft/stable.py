"""Consensus: how often a sender is found again on resampled prompts, and with twice the floor.

What was read of the finding prompts is resampled by units, and the rule of entry applied anew to every sender of a
stage; no model is run. A stage is taken as it was: what an earlier stage would have missed is not followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from circuitdsl.check.bench import Bench
from circuitdsl.draft.entry import Rule, of_any
from circuitdsl.draft.search import Stage, Tried
from circuitdsl.judge.bootstrap import resample
from circuitdsl.judge.units import Array, Units
from circuitdsl.judge.verdicts import p_value
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.circuit import Bound
from circuitdsl.measures.measurement import Measurement

RESAMPLES = 20

_HOPELESS = 0.5
"""A sender with a larger p-value than this is not tested again: it counts as p = 1."""


def stable(stage: Stage, rule: Rule, floor: float, bench: Bench, seed: int) -> Stage:
    """The stage, whose ``fed`` know how often they are found again."""
    if not stage.fed:
        return stage
    (sample,) = stage.tried[0][0].measured.samples
    units = bench.units(sample)
    generator = np.random.default_rng([seed, 20])
    worth = [g for g in stage.tried if rule.kind == "top" or any((t.p_value or 0.0) <= _HOPELESS for t in g)]
    counts = np.zeros((2, len(worth)))
    for _ in range(RESAMPLES):
        chosen, drawn = resample(units, generator)
        weighed = [[_on(each, chosen, drawn) for each in group] for group in worth]
        for row, least in enumerate((floor, 2 * floor)):
            counts[row] += _again(weighed, rule, least, stage)
    shares = {(t.sender, t.way.into): tuple(counts[:, place] / RESAMPLES) for place, (t, *_) in enumerate(worth)}
    fed = tuple(
        replace(each, again=float(again), at_double=float(double))
        for each in stage.fed
        for again, double in [shares[each.sender, each.into]]
    )
    return replace(stage, fed=fed)


def _on(tried: Tried, chosen: np.ndarray, units: Units) -> Weighed:
    """A sender's figure on drawn prompts."""
    (sample,) = tried.measured.samples
    drawn = replace(sample, columns=sample.columns[chosen])
    return Weighed(Measurement((drawn,), tried.measured.estimand), (units,))


def _again(weighed: Sequence[Sequence[Weighed]], rule: Rule, floor: float, stage: Stage) -> Array:
    """Which senders enter, with a floor, [senders] of ones and zeros."""
    bound = Bound("outside", -floor, floor)
    sizes = [max(abs(each.value) for each in group) for group in weighed]
    p_values = [of_any([p_value(each, bound) for each in group], stage.questions) for group in weighed]
    enters, _ = rule.entering(p_values, sizes, stage.senders)
    return np.array([enter and size > floor for enter, size in zip(enters, sizes, strict=True)], dtype=np.float64)

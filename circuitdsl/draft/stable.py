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
from circuitdsl.draft.search import Stage
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
    (sample,) = stage.groups[0].together.samples if stage.groups else stage.tried[0][0].measured.samples
    units = bench.units(sample)
    generator = np.random.default_rng([seed, 20])
    worth = [g for g in stage.tried if rule.kind == "top" or any((t.p_value or 0.0) <= _HOPELESS for t in g)]
    counts, of_groups = np.zeros((2, len(worth))), np.zeros((2, len(stage.groups)))
    for _ in range(RESAMPLES):
        chosen, drawn = resample(units, generator)
        weighed = [[_on(each.measured, chosen, drawn) for each in group] for group in worth]
        groups = [_on(group.together, chosen, drawn) for group in stage.groups]
        for row, least in enumerate((floor, 2 * floor)):
            counts[row] += _again(weighed, rule, least, stage)
            of_groups[row] += [_is_beyond(each, least, rule) for each in groups]
    shares = {((t.sender,), t.way.into): tuple(counts[:, place]) for place, (t, *_) in enumerate(worth)}
    shares |= {(g.nodes, g.members[0].way.into): tuple(of_groups[:, place]) for place, g in enumerate(stage.groups)}
    fed = tuple(
        replace(each, again=float(again) / RESAMPLES, at_double=float(double) / RESAMPLES)
        for each in stage.fed
        for again, double in [shares[each.together or (each.sender,), each.into]]
    )
    return replace(stage, fed=fed)


def _is_beyond(weighed: Weighed, floor: float, rule: Rule) -> bool:
    """Whether a group, with its members, is beyond a floor as one, by itself."""
    p = p_value(weighed, Bound("outside", -floor, floor))
    return p is not None and p <= rule.share


def _on(measured: Measurement, chosen: np.ndarray, units: Units) -> Weighed:
    """A figure on drawn prompts."""
    (sample,) = measured.samples
    drawn = replace(sample, columns=sample.columns[chosen])
    return Weighed(Measurement((drawn,), measured.estimand), (units,))


def _again(weighed: Sequence[Sequence[Weighed]], rule: Rule, floor: float, stage: Stage) -> Array:
    """Which senders enter, with a floor, [senders] of ones and zeros."""
    bound = Bound("outside", -floor, floor)
    sizes = [max(abs(each.value) for each in group) for group in weighed]
    p_values = [of_any([p_value(each, bound) for each in group], stage.questions) for group in weighed]
    enters, _ = rule.entering(p_values, sizes, stage.senders)
    return np.array([enter and size > floor for enter, size in zip(enters, sizes, strict=True)], dtype=np.float64)

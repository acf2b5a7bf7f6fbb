"""The overlap of two tasks' heads at every threshold, with chance below it and the ceiling above it.

"78% of the heads are shared" depends on how many heads are taken. Here each task takes its strongest ``count`` heads,
for every ``count`` there is. Where effects are had in stages (a path patching from every receiver of the circuit),
each stage takes its ``count`` strongest and a task's heads are those of all stages together, as Merullo et al. 2024
take the top 2% at each stage.

Nothing is measured here: these are functions of effects [prompts, stages, heads] (``sweeps`` measures them).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from circuitdsl.compare.chance import chance
from circuitdsl.components import Head
from circuitdsl.judge.bootstrap import Bootstrap
from circuitdsl.judge.estimates import NOTHING, Estimate
from circuitdsl.judge.evidence import ranks
from circuitdsl.judge.verdicts import interval
from circuitdsl.measures.comparisons import Kind
from circuitdsl.measures.estimands import ratio
from circuitdsl.measures.experiments import Data
from circuitdsl.measures.measurement import Array, CannotMeasure, Sample

IntArray = NDArray[np.intp]

NEGLIGIBLE = 1e-4
"""A head whose mean effect is below this share of the strongest one's has none (rounding), and is never taken."""

RESAMPLES = 200
"""How often prompts are resampled for the ceiling, of which the first half is compared with the second, and for the
rank correlation."""

QUOTED_TO = 0.005
"""Shares are quoted in whole per cent: an estimate that rounds to the quoted one is the quoted one."""


@dataclass(frozen=True)
class Effects:
    """What patching or ablating each head changes, prompt by prompt: ``changes`` [prompts, stages, heads].

    ``data`` says which prompts they are; ``notes`` what a reader should know of how they were had.
    """

    data: Data
    stages: tuple[str, ...]
    changes: Array
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Point:
    """Both tasks' strongest ``count`` heads (of each stage) side by side.

    ``share`` is ``count`` as a share of all heads, ``left`` and ``right`` how many heads that makes, ``shared`` how
    many of them are the same. ``overlap`` is ``shared`` over the smaller of the two, as are all that follow: ``chance``
    is what independent placement within layers is expected to give and ``p_value`` its probability of as many or
    more; ``low`` and ``high`` hold the overlaps of resampled prompts at the curve's confidence. ``ceiling_left`` and
    ``ceiling_right`` are the mean overlaps of a task with itself, its heads taken twice from resampled prompts.
    ``least_left`` and ``least_right``: the effect of the weakest head taken, in units of the metric; None for stages.
    """

    count: int
    share: float
    left: int
    right: int
    shared: int
    overlap: float
    chance: float
    p_value: float
    low: float
    high: float
    ceiling_left: float
    ceiling_right: float
    least_left: float | None
    least_right: float | None

    @property
    def ceiling(self) -> float:
        """What two tasks with the same heads could be expected to reach: the less certain task's own."""
        return min(self.ceiling_left, self.ceiling_right)

    def to_dict(self) -> dict[str, object]:
        return {**vars(self), "ceiling": self.ceiling}


@dataclass(frozen=True)
class Curve:
    """The overlap at every threshold until no head is left that has an effect.

    ``correlation`` is Spearman's between the two tasks' strengths of all heads. ``quoted`` is a share that somebody
    quotes, and ``arises`` the counts at which the curve has it or crosses it.
    """

    kind: Kind
    left: str
    right: str
    heads: int
    points: tuple[Point, ...]
    correlation: Estimate
    confidence: float
    quoted: float | None
    arises: tuple[int, ...]
    notes: tuple[str, ...]

    def at(self, count: int) -> Point:
        """The point of a count; beyond the last one no head is left to take. KeyError without any point."""
        for point in reversed(self.points):
            if point.count <= count:
                return point
        raise KeyError(count)

    def to_dict(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "left": self.left,
            "right": self.right,
            "heads": self.heads,
            "confidence": self.confidence,
            "correlation": self.correlation.to_dict(),
            "quoted": self.quoted,
            "arises": list(self.arises),
            "points": [point.to_dict() for point in self.points],
            "notes": list(self.notes),
        }


def curve(
    kind: Kind,
    names: tuple[str, str],
    heads: Sequence[Head],
    left: Effects,
    right: Effects,
    bootstrap: Bootstrap,
    confidence: float,
    population: int,
    quoted: float | None = None,
) -> Curve:
    """The curve of two tasks' effects of the same ``heads``, of layers with ``population`` heads each.

    Raises CannotMeasure if no head has an effect on one of the tasks.
    """
    means = [mean_changes(each, bootstrap) for each in (left, right)]
    again = [resampled(each, bootstrap) for each in (left, right)]
    entries = [entry(each) for each in means]
    most = [int(each[each <= len(heads)].max(initial=0)) for each in entries]
    if not all(most):
        raise CannotMeasure(f"no head has an effect on {names[most.index(0)]}: there is nothing to rank")
    points = tuple(_points(heads, means, again, confidence, population, max(most)))
    return Curve(
        kind=kind,
        left=names[0],
        right=names[1],
        heads=len(heads),
        points=points,
        correlation=correlation(means, again, confidence),
        confidence=confidence,
        quoted=quoted,
        arises=arises([point.overlap for point in points], quoted) if quoted is not None else (),
        notes=tuple(dict.fromkeys(left.notes + right.notes)),
    )


# --- strengths and thresholds ----------------------------------------------------------------------


def strength(means: Array) -> Array:
    """How strong heads are, from mean changes [..., stages, heads]: the largest over stages of each one's share of the
    strongest head's, [..., heads] from 0 to 1; exactly 0 where it is negligible."""
    return relative(means).max(axis=-2)


def relative(means: Array) -> Array:
    """Sizes of mean changes as shares of the strongest head's of the stage; 0 where negligible."""
    sizes = np.abs(means)
    shares = np.nan_to_num(ratio(sizes, sizes.max(axis=-1, keepdims=True)))
    return np.where(shares < NEGLIGIBLE, 0.0, shares)


def entry(means: Array) -> IntArray:
    """The smallest count at which each head is taken, [..., heads], from mean changes [..., stages, heads].

    It is the head's rank in the stage that ranks it highest, the first of equals first; one more than there are heads
    where it has no effect in any stage.
    """
    shares = relative(means)
    order = np.argsort(-shares, axis=-1, kind="stable")
    ranks = np.argsort(order, axis=-1) + 1
    return np.where(shares > 0, ranks, means.shape[-1] + 1).min(axis=-2)


def taken(entries: IntArray, most: int) -> IntArray:
    """How many heads have entered at the counts 1, 2, ..., ``most``: [..., most]."""
    return (entries[..., None] <= np.arange(1, most + 1)).sum(axis=-2)


def overlaps(left: IntArray, right: IntArray, most: int) -> Array:
    """Shared heads over the smaller side's at the counts 1, 2, ..., ``most``; entries [..., heads] of both sides.

    0 where a side has no head at all.
    """
    shared = taken(np.maximum(left, right), most)
    smaller = np.minimum(taken(left, most), taken(right, most))
    return np.nan_to_num(ratio(shared.astype(np.float64), smaller.astype(np.float64)))


def arises(overlap: Sequence[float], quoted: float) -> tuple[int, ...]:
    """The counts (1 first) at which the overlap rounds to the quoted share or has just jumped over it."""

    def rounds(value: float) -> bool:
        return abs(value - quoted) <= QUOTED_TO

    def jumps(before: float, now: float) -> bool:
        return not rounds(before) and (before - quoted) * (now - quoted) < 0

    steps = enumerate(pairwise([*overlap[:1], *overlap]), start=1)
    return tuple(count for count, (before, now) in steps if rounds(now) or jumps(before, now))


def correlation(means: Sequence[Array], again: Sequence[Array], confidence: float) -> Estimate:
    """Spearman's rank correlation between two tasks' strengths of all heads.

    From both tasks' mean changes [stages, heads], and the same of resampled prompts [resamples, stages, heads].
    """
    left, right = means
    found = ranks((strength(left), strength(right)), (strength(again[0]), strength(again[1])))
    return interval(found, confidence) if found else NOTHING


def mean_changes(effects: Effects, bootstrap: Bootstrap) -> Array:
    """What each head's patch changes on average: [stages, heads]."""
    sample = _sample(effects)
    return bootstrap.units_of(sample).mean(sample.columns).reshape(effects.changes.shape[1:])


# --- points ----------------------------------------------------------------------------------------


def _points(
    heads: Sequence[Head],
    means: Sequence[Array],
    resamples: Sequence[Array],
    confidence: float,
    population: int,
    most: int,
) -> Iterator[Point]:
    ours, theirs = map(entry, means)
    our_again, their_again = map(entry, resamples)
    overlap = overlaps(ours, theirs, most)
    again = overlaps(our_again, their_again, most)
    low, high = np.quantile(again, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    ceilings = [ceiling(each, most) for each in (our_again, their_again)]
    least = [_least(each, most) for each in means]
    sizes = taken(ours, most), taken(theirs, most), taken(np.maximum(ours, theirs), most)
    for i in range(most):
        expected = chance(
            *(Counter(h.layer for h, at in zip(heads, each, strict=True) if at <= i + 1) for each in (ours, theirs)),
            population=population,
            observed=int(sizes[2][i]),
        )
        yield Point(
            count=i + 1,
            share=(i + 1) / len(heads),
            left=int(sizes[0][i]),
            right=int(sizes[1][i]),
            shared=int(sizes[2][i]),
            overlap=float(overlap[i]),
            chance=expected.expected / int(min(sizes[0][i], sizes[1][i])),
            p_value=expected.p_value,
            low=float(low[i]),
            high=float(high[i]),
            ceiling_left=float(ceilings[0][i]),
            ceiling_right=float(ceilings[1][i]),
            least_left=least[0][i],
            least_right=least[1][i],
        )


def resampled(effects: Effects, bootstrap: Bootstrap) -> Array:
    """Mean changes on resampled prompts, [resamples, stages, heads]."""
    means = bootstrap.means(_sample(effects))[:RESAMPLES]
    return means.reshape(len(means), *effects.changes.shape[1:])


def ceiling(entries: IntArray, most: int) -> Array:
    """The mean overlap of one task with itself at every count, its heads taken from independent resamples [n, heads]
    of its prompts: half of them against the other half."""
    half = len(entries) // 2
    return overlaps(entries[:half], entries[half : 2 * half], most).mean(axis=0)


def _least(means: Array, most: int) -> list[float | None]:
    """The effect of the weakest head taken at each count: None for stages, whose effects are not comparable."""
    if len(means) > 1:
        return [None] * most
    sizes = np.abs(means[0])
    entries = entry(means)
    return [float(sizes[entries <= count].min()) for count in range(1, most + 1)]


def _sample(effects: Effects) -> Sample:
    return Sample(effects.data, effects.changes.reshape(len(effects.changes), -1))

"""What is counted of many judgements, and how sure a share of them is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from scipy import stats

from benchmarks.truth.judging import Judged
from circuitdsl.judge.estimates import Verdict

LEVELS = (0.001, 0.01, 0.05, 0.1)
"""At which p-values of a null hypothesis that is true are counted."""


def none_yet() -> list[int]:
    return [0] * len(LEVELS)


@dataclass
class Counts:
    """Judgements of one claim with its bound at the truth; ``+`` adds those of other samples.

    ``at_least`` and ``at_most`` are claims of these kinds: with the bound just beyond the truth they are false, and may
    not hold; just this side of it they are true, and may not fail. ``p_at_least`` and ``p_at_most`` count the p-values
    of the false ones up to each of ``LEVELS``.
    """

    samples: int = 0
    errors: int = 0
    covered: int = 0
    unbounded: int = 0
    width: float = 0.0  # the sum over samples whose interval has two ends
    undecided: int = 0  # of the two false claims
    false_holds_at_least: int = 0
    false_holds_at_most: int = 0
    false_fails_at_least: int = 0
    false_fails_at_most: int = 0
    p_values: int = 0
    p_at_least: list[int] = field(default_factory=none_yet)
    p_at_most: list[int] = field(default_factory=none_yet)

    def __add__(self, other: Counts) -> Counts:
        both = {each.name: _sum(getattr(self, each.name), getattr(other, each.name)) for each in fields(self)}
        return Counts.from_dict(both)

    def add(self, truth: float, false: tuple[Judged, Judged], true: tuple[Judged, Judged]) -> None:
        """Count a sample: the judgements of "at least" and "at most", each false by a hair, and each true by a hair."""
        self.samples += 1
        if any(each.verdict is Verdict.ERROR for each in (*false, *true)):
            self.errors += 1
            return
        low, high = false[0].low, false[0].high
        slack = hair(truth)
        self.covered += low - slack <= truth <= high + slack
        if math.isfinite(high - low):
            self.width += high - low
        else:
            self.unbounded += 1
        self.undecided += sum(each.verdict is Verdict.UNDECIDED for each in false)
        self.false_holds_at_least += false[0].verdict is Verdict.HOLDS
        self.false_holds_at_most += false[1].verdict is Verdict.HOLDS
        self.false_fails_at_least += true[0].verdict is Verdict.FAILS
        self.false_fails_at_most += true[1].verdict is Verdict.FAILS
        self.p_values += 1
        _count(false[0].p_value, self.p_at_least)
        _count(false[1].p_value, self.p_at_most)

    @property
    def judged(self) -> int:
        """Samples in which there was something to judge."""
        return self.samples - self.errors

    def to_dict(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Counts:
        """What ``to_dict`` gave."""
        return cls(**written)


def hair(truth: float) -> float:
    """How far a bound is put beyond the truth: more than rounding, less than any interval is wide."""
    return 1e-9 * max(1.0, abs(truth))


def _sum(left: Any, right: Any) -> Any:
    return [a + b for a, b in zip(left, right, strict=True)] if isinstance(left, list) else left + right


def _count(p_value: float | None, found: list[int]) -> None:
    for place, level in enumerate(LEVELS):
        found[place] += p_value is not None and p_value <= level


def exact_limits(number: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's limits of a share; (0, 1) of nothing."""
    if of == 0:
        return 0.0, 1.0
    interval = stats.binomtest(number, of).proportion_ci(confidence, method="exact")
    return float(interval.low), float(interval.high)


def error_of(share: float, of: int) -> float:
    """The standard error of a share of so many independent samples."""
    return math.sqrt(share * (1 - share) / of) if of else math.nan


def total(several: Sequence[Counts]) -> Counts:
    """All of them together."""
    return sum(several, Counts())

"""Which senders of a stage enter a draft: by a test of each, corrected for all, or as the largest of all; and which are
surely within the floor, so that they are measured no further."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from circuitdsl.judge.evidence import FEWEST
from circuitdsl.judge.race import MISS
from circuitdsl.judge.verdicts import broken, false_discovery
from circuitdsl.judge.weigh import Weighed
from circuitdsl.language.circuit import Bound
from circuitdsl.measures.estimands import Mean, Ratio


@dataclass(frozen=True)
class Rule:
    """``fdr``: the share of false ones among those that enter a stage is at most ``share``, on average; a false one is
    a sender whose effect is within the floor. ``top``: the ``share`` of the senders with the largest effects enters, at
    least one (Merullo et al. 2024), whether they are told from nothing or not.
    """

    kind: Literal["fdr", "top"]
    share: float

    def __str__(self) -> str:
        if self.kind == "top":
            return f"the {100 * self.share:.4g}% of a stage's senders with the largest effects (Merullo et al. 2024)"
        return f"false discovery rate {100 * self.share:.4g}% of a stage's senders (Benjamini and Hochberg)"

    def entering(
        self, p_values: Sequence[float | None], sizes: Sequence[float | None], number: int
    ) -> tuple[list[bool], list[float | None]]:
        """Which of some senders enter, and their adjusted p-values.

        ``number`` is how many senders the stage has, those that were not measured among them: as they lie where nothing
        comes in, they count as p = 1. None is what could not be measured.
        """
        adjusted = false_discovery(p_values, number)
        if self.kind == "fdr":
            return [p is not None and p <= self.share for p in adjusted], adjusted
        known = [(-size, place) for place, size in enumerate(sizes) if size]
        chosen = {place for _, place in sorted(known)[: max(1, round(self.share * number))]}
        return [place in chosen for place in range(len(sizes))], adjusted


def of_any(p_values: Iterable[float | None], questions: int) -> float | None:
    """The p-value of a sender of which the same was asked in so many ways, of each counterfactual: the smallest,
    corrected for their number (Bonferroni). What was not measured counts as p = 1; None if nothing was.

    >>> of_any([0.01, None, 0.4], 3), of_any([0.5], 3), of_any([None], 1)
    (0.03, 1.0, None)
    """
    known = [p for p in p_values if p is not None]
    return min(1.0, questions * min(known)) if known else None


@dataclass(frozen=True)
class Nothing:
    """Tells which effects are surely within the floor, on few prompts, at one of so many ``looks``.

    An effect is a share of F, and a few prompts may hardly tell F from zero that tell an effect from the floor. So the
    change of the metric is tested in its own unit against ``least``: the floor's share of the lower end of F's interval
    on all finding prompts. F is below that end as often as half of what the method's confidence leaves (2.5%), and what
    reaches the floor is found to be within ``least`` with a probability of ``MISS`` / 2 at most, all looks together: of
    two one-sided tests (Schuirmann 1987) one alone can be wrong.
    """

    least: float
    looks: int

    def __call__(self, weighed: Weighed) -> bool:
        evidence = weighed.evidence_of(_changed(weighed))
        if self.least <= 0 or evidence is None or (weighed.fewest < FEWEST and not evidence.exact):
            return False
        return broken(Bound("outside", -self.least, self.least), evidence) <= MISS / 2 / self.looks


def change(weighed: Weighed) -> float:
    """By how much an effect changes the metric, in its own unit."""
    return float(_changed(weighed).value(weighed.means))


def _changed(weighed: Weighed) -> Mean:
    effect = weighed.measurement.estimand
    assert isinstance(effect, Ratio), "effects are shares of F"
    return Mean(effect.over)

"""Which senders of a stage enter a draft: by a test of each, corrected for all, or as the largest of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from circuitdsl.judge.verdicts import false_discovery


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

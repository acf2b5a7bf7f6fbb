"""A figure prompt by prompt, as reports keep it, so that it can be set against the same figure of another model."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

MOST = 512
"""Of so many prompts at most is kept what each says."""

SURE = 0.9999
"""The confidence of the ``ends`` that are kept."""


@dataclass(frozen=True)
class Asked:
    """Prompts in their order: a digest of all that is said in each, and what ``Units`` says of them.

    ``units`` [prompts] and ``strata`` [units] count from zero; ``weights`` [prompts] are how much each prompt counts.
    """

    digests: tuple[str, ...]
    units: tuple[int, ...]
    strata: tuple[int, ...]
    weights: tuple[float, ...]

    def begin(self, count: int) -> tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...]]:
        """Of the first prompts their digests, the first prompt of each one's unit, and that of its unit's stratum."""
        strata = (self.strata[unit] for unit in self.units[:count])
        return self.digests[:count], _firsts(self.units[:count]), _firsts(strata)

    @cached_property
    def key(self) -> str:
        """What a report calls them: a digest of all of it."""
        return hashlib.sha256(repr(self.to_dict()).encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, str]:
        """Words with blanks between them: as lists they would take a line a prompt."""
        return {
            "digests": " ".join(self.digests),
            "units": " ".join(map(str, self.units)),
            "strata": " ".join(map(str, self.strata)),
            "weights": " ".join(f"{weight:.7g}" for weight in self.weights),
        }


def _firsts(labels: Iterable[int]) -> tuple[int, ...]:
    """Where each label stood first: the same for two ways to number the same parts."""
    seen: dict[int, int] = {}
    return tuple(seen.setdefault(label, place) for place, label in enumerate(labels))


@dataclass(frozen=True)
class Singles:
    """What each of the first prompts adds to a figure: its weighted mean over all prompts is the figure, to first order
    where that is no mean.

    ``values`` [prompts]; ``limits`` are the least and the greatest that there can be, None where there are none, or
    where the figure is no mean. ``needed`` is the p-value of what must not be so for the figure to mean anything (its
    denominator is zero). ``looks`` are the numbers of prompts at which it may have been judged; none: once.
    ``several``: the figure is the largest or smallest of so many, and is that of place ``taken`` among them, from zero.
    ``ends`` are those of its interval at ``SURE`` then, None where one is open: an interval of several figures does not
    widen with its confidence as that of one does.
    """

    prompts: Asked
    values: array[float]
    limits: tuple[float, float] | None = None
    needed: float = 0.0
    looks: tuple[int, ...] = ()
    several: int = 1
    taken: int = 0
    ends: tuple[float | None, float | None] | None = None

    def to_dict(self) -> dict[str, object]:
        """With the key under which the report has its prompts."""
        return {
            "prompts": self.prompts.key,
            "values": " ".join(f"{value:.9g}" for value in self.values),
            "limits": None if self.limits is None else list(self.limits),
            "needed": self.needed,
            "looks": list(self.looks),
            "several": self.several,
            "taken": self.taken,
            "ends": None if self.ends is None else list(self.ends),
        }


def alike(old: Singles, new: Singles) -> bool:
    """Whether two reports begin with the same prompts, in the same units and strata."""
    count = min(len(old.values), len(new.values))
    return old.prompts.begin(count) == new.prompts.begin(count)

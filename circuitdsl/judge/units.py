"""What of some prompts is independent of what: units that are drawn by themselves, in strata, with their weights.

A mean over prompts weighs every template as the task does: equally, or by its share of a file's lines. Within a
template all prompts count the same. Prompts that say the same thing in several templates (one item), that are copies of
each other, or whose ablated values come from the same part of the reference are one unit: they vary together.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
IntArray = NDArray[np.intp]


class Origin(NamedTuple):
    """Where a prompt is from: its template, its item (equal for prompts that are not independent of each other), and
    the group of reference prompts that its ablated values come from, "" where there are none. ``named``: somebody gave
    the item its name, so that more prompts of it may follow."""

    template: str
    item: Hashable
    group: str = ""
    named: bool = False


@dataclass(frozen=True)
class Turns:
    """In which order prompts came. All of it is of the first prompts, and stays true when more follow.

    Templates take turns: ``templates`` is their number, 0 while none has come again. The first ``whole`` prompts are
    turns of all templates, and the first ``alone`` are independent draws.
    """

    templates: int = 0
    whole: int = 0
    alone: int = 0

    def begun(self, first: int) -> bool:
        """Whether the first prompts are more than a turn of independent draws, and came in turns.

        Then each turn is a draw whose mean over templates is what is estimated, whatever came before. Later copies of
        a prompt are draws too.
        """
        return 0 < self.templates < first <= self.alone and first - self.whole < self.templates


@dataclass(frozen=True)
class Units:
    """Units of some prompts.

    ``weights`` [prompts] sum to one; ``unit`` [prompts] is the unit that each prompt belongs to, and ``stratum``
    [units] the stratum that each unit is drawn from, both counted from zero. ``turns`` is the order in which they came;
    ``template`` [prompts] the template of each, counted from zero, None where nobody asks for a part of them.
    """

    weights: Array
    unit: IntArray
    stratum: IntArray
    turns: Turns = Turns()
    template: IntArray | None = None

    def __len__(self) -> int:
        return len(self.stratum)

    @cached_property
    def shares(self) -> Array:
        """The weight of each unit, [units]."""
        return np.bincount(self.unit, self.weights, len(self)).astype(np.float64)

    @cached_property
    def single(self) -> bool:
        """Whether every unit is one prompt and all count the same."""
        return len(self) == len(self.unit) and bool(np.allclose(self.weights, self.weights[0], rtol=1e-9))

    @cached_property
    def sizes(self) -> IntArray:
        """The number of units in each stratum."""
        return np.bincount(self.stratum)

    @cached_property
    def squares(self) -> IntArray:
        return self.sizes**2

    @cached_property
    def spares(self) -> IntArray:
        return np.maximum(self.sizes - 1, 1)

    @cached_property
    def triples(self) -> IntArray:
        return np.maximum((self.sizes - 1) * (self.sizes - 2), 1)

    def mean(self, columns: Array) -> Array:
        """Weighted mean over prompts: [prompts, ...] -> [...]."""
        return np.tensordot(self.weights, columns, axes=(0, 0))

    def values(self, column: Array) -> Array:
        """Each unit's own mean: [prompts] -> [units]."""
        return np.bincount(self.unit, self.weights * column, len(self)) / self.shares

    def residuals(self, columns: Array) -> Array:
        """What each unit adds to the mean beyond what its stratum's mean would: [prompts, columns] -> [units, columns].

        The variance of a mean is the sum of their squares, each stratum of m units times m / (m - 1).
        """
        sums = np.zeros((len(self), columns.shape[1]))
        np.add.at(sums, self.unit, self.weights[:, None] * columns)
        strata = np.zeros((len(self.sizes), columns.shape[1]))
        np.add.at(strata, self.stratum, sums)
        means = strata / np.bincount(self.stratum, self.shares)[:, None]
        return sums - self.shares[:, None] * means[self.stratum]

    def part(self, keep: NDArray[np.bool_]) -> Units:
        """The units of some of the prompts, [prompts] of truth values. Each of their templates keeps its share."""
        used, unit = np.unique(self.unit[keep], return_inverse=True)
        _, stratum = np.unique(self.stratum[used], return_inverse=True)
        weights, template = self.weights[keep], None
        if self.template is not None:
            template = self.template[keep]
            shares, counts = np.bincount(self.template, self.weights), np.bincount(template)
            weights = shares[template] / counts[template]
        return Units(weights / weights.sum(), unit, _collapsed(stratum), template=template)


def units_of(origins: Sequence[Origin], shares: Mapping[str, float]) -> Units:
    """The units of prompts, and how much each prompt counts.

    ``shares`` gives templates their share of the population; without it those that there are count equally. A template
    that no prompt has is left out, and the others share what it had.

    >>> units = units_of([Origin("a", 1), Origin("a", 2), Origin("b", 3)], {})
    >>> units.weights.tolist(), len(units)
    ([0.25, 0.25, 0.5], 3)
    """
    templates, template, counts = np.unique([o.template for o in origins], return_inverse=True, return_counts=True)
    share = np.array([shares.get(str(name), 0.0) if shares else 1.0 for name in templates])
    weights = (share / counts)[template]
    unit = _numbered(_joined(origins))
    # A unit is drawn from the templates that it has prompts of: all of them, where every item is written in each.
    seen: list[set[int]] = [set() for _ in range(int(unit.max()) + 1)]
    for each, which in zip(unit.tolist(), template.tolist(), strict=True):
        seen[each].add(which)
    stratum = _numbered([tuple(sorted(some)) for some in seen])
    turns = _turns(origins, template.tolist(), bool(shares))
    return Units(weights / weights.sum(), unit, _collapsed(stratum), turns, template.astype(np.intp))


def _turns(origins: Sequence[Origin], templates: Sequence[int], shared: bool) -> Turns:
    """``templates`` is the template of each prompt. Where their shares are those of a file's lines, whose copies are
    no draws, nothing counts as independent."""
    turn = _distinct(templates)
    if turn == len(templates):
        return Turns()
    whole = turn
    while sorted(templates[whole : whole + turn]) == sorted(templates[:turn]):
        whole += turn
    bound = next((place for place, origin in enumerate(origins) if origin.named or origin.group), len(origins))
    return Turns(turn, whole, 0 if shared else min(bound, _distinct([origin.item for origin in origins])))


def _distinct(labels: Sequence[Hashable]) -> int:
    """How many of them there are before the first that came before."""
    seen = set[Hashable]()
    for label in labels:
        if label in seen:
            break
        seen.add(label)
    return len(seen)


def _joined(origins: Sequence[Origin]) -> list[int]:
    """A label for each prompt, the same where prompts share an item, or a template's group of the reference."""
    parents = list(range(len(origins)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    firsts: dict[Hashable, int] = {}
    for place, origin in enumerate(origins):
        for key in (("item", origin.item), ("group", origin.group) if origin.group else None):
            if key is not None:
                parents[root(place)] = root(firsts.setdefault(key, place))
    return [root(place) for place in range(len(origins))]


def _numbered(labels: Sequence[Hashable]) -> IntArray:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.intp)


def _collapsed(stratum: IntArray) -> IntArray:
    """Strata of at least two units. One with a single unit says nothing of its spread, so that all such make one
    (collapsed strata); where only one unit is left over like that, everything is one stratum.

    >>> _collapsed(np.array([0, 1, 1, 2])).tolist()
    [1, 0, 0, 1]
    """
    sizes = np.bincount(stratum)
    alone = sizes[stratum] == 1
    if alone.sum() == 1:
        return np.zeros_like(stratum)
    labels = np.where(alone, -1, stratum)
    _, numbered = np.unique(labels, return_inverse=True)
    # Those that stand alone come last.
    return (numbered - 1) % (int(numbered.max()) + 1) if alone.any() else numbered

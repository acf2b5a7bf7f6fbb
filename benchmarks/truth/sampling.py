"""Samples of a pool of prompts, drawn as a task's own stream is: templates take turns, prompts are independent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from circuitdsl.measures.experiments import Data, Experiment
from circuitdsl.measures.measurement import Array

Places = NDArray[np.intp]


@dataclass(frozen=True)
class Record:
    """What the judge may know of a prompt besides its readings: its template, its item ("" for one of its own), and the
    part of the reference that its ablated values come from ("" where there is none)."""

    template: str
    item: str = ""
    group: str = ""


@dataclass(frozen=True)
class Pool:
    """Readings of all prompts of a pool, [prompts] each, and a record of every prompt."""

    columns: Mapping[Experiment, Array]
    records: Mapping[Data, tuple[Record, ...]]

    def whole(self) -> Drawn:
        """All prompts, once each, in the order of the pool."""
        return Drawn(self, {data: np.arange(len(some)) for data, some in self.records.items()})

    def draw(self, count: int, generator: np.random.Generator) -> Drawn:
        """``count`` prompts of each task.

        They are drawn with replacement, so that the pool is the population, and its figures are the truth.
        """
        return Drawn(self, {data: places(some, count, generator) for data, some in self.records.items()})


@dataclass(frozen=True)
class Drawn:
    """Prompts of a pool in the order in which they were drawn."""

    pool: Pool
    places: Mapping[Data, Places]

    def first(self, count: int) -> Drawn:
        """The first ``count`` of them."""
        return Drawn(self.pool, {data: places[:count] for data, places in self.places.items()})

    def records(self, data: Data) -> tuple[Record, ...]:
        """A prompt that was drawn twice is two prompts, each an item of its own."""
        some = self.pool.records[data]
        drawn = ((draw, place, some[place]) for draw, place in enumerate(self.places[data].tolist()))
        return tuple(Record(r.template, f"{r.item or place} in draw {draw}", r.group) for draw, place, r in drawn)

    def run(self, experiments: Sequence[Experiment]) -> dict[Experiment, Array]:
        """The readings of the drawn prompts, in place of a session's ``run``."""
        return {each: self.pool.columns[each][self.places[each.data]] for each in experiments}


def places(records: Sequence[Record], count: int, generator: np.random.Generator) -> Places:
    """Where ``count`` drawn prompts stand. Templates take turns in a random order, a new one each turn."""
    templates = np.array([record.template for record in records])
    members = [np.flatnonzero(templates == name) for name in np.unique(templates)]
    turns = (members[each] for _ in range(count) for each in generator.permutation(len(members)))
    return np.array([generator.choice(some) for some in islice(turns, count)], dtype=np.intp)

"""What has been answered so far, batch by batch, with the plain engine's rules for failures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from circuitdsl.engine.base import Keep, keep_nothing
from circuitdsl.engine.guard import is_guarded, unchanged
from circuitdsl.measures.experiments import Experiment, Reading, World
from circuitdsl.measures.measurement import Array, Failure


@dataclass
class Taken:
    """What was read of some worlds of a batch, and why something could not be."""

    values: list[tuple[World, Reading, Array]] = field(default_factory=list[tuple[World, Reading, Array]])
    unread: list[tuple[World, Reading, Failure]] = field(default_factory=list[tuple[World, Reading, Failure]])

    def add(self, world: World, reading: Reading, values: Array) -> None:
        """A batch's readings, [prompts]."""
        self.values.append((world, reading, values))

    def refuse(self, world: World, reading: Reading, reason: Exception) -> None:
        """A reading cannot be taken."""
        self.unread.append((world, reading, Failure(str(reason))))


class Answers:
    """Readings of several experiments on the same data.

    A world that cannot be made fails all its experiments; a reading that cannot be taken fails that one. A world whose
    patch changed nothing on any batch fails too. ``batches`` is how many there are; ``keep`` is told of what has been
    read of all of them.
    """

    def __init__(self, experiments: Iterable[Experiment], batches: int = 1, keep: Keep = keep_nothing):
        self._batches, self._keep = batches, keep
        self._experiments: dict[tuple[World, Reading], Experiment] = {(e.world, e.reading): e for e in experiments}
        self._pieces: dict[tuple[World, Reading], list[Array]] = {key: [] for key in self._experiments}
        self._unread: dict[tuple[World, Reading], Failure] = {}
        self._untold: dict[tuple[World, Reading], Failure] = {}
        self._unmade: dict[World, Failure] = {}
        self._changed: set[World] = {world for world, _ in self._experiments if not is_guarded(world)}

    def open(self) -> dict[World, list[Reading]]:
        """Worlds that have not failed, with their readings."""
        found: dict[World, list[Reading]] = {}
        for world, reading in self._experiments:
            if world not in self._unmade:
                found.setdefault(world, []).append(reading)
        return found

    def add(self, taken: Taken) -> None:
        """What was read of some worlds."""
        for world, reading, values in taken.values:
            self._pieces[world, reading].append(values)
        unread = {(world, reading): why for world, reading, why in taken.unread}
        self._unread |= unread
        self._untold |= unread

    def unchanged(self, world: World) -> bool:
        """Whether the world's patch must change something and has changed nothing so far."""
        return world not in self._changed

    def changed(self, worlds: Iterable[World]) -> None:
        """The patches of these worlds changed something."""
        self._changed |= {*worlds}

    def unmade(self, world: World, reason: Exception) -> None:
        """A world cannot be made."""
        self._unmade[world] = Failure(str(reason))

    def hand_on(self, worlds: Iterable[World]) -> None:
        """Have the readings of these worlds kept, as far as there are no more batches to come."""
        wanted = {*worlds} & self._changed
        finished = {
            experiment: np.concatenate(self._pieces[world, reading])
            for (world, reading), experiment in self._experiments.items()
            if world in wanted and len(self._pieces[world, reading]) == self._batches
        }
        if finished:
            self._keep(finished)

    def failures(self) -> dict[Experiment, Failure]:
        """What is known to have failed; of one batch, where no other can change it."""
        self._untold = {}
        found = {experiment: self._failure(*key) for key, experiment in self._experiments.items()}
        return {experiment: failure for experiment, failure in found.items() if failure}

    def further_failures(self) -> dict[Experiment, Failure]:
        """Readings that could not be taken since failures were last asked for."""
        untold, self._untold = self._untold, {}
        return {self._experiments[key]: failure for key, failure in untold.items()}

    def results(self) -> dict[Experiment, Array | Failure]:
        """The readings of all batches, one array [prompts] an experiment, or why there are none."""
        return {experiment: self._result(*key) for key, experiment in self._experiments.items()}

    def _result(self, world: World, reading: Reading) -> Array | Failure:
        return self._failure(world, reading) or np.concatenate(self._pieces[world, reading])

    def _failure(self, world: World, reading: Reading) -> Failure | None:
        if world in self._unmade:
            return self._unmade[world]
        if world not in self._changed:
            return unchanged(world)
        return self._unread.get((world, reading))

"""What the engine that was asked for leaves to the plain one, for the notes of a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from circuitdsl.engine.base import engines
from circuitdsl.engine.plain import PLAIN
from circuitdsl.errors import listed
from circuitdsl.plan.job import Started


def left_to_plain(jobs: Iterable[Started], engine: str) -> Iterator[str]:
    """A note, if the engine of this name runs something of these jobs' first questions by the plain one; none of an
    engine that no registry has under its own name."""
    if engine not in engines():
        return
    declines = engines()[engine].declines
    worlds = dict.fromkeys(experiment.world for job in jobs for experiment in job.experiments)
    found = sorted({reason for world in worlds if (reason := declines(world))})
    if found and engine != PLAIN.name:
        yield f"the plain engine runs {listed(found, 8)}: the {engine} engine does not cover that"

"""The workers of one model: one on each node of a cluster, or one for each of its GPUs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from circuitdsl.engine.cluster.executor import Ended, answer_of, connected
from circuitdsl.engine.cluster.places import Place, start, usable
from circuitdsl.engine.cluster.worker import Call, Found, Known, Refused, Wanted, Worker
from circuitdsl.engine.steps import Part
from circuitdsl.errors import InputError, RunError
from circuitdsl.version import RUNNING, versions

MOST_STARTS = 3
"""So often a worker is started on a node, or on each of its GPUs."""


@dataclass(eq=False)
class Placed:
    """A worker at its place: its actor, the steps that it was given, and how many it has run."""

    place: Place
    actor: Any
    flying: dict[Any, Part] = field(default_factory=dict)
    ran: int = 0


@dataclass
class Workers:
    """Workers are started on all nodes at once and are used as they become ready; a node that joins gets one too.

    ``ray`` is the library, connected; where its cluster is lost, all that asks it for something raises RunError.
    ``lost`` names the nodes whose workers ended at work, ``why`` says how the last one did. ``refused`` are nodes that
    have something else than the others, by their number in Ray, with their names and what was wrong; ``taken`` counts
    the GPUs that other jobs have.
    """

    ray: Any
    wanted: Wanted
    ready: list[Placed] = field(default_factory=list, init=False)
    lost: list[str] = field(default_factory=list, init=False)
    known: Known | None = field(default=None, init=False)
    why: str = field(default="", init=False)
    refused: dict[str, tuple[str, InputError]] = field(default_factory=dict, init=False)
    taken: int = field(default=0, init=False)
    _opening: dict[Any, Placed] = field(default_factory=dict, init=False)
    _started: dict[Place, int] = field(default_factory=dict, init=False)

    def first(self) -> Known:
        """What the model is, as soon as one worker has opened it. Raises InputError where none can."""
        self.place()
        while self.known is None:
            self._wait(())
        return self.known

    def all(self) -> Sequence[Placed]:
        """Every worker, once none is still opening its model. Raises InputError."""
        self.place()
        while self._opening:
            self._wait(())
        return tuple(self.ready)

    def place(self) -> None:
        """Start workers on nodes that have none. Raises InputError where there is nothing to start them on."""
        have = [each.place for each in (*self.ready, *self._opening.values())]
        free, self.taken = usable(self.ray, self.wanted.device, begun=bool(self._started))
        for place in free:
            if place.node not in self.refused and place not in have and self._started.get(place, 0) < MOST_STARTS:
                self._start(place)

    def _start(self, place: Place) -> None:
        wanted = replace(self.wanted, device="cpu" if place.gpu is None else self.wanted.device)
        placed = Placed(place, start(self.ray, Worker, place, wanted, place.threads))
        with connected(self.ray):
            self._opening[placed.actor.open.remote()] = placed
        self._started[place] = self._started.get(place, 0) + 1

    def put(self, call: Call) -> Any:
        """Have a call where all workers can fetch it."""
        with connected(self.ray):
            return self.ray.put(call)

    def hand(self, placed: Placed, call: Any, number: int, part: Part) -> None:
        """Give some steps of a call to a worker."""
        with connected(self.ray):
            placed.flying[placed.actor.run.remote([call], number, part)] = part

    def next(self) -> Iterator[tuple[Part, Found | None]]:
        """The steps of which there is news: what they found, or None for each that is lost with its worker.

        Nothing where workers have become ready meanwhile. Raises InputError and RunError as workers do.
        """
        flying = {ref: placed for placed in self.ready for ref in placed.flying}
        for ref in self._wait(flying):
            placed = flying[ref]
            if placed not in self.ready:  # lost with what was just looked at
                continue
            found = self._got(ref, placed)
            if found is None:
                self._lose(placed)
                yield from ((part, None) for part in placed.flying.values())
            else:
                part = placed.flying.pop(ref)
                placed.ran += part.stop - part.first
                yield part, found

    def facts_in(self, dtype: str) -> Any:
        """As Worker.facts_in, of any of them; None where none is left."""
        for placed in tuple(self.ready):
            with connected(self.ray):
                asked = placed.actor.facts_in.remote(dtype)
            found = self._answer(asked)
            if not isinstance(found, Ended):
                return found
            self._lose(placed)
        return None

    def forget(self) -> None:
        """What workers were given is of no interest any more."""
        for placed in self.ready:
            placed.flying.clear()

    def close(self) -> None:
        """End all workers, whatever they are doing. Those of a cluster that is lost end by themselves."""
        for placed in (*self.ready, *self._opening.values()):
            self._end(placed)
        self.ready.clear()
        self._opening.clear()
        self._started.clear()

    def _end(self, placed: Placed) -> None:
        # Where its cluster is lost it ends by itself, and what it ends for is to be told.
        with suppress(Exception), connected(self.ray):
            self.ray.kill(placed.actor)

    def _lose(self, placed: Placed) -> None:
        self.ready.remove(placed)
        self.lost.append(placed.place.host)
        self.place()
        self._require_some()

    def _require_some(self) -> None:
        if self.ready or self._opening:
            return
        errors = [error for _, error in self.refused.values()]
        if errors and not self.why:
            raise errors[-1]
        why = "; ".join([self.why, *(error.message for error in errors)])
        raise RunError(
            f"no worker on the cluster is left, of {sum(self._started.values())} that were started: {why}",
            "look at the nodes with `ray status`; what was measured so far is kept",
        )

    def _wait(self, flying: Iterable[Any]) -> list[Any]:
        """Wait for anything to happen; those of ``flying`` that are there. Workers that are open become ready.

        Raises RunError where nothing can happen any more.
        """
        self._require_some()
        with connected(self.ray):
            waited, _ = self.ray.wait([*flying, *self._opening], num_returns=1)
        opened = [ref for ref in waited if ref in self._opening]
        for ref in opened:
            self._opened(ref, self._opening.pop(ref))
        return [ref for ref in waited if ref not in opened]

    def _opened(self, ref: Any, placed: Placed) -> None:
        """A worker has opened its model, or not: then its node gets no more work."""
        known = self._answer(ref)
        if isinstance(known, Ended):  # as on a node that is lost and of which that is not known yet
            if not self.ready and not self._opening:
                self.place()
            return
        try:
            self._require_like_others(placed.place.host, known)
        except InputError as error:
            self.refused[placed.place.node] = placed.place.host, error
            self._end(placed)
            return
        self.known = self.known or known
        self.ready.append(placed)

    def _require_like_others(self, node: str, known: Known | Refused) -> None:
        """Raises InputError for a model that could not be opened, and for one that is not as on other nodes."""
        if isinstance(known, Refused):
            raise known.raised_on(node)
        require_versions(node, known.versions)
        if self.known is not None:
            require_alike(node, known.hardware, self.known.hardware)
        if self.known is not None and known.facts != self.known.facts:
            raise InputError(
                f"the model {self.wanted.name} is another on the node {node} than on the others",
                "have the same files on all nodes",
            )

    def _got(self, ref: Any, placed: Placed) -> Found | None:
        """What a worker found; None if it ended. Raises as workers do."""
        found = self._answer(ref)
        if isinstance(found, Refused):
            raise found.raised_on(placed.place.host)
        return None if isinstance(found, Ended) else found

    def _answer(self, ref: Any) -> Any:
        """What a task returned, or Ended."""
        found = answer_of(self.ray, ref)
        if isinstance(found, Ended):
            self.why = found.why
        return found


def require_versions(node: str, there: Mapping[str, str], packages: tuple[str, ...] = RUNNING) -> None:
    """Raises InputError for a node with other versions of what its answers depend on: readings on ``RUNNING``."""
    here = versions(packages)
    other = [f"{name} {there.get(name)} for {each}" for name, each in here.items() if there.get(name) != each]
    if other:
        raise InputError(f"the node {node} has {', '.join(other)}", "install the same versions on all nodes")


def require_alike(node: str, hardware: str, others: str) -> None:
    """Raises InputError for a node with other hardware than the others have, as ``places.hardware`` tells it."""
    if hardware != others:
        raise InputError(
            f"the node {node} has {hardware}, and others have {others}",
            "use nodes that are alike: figures would differ in their last digits",
        )

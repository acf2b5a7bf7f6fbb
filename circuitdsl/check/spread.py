"""Many models on a cluster, a model a node at a time: each node checks its models by itself (``node``).

The driver reads the files for each model, hands models out, keeps the readings and gathers what was found. A node that
is lost loses what it was computing: its readings so far are kept, and the model is handed out again.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from circuitdsl.check.node import Asks, Breaks, Ends, Event, Goes, How, Keeps, Node, Ready
from circuitdsl.check.panel import Column, gathered
from circuitdsl.check.progress import Progress
from circuitdsl.engine.cluster.executor import Ended, Executor, answer_of, connected
from circuitdsl.engine.cluster.places import Place, places, some_taken, start, usable
from circuitdsl.engine.cluster.worker import Refused
from circuitdsl.engine.cluster.workers import MOST_STARTS, require_alike, require_versions
from circuitdsl.engine.store import Store
from circuitdsl.errors import InputError, RunError
from circuitdsl.language.resolve import Document
from circuitdsl.models.listing import ListedModel
from circuitdsl.outcome import Panel
from circuitdsl.version import JUDGED


def check_on_nodes(
    executor: Executor,
    models: Sequence[ListedModel],
    read: Callable[[ListedModel], Document],
    how: How,
    progress: Progress,
) -> Panel | None:
    """A panel of some models, a model a node at a time; None where there are fewer models than places for them.

    Raises InputError for a cluster that does not answer, and as :func:`gathered` does.
    """
    ray = executor.connect()
    if len(models) < len(places(ray, how.device)):
        return None
    spread = Spread(ray, models, read, how, progress)
    with closing(spread.columns()) as columns:  # an interrupt between two of them ends the workers, too
        panel = gathered(models, columns)
    return replace(panel, notes=(*panel.notes, *spread.notes))


MOST_LOSSES = 3
"""So often a model whose node is lost is handed out again."""


@dataclass(eq=False)
class _Seat:
    """A node at work: its place, its actor, and the model that it has, None while it opens."""

    place: Place
    actor: Any
    model: ListedModel | None = None


@dataclass
class Spread:
    """Hands models to the nodes of a cluster. ``read`` gives what is to be checked on a model, and raises InputError.

    ``refused`` are nodes that have something else than the others, by their number in Ray, ``lost`` what is to be
    said of those that ended at work; ``taken`` counts the GPUs that other jobs have, ``kept`` the readings of each
    model, by its label, that came back. ``_unopened`` counts the starts at each place that came to nothing, one after
    the other: a worker that is lost at work counts against its model.
    """

    ray: Any
    models: Sequence[ListedModel]
    read: Callable[[ListedModel], Document]
    how: How
    progress: Progress
    refused: dict[str, tuple[str, InputError]] = field(default_factory=dict, init=False)
    lost: list[str] = field(default_factory=list, init=False)
    taken: int = field(default=0, init=False)
    kept: Counter[str] = field(default_factory=Counter, init=False)
    _known: Ready | None = field(default=None, init=False)
    _why: str = field(default="", init=False)
    _seats: list[_Seat] = field(default_factory=list, init=False)
    _busy: dict[Any, _Seat] = field(default_factory=dict, init=False)
    _idle: list[_Seat] = field(default_factory=list, init=False)
    _due: deque[ListedModel] = field(default_factory=deque, init=False)
    _losses: dict[ListedModel, int] = field(default_factory=dict, init=False)
    _unopened: Counter[Place] = field(default_factory=Counter, init=False)
    _going: dict[str, Goes] = field(default_factory=dict, init=False)

    @property
    def notes(self) -> tuple[str, ...]:
        """Which nodes were lost, and which did nothing."""
        idle = (f"the node {host} ran nothing: {error.message}" for host, error in self.refused.values())
        return (*self.lost, *idle, *filter(None, [some_taken(self.taken)]))

    @property
    def at_work(self) -> dict[str, Place]:
        """Where each model is that is being checked, by its label."""
        return {seat.model.label: seat.place for seat in self._seats if seat.model is not None}

    def columns(self) -> Generator[Column, None, None]:
        """What was found of each model, as it comes. Raises RunError where no node is left; however it ends, the
        workers are ended too."""
        self._due.extend(self.models)
        try:
            self._seat()
            while self._due or self.at_work:
                yield from self._hand_out()
                yield from self._wait()
        finally:
            for seat in tuple(self._seats):
                self._end(seat)

    def _seat(self) -> None:
        """Have a worker at every place that has none."""
        have = [seat.place for seat in self._seats]
        free, self.taken = usable(self.ray, self.how.device, begun=bool(self._unopened))
        for place in free:
            if place.node not in self.refused and place not in have and self._unopened[place] < MOST_STARTS:
                self._unopened[place] += 1
                how = replace(self.how, device="cpu" if place.gpu is None else self.how.device)
                seat = _Seat(place, start(self.ray, Node, place, how, place.threads))
                self._seats.append(seat)
                self._ask(seat, seat.actor.open)

    def _ask(self, seat: _Seat, method: Any, *arguments: object) -> None:
        with connected(self.ray):
            self._busy[method.remote(*arguments)] = seat

    def _hand_out(self) -> Iterator[Column]:
        while self._due and self._idle:
            model = self._due.popleft()
            try:
                document = self.read(model)
            except InputError as error:
                yield Column.of(model, error)
                continue
            seat = self._idle.pop()
            seat.model = model
            self._ask(seat, seat.actor.begin, document, model)

    def _wait(self) -> Iterator[Column]:
        """Wait until something happens, and do what it asks for."""
        if not self._busy:
            if self._due:
                self._require_some()
            return
        with connected(self.ray):
            waited, _ = self.ray.wait(list(self._busy), num_returns=1)
        for ref in waited:
            seat = self._busy.pop(ref)
            happened = answer_of(self.ray, ref)
            if isinstance(happened, Ended):
                self._why = happened.why
                yield from self._lose(seat)
            elif isinstance(happened, Ready | Refused):
                self._opened(seat, happened)
            else:
                yield from self._happened(seat, happened)

    def _happened(self, seat: _Seat, event: Event) -> Iterator[Column]:
        assert seat.model is not None
        match event:
            case Asks(keys=keys):
                self._reply(seat, lambda store: store.get(keys))
            case Keeps(readings=readings):
                self.kept[seat.model.label] += len(readings)
                self._reply(seat, lambda store: store.put(readings))
            case Goes():
                self._going[seat.model.label] = event
                self._tell(seat.model.label, event.what)
                self._ask(seat, seat.actor.next, None)
            case Ends(column=column):
                label = seat.model.label
                if (last := self._going.get(label)) is not None:
                    self._going[label] = replace(last, done=last.total)
                seat.model = None
                self._idle.append(seat)
                self._seat()
                yield column
            case Breaks(error=error):
                raise error
            case _:
                assert_never(event)

    def _reply(self, seat: _Seat, do: Callable[[Store], object]) -> None:
        assert self.how.store is not None, "a node without a store asks for none"
        try:
            answer = do(self.how.store)
        except InputError as error:
            answer = error
        self._ask(seat, seat.actor.next, answer)

    def _tell(self, label: str, what: str) -> None:
        """Of models of which nothing is known as much work is expected as of the others."""
        done, total = (sum(getattr(each, name) for each in self._going.values()) for name in ("done", "total"))
        share = len(self.models) / len(self._going)
        begun = f"{len(self._going)} of {len(self.models)}"
        self.progress(done, round(total * share), f"{label} ({begun}), {what}")

    def _opened(self, seat: _Seat, ready: Ready | Refused) -> None:
        """A node that cannot be used, or whose figures could be others than those of the first one, gets no model."""
        self._unopened[seat.place] = 0
        try:
            if isinstance(ready, Refused):
                raise ready.raised_on(seat.place.host)
            require_versions(seat.place.host, ready.versions, JUDGED)
            if self._known is not None:
                require_alike(seat.place.host, ready.hardware, self._known.hardware)
        except InputError as error:
            self.refused[seat.place.node] = seat.place.host, error
            self._end(seat)
            self._require_some()
            return
        self._known = self._known or ready
        self._idle.append(seat)

    def _lose(self, seat: _Seat) -> Iterator[Column]:
        """A worker ended; the model that it had is the next to be handed out."""
        self._seats.remove(seat)
        if seat.model is not None:
            label = seat.model.label
            self.lost.append(
                f"the worker on {seat.place.host} was lost at {label}, which went on from {self.kept[label]} readings"
            )
            losses = self._losses[seat.model] = self._losses.get(seat.model, 0) + 1
            if losses > MOST_LOSSES:
                problem = f"{losses} workers ended while they checked it: {self._why}"
                yield Column.of(seat.model, RunError(problem, "it may need more memory than a node has"))
            else:
                self._due.appendleft(seat.model)
        self._seat()
        self._require_some()

    def _require_some(self) -> None:
        if self._seats:
            return
        errors = [error for _, error in self.refused.values()]
        if errors and not self._why:
            raise errors[-1]
        raise RunError(
            f"no worker on the cluster is left: {self._why}",
            "look at the nodes with `ray status`; what was measured so far is kept",
        )

    def _end(self, seat: _Seat) -> None:
        self._seats.remove(seat)
        # Where its cluster is lost it ends by itself.
        with suppress(Exception), connected(self.ray):
            self.ray.kill(seat.actor)

"""A whole check on a node of a cluster: the model is opened there, its readings go to the store of the driver.

The check runs in a thread of its own and tells the driver what happens, one event at a time; the driver asks for the
next one, and answers the last. So the driver is never told more than it takes. No torch, but on the node.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Any

from circuitdsl.check.panel import Column
from circuitdsl.check.workbench import Workbench
from circuitdsl.engine.cluster.places import hardware, settle
from circuitdsl.engine.cluster.worker import Refused
from circuitdsl.engine.store import Found, Store
from circuitdsl.errors import InputError, run_errors
from circuitdsl.language.resolve import Document
from circuitdsl.measures.measurement import Array
from circuitdsl.models import Dtype, Opening, device_of
from circuitdsl.models.listing import ListedModel
from circuitdsl.outcome import Report
from circuitdsl.outcome.drift import Recorded
from circuitdsl.outcome.panel import PanelColumn
from circuitdsl.plan.plan import make_plan
from circuitdsl.version import JUDGED, versions

_TOLD_EVERY = 0.5  # seconds between two events that only say how far a check is


@dataclass(frozen=True)
class How:
    """How models are checked; ``store`` is the driver's, None for none. ``record`` makes what is kept of a report.
    Names of folders count from ``folder``."""

    unexplained: bool
    engine: str
    device: str | None
    dtype: Dtype | None
    screen: str
    memory: int
    store: Store | None
    record: Callable[[Report], Recorded]
    folder: str


# --- what happens ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asks:
    """For readings by their keys: the answer is what the store has (``Found``), or why it cannot be read."""

    keys: tuple[str, ...]


@dataclass(frozen=True)
class Keeps:
    """Readings; the answer is None, or why they cannot be kept."""

    readings: Mapping[str, Array]


@dataclass(frozen=True)
class Goes:
    """How far the check is."""

    done: int
    total: int
    what: str


@dataclass(frozen=True)
class Ends:
    """The check is done, or the model cannot be checked."""

    column: Column


@dataclass(frozen=True)
class Breaks:
    """A mistake of ours, which is raised where the driver is."""

    error: BaseException


Event = Asks | Keeps | Goes | Ends | Breaks


@dataclass(frozen=True)
class Ready:
    """What a node has, as far as figures and verdicts depend on it."""

    versions: Mapping[str, str]
    hardware: str


@dataclass(frozen=True)
class DriversStore(Store):
    """The driver's store, as a node has it: every call is an event."""

    told: Callable[[Event], Any] = field(default=lambda event: None, repr=False)

    def get(self, keys: Iterable[str]) -> Found:
        return self._answer(Asks(tuple(keys)))

    def put(self, readings: Mapping[str, Array]) -> None:
        if self.writable and readings:
            self._answer(Keeps(dict(readings)))

    def _answer(self, event: Event) -> Any:
        answer = self.told(event)
        if isinstance(answer, InputError):
            raise answer
        return answer


@dataclass(repr=False)
class Node:
    """Checks one model after the other at one place, with so many threads."""

    how: How
    threads: int
    _events: SimpleQueue[Event] = field(default_factory=SimpleQueue, init=False)
    _answers: SimpleQueue[object] = field(default_factory=SimpleQueue, init=False)
    _told: float = field(default=0.0, init=False)

    def open(self) -> Ready | Refused:
        """Make ready for models; what is wrong with the node is answered, and not raised."""
        try:
            with run_errors():
                settle(self.threads, self.how.folder)
                import torch

                return Ready(versions(JUDGED), hardware(torch.device(device_of(Opening(self.how.device)))))
        except InputError as error:
            return Refused.of(error)

    def begin(self, document: Document, model: ListedModel) -> Event:
        """Check a document on a model, of which it names the heads; the first event of it."""
        Thread(target=self._run, args=(document, model), daemon=True).start()
        return self._events.get()

    def next(self, answer: object) -> Event:
        """The next event, after the answer to the last one."""
        self._answers.put(answer)
        return self._events.get()

    def _tell(self, event: Event) -> Any:
        self._events.put(event)
        return self._answers.get()

    def _go(self, done: int, total: int, what: str) -> None:
        if time.monotonic() - self._told > _TOLD_EVERY:
            self._tell(Goes(done, total, what))
            self._told = time.monotonic()

    def _run(self, document: Document, model: ListedModel) -> None:
        try:
            last: Event = Ends(self._checked(document, model))
        except BaseException as error:
            last = Breaks(error)
        gc.collect()  # a model is full of references in circles
        self._events.put(last)

    def _checked(self, document: Document, model: ListedModel) -> Column:
        how = self.how
        store = how.store and DriversStore(how.store.path, how.store.writable, self._tell)
        try:
            opening = Opening(how.device, model.revision, how.dtype)
            bench = Workbench(model.name, store, how.engine, how.memory, opening, how.screen)
            report = bench.check(make_plan(document, how.unexplained), self._go)
            return Column(PanelColumn(model, how.record(report), report.cost, report.seconds))
        except InputError as error:
            return Column.of(model, error)

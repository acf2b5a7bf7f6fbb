"""One thing to be measured or read, and the same once it is started: what it asks for before it has seen anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from circuitdsl.components import Geometry
from circuitdsl.language.circuit import Circuit, Method
from circuitdsl.measures.experiments import Experiment
from circuitdsl.measures.few import few_of
from circuitdsl.measures.measurement import Asking, CannotMeasure, Failure, Measurement

Purpose = Literal[
    "performance",
    "claim",
    "variant",
    "whole",
    "head",
    "unlisted",
    "single prompts",
    "arms",
    "part",
    "ranking",
    "sweep",
    "together",
]
"""What it is for: whether the model does the task, a claim, a claim under another method, what the circuit keeps of the
metric, a row of the table of heads, the search for heads that are not listed, single prompts that are shown, an
intervention taken apart, a part of two circuits on a task, a ranking of all heads, a sender of a sweep, or several
senders of a draft as one."""


class Round(NamedTuple):
    """What an engine is given at once: the first questions of all jobs about one model and as many prompts.

    Each circuit's search for heads that matter and are not listed comes by itself, after what is claimed; ``search``
    names that circuit.
    """

    model: str
    processing: str
    prompts: int
    search: str


OF_LARGEST = "at least: all of its figures go on to all prompts where the largest does not decide"
OF_EACH = "at least: each of its figures goes on to all prompts where few do not tell that it is within the bound"
OF_SETS = "at least: its random sets go on to all prompts where one of them does as well on few"


@dataclass(frozen=True)
class Lead:
    """Of a job with many figures, all of which are measured on few prompts: how one is measured alone on all.

    That one is the largest of several (``measures.Leader``), or the job's own beside random sets. ``otherwise`` says
    for a person when the others go on to all prompts too. ``of`` says on how few of so many prompts all are measured.

    ``first``: each of the others stops by itself (``measures.Stopping``), and this asks of all on few prompts.
    ``start`` is told which do not, by their places.
    """

    start: Callable[[Measurement, Collection[int]], Asking]
    one: Callable[[], tuple[Experiment, ...]]
    otherwise: str
    distinct: int = 0
    """With fewer different questions all figures are measured on all prompts from the beginning."""
    of: Callable[[int], int] = few_of
    first: Callable[[], Asking] | None = None


@dataclass(frozen=True)
class Job:
    """One thing to be measured. ``start`` gives a fresh asking; ``key`` tells the jobs of one plan apart.

    ``about`` says what is measured, for a person: a claim as it is written, a head. ``adaptive``: it asks for more once
    it has seen results. ``raced``: it is measured on fewer prompts than the method's first where they settle it.
    ``lead``: it has many figures, all of which are measured on ``few`` prompts, and one on all; the others only where
    that does not decide, or where they do not stop (``check.bench``).
    """

    key: tuple[str, ...]
    purpose: Purpose
    model: str
    method: Method
    geometry: Geometry
    start: Callable[[], Asking]
    about: str = ""
    adaptive: bool = False
    raced: bool = False
    lead: Lead | None = None

    @property
    def round(self) -> Round:
        """The round that its first questions are part of, on all of the method's first prompts."""
        search = self.key[0] if self.purpose == "unlisted" else ""
        return Round(self.model, self.method.processing, self.method.prompts_first, search)

    @property
    def few(self) -> int:
        """The number of prompts on which all of many figures are measured; 0 where all of them are on all."""
        return self.lead.of(self.method.prompts_first) if self.lead and not self.method.prompts_all else 0

    @property
    def stops(self) -> bool:
        """Whether each of its figures stops by itself."""
        return self.lead is not None and self.lead.first is not None


@dataclass(eq=False)
class Started:
    """A job that has asked its first questions. What it asked is what a plan shows, and what is run.

    ``first`` are these questions, or why there are none; ``one`` those of them that a single figure takes, where that
    one alone is measured on all prompts. The asking itself is taken up once, by :meth:`asking`; whoever measures the
    same again, on more prompts, gets one that is as far.
    """

    job: Job
    first: tuple[Experiment, ...] | Failure = field(init=False)
    one: tuple[Experiment, ...] = field(default=(), init=False)
    done: Measurement | None = field(default=None, init=False)
    _waiting: Asking | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            self._waiting = self.job.start()
            self.first = tuple(next(self._waiting))
            lead = self.job.lead if self.job.few else None
            self.one = lead.one() if lead and len(set(self.first)) >= lead.distinct else ()
        except StopIteration as stop:  # it needs no experiment
            self.first, self.done, self._waiting = (), stop.value, None
        except CannotMeasure as reason:
            self.first, self._waiting = Failure(str(reason)), None

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """The first questions; none where there are only reasons."""
        return () if isinstance(self.first, Failure) else self.first

    @property
    def on_all(self) -> tuple[Experiment, ...]:
        """Those of the first questions that are planned on all of the method's first prompts, and not on few."""
        return self.one or self.experiments

    def led(self, few: Measurement, besides: Collection[int] = ()) -> Started:
        """The job of one figure alone, by what was measured on few prompts, and of those at some places ``besides``.
        Only of a job with a ``lead``."""
        lead = self.job.lead
        assert lead is not None, "there is one figure alone"
        return Started(replace(self.job, start=lambda: lead.start(few, besides), lead=None))

    @property
    def on_few(self) -> Started:
        """The job of all figures that are measured on few prompts."""
        first = self.job.lead.first if self.job.lead else None
        return Started(replace(self.job, start=first, lead=None)) if first else self

    def asking(self) -> Asking:
        """The asking, waiting for the results of the first questions. Only of a job that has some."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            waiting = self.job.start()
            next(waiting)
        return waiting


def reading_job(
    key: tuple[str, ...], purpose: Purpose, circuit: Circuit, ask: Callable[[], Iterable[Experiment]], about: str
) -> Job:
    """A job that ends with what it asks: its readings are taken one by one, so that one may fail alone.

    ``ask`` is called when the job is started: a world that cannot be had is this job's failure.
    """

    def start() -> Asking:
        return _asked_once(tuple(dict.fromkeys(ask())))

    return Job(key, purpose, circuit.model, circuit.method, circuit.geometry, start, about)


def _asked_once(experiments: Sequence[Experiment]) -> Asking:
    yield experiments
    raise AssertionError("the readings of such a job are taken one by one")

"""Carry out a whole check: open each model once, judge its circuits, comparisons and interventions, report."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from circuitdsl import api
from circuitdsl.compare.function import Align, function_jobs
from circuitdsl.compare.measures import KINDS, Kind
from circuitdsl.compare.reuse import Reuse, reuse
from circuitdsl.compare.structure import compare
from circuitdsl.compare.verdicts import judge_overlap
from circuitdsl.engine.fast.engine import FastEngine, coarser, engine_for
from circuitdsl.engine.plain import PlainEngine
from circuitdsl.engine.session import Engine, Session
from circuitdsl.engine.store import Store
from circuitdsl.errors import InputError
from circuitdsl.judge.check import Judge
from circuitdsl.judge.intervals import Bootstrap
from circuitdsl.judge.outcome import CircuitReport, ClaimOutcome, ComparisonReport, Cost, InterventionReport, Report
from circuitdsl.judge.story import story
from circuitdsl.language.circuit import Circuit, Comparison, Document, Intervention, Method
from circuitdsl.measures.experiments import Data, Experiment
from circuitdsl.measures.measurement import CannotMeasure
from circuitdsl.models import Model, Opening, device_of, open_model
from circuitdsl.plan.drive import Failure, first_round
from circuitdsl.plan.jobs import Round
from circuitdsl.plan.plan import Plan, Planned, make_plan
from circuitdsl.version import __version__

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

PACKAGES = ("torch", "transformer-lens", "transformers", "numpy", "scipy")


Progress = Callable[[int, int, str], None]


def plain(model: Model, tick: Callable[[int], None], memory: int) -> Engine:
    """The plain engine, which stacks nothing and so needs no ``memory``."""
    return PlainEngine(model, tick)


ENGINES: Mapping[str, Callable[[Model, Callable[[int], None], int], Engine]] = {"fast": engine_for, "plain": plain}
"""How to make the engine of a model, by name; the fast one hands models that it does not cover to the plain one."""


SCREENS: Mapping[str, torch.dtype] = {"bf16": torch.bfloat16}
"""The precisions in which the search for heads that are not listed can be screened, by name."""


def unwatched(done: int, total: int, what: str) -> None:
    """Progress that nobody watches."""


@dataclass
class Workbench:
    """Open models and all that was measured on them, for one check or for many in a row.

    ``model`` stands in for every model that documents name, if it is given; ``store`` keeps readings between calls;
    ``engine`` is a name of :data:`ENGINES`, ``memory`` the bytes that stacked runs of the fast engine may take (0: a
    share of what is free). ``opening`` says how models are opened, ``screen`` is a name of :data:`SCREENS`: heads whose
    effect is under the floor for certain in that precision are sorted out of the search for heads that matter and are
    not listed.
    """

    model: str | Path | TransformerBridge | None = None
    store: Store | None = None
    engine: str = "fast"
    memory: int = 0
    opening: Opening = field(default_factory=Opening)
    screen: str = ""
    judges: dict[tuple[str, str], Judge] = field(default_factory=dict, init=False)
    listener: Callable[[int], None] = field(default_factory=lambda: lambda prompts: None, init=False)

    def __post_init__(self) -> None:
        if self.screen and self.screen not in SCREENS:
            raise InputError(f"no screen is called {self.screen}", f"screens: {', '.join(SCREENS)}")
        if self.screen and self.opening.dtype == "bfloat16":
            raise InputError(
                "a model that runs in bfloat16 has nothing coarser to be screened by",
                "leave out the screen, or run the model in float32",
            )

    def check(self, document: Document, unexplained: bool = True, progress: Progress = unwatched) -> Report:
        """Check everything in a document. Raises InputError for a model or a task that cannot be had."""
        if any(circuit.task.name == "file" for circuit in document.circuits + document.used):
            self.judges.clear()  # the file's prompts may not be those of the last check
        checker = Checker(self, document, unexplained, progress)
        self.listener = checker.tick
        return checker.report()

    def compare(
        self,
        left: Circuit,
        right: Circuit,
        align: Align = (),
        kinds: Iterable[Kind] = KINDS,
        quoted: float | None = None,
    ) -> Reuse:
        """Compare two circuits of one model in structure and in function. Raises InputError for two models."""
        try:
            return reuse(left, right, align, self.judge(right), kinds, quoted)
        except CannotMeasure as reason:
            raise InputError(str(reason), "compare their structure only") from reason

    def judge(self, circuit: Circuit) -> Judge:
        """The judge of the circuit's model."""
        judge = self.judge_of(circuit.model, circuit.method)
        _check_shape(circuit, judge.session.engine.model)
        return judge

    def judge_of(self, model: str, method: Method) -> Judge:
        """The judge of a model processed as a method says, which is opened at first use."""
        key = (model, method.processing)
        if key not in self.judges:
            opened = open_model(self.model or model, method.processing, self.opening)
            engine = ENGINES[self.engine](opened, lambda prompts: self.listener(prompts), self.memory)
            session = Session(engine, self.store)
            coarse, notes = self._coarse(session) if self.screen else (None, ())
            bootstrap = _bootstrap(session, method.seed)
            self.judges[key] = Judge(session, bootstrap, api.measure_infos(), coarse, notes)
        return self.judges[key]

    def _coarse(self, session: Session) -> tuple[Session | None, tuple[str, ...]]:
        """A session on the same prompts in the screen's precision, or why there is none."""
        engine = session.engine
        if not isinstance(engine, FastEngine):
            return None, ("nothing was screened, since the plain engine runs the model",)
        return Session(coarser(engine, SCREENS[self.screen]), self.store, session.streams), ()

    @property
    def dtypes(self) -> str:
        """The precisions of the models at work, or the one asked for if there are none."""
        used = sorted({judge.session.engine.dtype for judge in self.judges.values()})
        return ", ".join(used) or self.opening.dtype or "float32"

    @property
    def devices(self) -> str:
        """Where the models at work run, or where models would be opened if there are none."""
        used = sorted({judge.session.engine.device for judge in self.judges.values()})
        return ", ".join(used) or device_of(self.opening)

    @property
    def engines(self) -> str:
        """The names of the engines at work: the one asked for, or plain where it does not cover a model."""
        return ", ".join(sorted({judge.session.engine.name for judge in self.judges.values()})) or self.engine

    @property
    def ran(self) -> int:
        """Experiments that engines have run so far."""
        return sum(session.ran for session in self._sessions())

    @property
    def kept(self) -> int:
        """Experiments that the store has answered so far."""
        return sum(session.kept for session in self._sessions())

    def _sessions(self) -> Iterator[Session]:
        for judge in self.judges.values():
            yield from filter(None, (judge.session, judge.coarse))


@dataclass
class Checker:
    """One check of a document on a workbench."""

    bench: Workbench
    document: Document
    unexplained: bool
    progress: Progress
    done: int = field(default=0, init=False)  # prompts that went through a model
    what: str = field(default="", init=False)

    def report(self) -> Report:
        """Check everything. Raises InputError for a model or a task that cannot be had."""
        started = time.monotonic()
        ran, kept = self.bench.ran, self.bench.kept
        self._look_at_all()
        circuits = tuple(map(self._circuit, self.document.circuits))
        interventions = tuple(map(self._intervention, self.document.interventions))
        comparisons = tuple(map(self._comparison, self.document.comparisons))
        self.progress(self.done, self.done, self.what)  # what was expected is an estimate
        return Report(
            circuits=circuits,
            comparisons=comparisons,
            interventions=interventions,
            versions=versions(),
            seconds=time.monotonic() - started,
            cost=self._cost(self.bench.ran - ran, self.bench.kept - kept),
            engine=self.bench.engines,
            dtype=self.bench.dtypes,
            device=self.bench.devices,
            story=story(circuits, comparisons, interventions),
        )

    # --- parts -----------------------------------------------------------------------------------

    def _look_at_all(self) -> None:
        """Run what all claims of the document ask for at first in as few rounds as can be: then they share what is
        common to them, and run side by side. The session remembers it for whoever asks again."""
        self.what = "all claims"
        for circuit in (*self.document.circuits, *self.document.used):
            self.bench.judge(circuit)  # wrong models are refused before anything is run
        rounds: dict[Round, list[Experiment]] = {}
        sessions: dict[Round, Session] = {}
        for job in api.jobs(self.document, unexplained=False):
            sessions[job.round] = self.bench.judge_of(job.model, job.method).session
            asked = first_round(job)
            rounds.setdefault(job.round, []).extend(() if isinstance(asked, Failure) else asked)
        for each, experiments in rounds.items():
            sessions[each].run(experiments, each.prompts)

    def _circuit(self, circuit: Circuit) -> CircuitReport:
        self.what = circuit.name
        return self.bench.judge(circuit).circuit(circuit, self.unexplained)

    def _intervention(self, intervention: Intervention) -> InterventionReport:
        self.what = intervention.name
        circuit = self.document.circuit(intervention.on)
        return self.bench.judge(circuit).intervention(intervention, circuit)

    def _comparison(self, comparison: Comparison) -> ComparisonReport:
        """Claims in the order of the file: those of structure need no model, those of function run like any other."""
        self.what = f"{comparison.left} with {comparison.right}"
        left, right = self.document.circuit(comparison.left), self.document.circuit(comparison.right)
        functional = self._functional(comparison, right)
        outcomes = (
            functional.get(claim.id) or judge_overlap(claim, comparison, left, right) for claim in comparison.claims
        )
        return ComparisonReport(comparison, compare(left, right, comparison.align).to_dict(), tuple(outcomes))

    def _functional(self, comparison: Comparison, onto: Circuit) -> dict[str, ClaimOutcome]:
        """The claims of a comparison that need the model, by id; none of them, and no model is opened."""
        jobs = function_jobs(self.document, comparison)
        if not jobs:
            return {}
        judge = self.bench.judge(onto)
        judged = judge.claims({job: claim for claim, job in jobs.items()})
        outcomes = judge.outcomes({claim: judged[job] for claim, job in jobs.items()})
        return {outcome.claim.id: outcome for outcome in outcomes}

    # --- progress and cost -----------------------------------------------------------------------

    def tick(self, prompts: int) -> None:
        self.done += prompts
        self.progress(self.done, max(self.done, self._expected), self.what)

    @cached_property
    def plan(self) -> Plan:
        return make_plan(list(api.jobs(self.document, self.unexplained)))

    @property
    def _expected(self) -> int:
        """Prompts through the model if every claim is decided at the first look and nothing is known."""
        return round(self._planned.total * self.plan.prompts)

    @property
    def _planned(self) -> Planned:
        """What the plan says of the engine at work."""
        return self.plan.plain if self.bench.engines == PlainEngine.name else self.plan.fast

    def _cost(self, ran: int, kept: int) -> Cost:
        return Cost(
            experiments=ran,
            prompt_passes=self.done,
            passes=round(self.done / max(1, self.plan.prompts), 2),
            kept=kept,
            planned=round(self._planned.total, 2),
            plain=round(self.plan.plain.total, 2),
        )


def _bootstrap(session: Session, seed: int) -> Bootstrap:
    def templates(data: Data, count: int) -> Sequence[str]:
        return [prompt.template for prompt in session.prompts(data, count)]

    return Bootstrap(templates, seed)


def _check_shape(circuit: Circuit, model: Model) -> None:
    """Raise InputError if the circuit was resolved against a model of another shape than the open one."""
    wanted, has = circuit.geometry, model.geometry
    if (wanted.n_layers, wanted.n_heads) != (has.n_layers, has.n_heads):
        raise InputError(
            f"{circuit.name} was resolved for {wanted.n_layers} layers of {wanted.n_heads} heads and {model.name} has "
            f"{has.n_layers} of {has.n_heads}",
            "load the spec with model= (on the command line: --model) naming the model that it is to be checked on",
        )


def versions() -> dict[str, str]:
    """Versions of what a figure may depend on."""
    return {"circuitdsl": __version__, "python": platform.python_version()} | {
        package: version(package) for package in PACKAGES
    }

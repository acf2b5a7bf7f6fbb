"""Open models, each with what was measured on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from circuitdsl.arguments import whole
from circuitdsl.check.bench import Bench
from circuitdsl.check.screens import SCREENS
from circuitdsl.engine import store as stores
from circuitdsl.engine.base import Engine, engines
from circuitdsl.engine.cluster.executor import Executor
from circuitdsl.engine.deferred import Deferred
from circuitdsl.engine.manifest import Asked, Manifest, Manifests
from circuitdsl.engine.session import Session
from circuitdsl.engine.store import Store
from circuitdsl.errors import InputError, require
from circuitdsl.language.circuit import Circuit, Method, Processing
from circuitdsl.models import KnownModel, Model, Opening, device_of, open_model, require_unhooked, state_of

if TYPE_CHECKING:
    from circuitdsl.models.given import AnyModel


@dataclass
class OpenModels:
    """Opens each model once, for one check or for many in a row.

    ``model`` stands in for every model that documents name, if it is given; ``store`` keeps readings between calls: by
    itself the user's own, None for none; beside it is kept what models are: one whose files are the same is opened only
    when something is to be run. ``engine`` is a name of ``engine.base.engines``, ``memory`` the bytes that stacked runs
    of the fast engine may take (0: a share of what is free). ``opening`` says how models are opened, ``screen`` is a
    name of ``SCREENS``: heads whose effect is surely under the floor in that precision are sorted out of the search for
    heads that matter and are not listed. ``executor``: the cluster whose nodes run all experiments, None for this
    machine. Raises InputError for an engine or a screen that is not there, for what is no store, no opening, no
    executor or no number of bytes, and for a model that is an object where a cluster would have to open it by its name.
    """

    model: AnyModel | None = None
    store: Store | None = field(default_factory=lambda: stores.usual_store())
    engine: str = "fast"
    memory: int = 0
    opening: Opening = field(default_factory=Opening)
    screen: str = ""
    executor: Executor | None = None
    benches: dict[tuple[str, str], Bench] = field(default_factory=dict, init=False)
    manifests: Manifests | None = field(default=None, init=False)
    listener: Callable[[int], None] = field(default_factory=lambda: lambda prompts: None, init=False)
    turn: AbstractContextManager[object] = field(default_factory=RLock, init=False, repr=False)

    def __post_init__(self) -> None:
        nothing = type(None)
        require(self.store, (Store, nothing), "readings are kept in a Store", "write Store.in_folder(...), or None")
        require(self.opening, Opening, "models are opened by an Opening", 'write Opening("cpu"), of circuitdsl.models')
        require(self.executor, (Executor, nothing), "a cluster is an Executor", 'write Executor.named("ray"), or None')
        self.manifests = None if self.store is None else Manifests(self.store.path.parent / "manifests")
        if self.engine not in tuple(engines()):
            raise InputError(f"no engine is called {self.engine}", f"engines: {', '.join(engines())}")
        if self.screen and self.screen not in tuple(SCREENS):
            raise InputError(f"no screen is called {self.screen}", f"screens: {', '.join(SCREENS)}")
        if not whole(0)(self.memory):
            raise InputError(
                f"a memory of {self.memory} bytes cannot be had",
                "give a number of bytes, 0 for a share of what is free",
            )
        if self.screen and self.opening.dtype == "bfloat16":
            raise InputError(
                "a model that runs in bfloat16 has nothing coarser to be screened by",
                "leave out the screen, or run the model in float32",
            )

        if self.executor is not None and not isinstance(self.model, str | Path | None):
            raise InputError(
                "a model that is in the memory of this process cannot be run on a cluster",
                "save it, and give the name of its folder",
            )

    def bench(self, circuit: Circuit) -> Bench:
        """The bench of the circuit's model. Raises InputError for a model of another shape."""
        bench = self.bench_of(circuit.model, circuit.method)
        _check_shape(circuit, bench.session.engine.model)
        return bench

    def require_unhooked(self) -> None:
        """Refuse open models on which hooks were left since the last check. Raises InputError."""
        for bench in self.benches.values():
            if isinstance(model := bench.session.engine.model, Model):
                require_unhooked(model.bridge)

    def bench_of(self, model: str, method: Method) -> Bench:
        """The bench of a model processed as a method says, which is opened at first use or, if what it is is known,
        when something is to be run."""
        key = (model, method.processing)
        if key not in self.benches:
            session = Session(self._engine(model if self.model is None else self.model, method.processing), self.store)
            coarse, notes = self._coarse(session) if self.screen else (None, ())
            self.benches[key] = Bench(session, method.seed, coarse, notes)
        return self.benches[key]

    def forget_prompts(self) -> None:
        """Draw prompts again from now on, as files of them may have been saved; the models stay open."""
        for key, bench in self.benches.items():
            session = Session(bench.session.engine, self.store)
            coarse = None
            if bench.coarse is not None:
                coarse = Session(bench.coarse.engine, self.store, session.streams, drawn=session.drawn)
            self.benches[key] = Bench(session, bench.seed, coarse, bench.notes)

    def _engine(self, model: AnyModel, processing: Processing) -> Engine:
        """The engine of a model, open; or one that need not be, where a manifest says what it would be."""

        def open_engine() -> Engine:
            if self.executor is not None:
                return self._distributed(self.executor, str(model), processing)
            opened = open_model(model, processing, self.opening)
            return engines()[self.engine].open(opened, lambda prompts: self.listener(prompts), self.memory)

        if self.manifests is None or not isinstance(model, str | Path):
            return open_engine()
        state = state_of(str(model), self.opening.revision)
        if state is None:
            return open_engine()
        asked = Asked.of(str(model), processing, self.opening, self.engine)
        if self.executor is not None:
            asked = replace(asked, device=f"{asked.device} on {self.executor}")
        if manifest := self.manifests.find(asked, state):
            return Deferred(manifest, open_engine)
        engine = open_engine()
        self.manifests.keep(asked, state, engine)
        return engine

    def _distributed(self, executor: Executor, model: str, processing: Processing) -> Engine:
        from circuitdsl.engine.cluster.distributed import distributed  # here, since hardly anybody has a cluster

        return distributed(
            executor, model, processing, self.opening, self.engine, self.memory, lambda prompts: self.listener(prompts)
        )

    def distrust(self, wrong: Manifest) -> None:
        """Close all models and take no manifest's word again, after one was found to be wrong."""
        if self.manifests is not None:
            self.manifests.drop(wrong.asked)
        self.manifests = None
        self.benches.clear()

    def _coarse(self, session: Session) -> tuple[Session | None, tuple[str, ...]]:
        """A session on the same prompts in the screen's precision, or why there is none."""
        coarser = session.engine.in_dtype(SCREENS[self.screen])
        if coarser is None:
            return None, (f"nothing was screened, since the {session.engine.name} engine runs the model",)
        return Session(coarser, self.store, session.streams, drawn=session.drawn), ()

    # --- what is at work -------------------------------------------------------------------------

    @property
    def dtypes(self) -> str:
        """The precisions of the models at work, or the one asked for if there are none."""
        used = sorted({bench.session.engine.dtype for bench in self.benches.values()})
        return ", ".join(used) or self.opening.dtype or "float32"

    @property
    def devices(self) -> str:
        """Where the models at work run, or where models would be opened if there are none."""
        used = sorted({bench.session.engine.device for bench in self.benches.values()})
        return ", ".join(used) or device_of(self.opening)

    @property
    def engines(self) -> str:
        """The names of the engines at work: the one asked for, or plain where it does not cover a model."""
        return ", ".join(sorted({bench.session.engine.name for bench in self.benches.values()})) or self.engine

    @property
    def notes(self) -> tuple[str, ...]:
        """Why another engine runs a model than the one that was asked for, and what is wrong with the results store."""
        engines = (bench.session.engine.note for bench in self.benches.values())
        stores = (remark for session in self._sessions() for remark in session.remarks)
        return tuple(note for note in dict.fromkeys((*engines, *stores)) if note)

    @property
    def ran(self) -> int:
        """Experiments that engines have run so far."""
        return sum(session.ran for session in self._sessions())

    @property
    def answered(self) -> int:
        """Experiments that the store has answered so far."""
        return sum(session.answered for session in self._sessions())

    def close(self, reason: str) -> bool:
        """Run nothing more: what is not known fails for this reason. Whether anything is known."""
        for session in self._sessions():
            session.closed = reason
        return any(session.results for session in self._sessions())

    def open_again(self) -> None:
        """Run experiments again."""
        for session in self._sessions():
            session.closed = ""

    def _sessions(self) -> Iterator[Session]:
        for bench in self.benches.values():
            yield from filter(None, (bench.session, bench.coarse))


def _check_shape(circuit: Circuit, model: Model | KnownModel) -> None:
    """Raise InputError if the circuit was resolved against a model of another shape than the open one."""
    wanted, has = circuit.geometry, model.geometry
    if (wanted.n_layers, wanted.n_heads) != (has.n_layers, has.n_heads):
        raise InputError(
            f"{circuit.name} was resolved for {wanted.n_layers} layers of {wanted.n_heads} heads and {model.name} has "
            f"{has.n_layers} of {has.n_heads}",
            "load the spec with model= (on the command line: --model) naming the model that it is to be checked on",
        )

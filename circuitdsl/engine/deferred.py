"""An engine that is opened at the first experiment that the results store cannot answer. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from circuitdsl.engine.base import Engine, Keep, keep_nothing
from circuitdsl.engine.manifest import Facts, Manifest
from circuitdsl.engine.references import NO_REFERENCES, References
from circuitdsl.errors import InputError
from circuitdsl.measures.experiments import Data, Experiment
from circuitdsl.measures.measurement import Array, Failure
from circuitdsl.models import KeptTokenizer, KnownModel, Model
from circuitdsl.tasks import Prompt


class Stale(InputError):
    """A model that turns out to be another than its ``manifest`` says, though its files look the same."""

    def __init__(self, manifest: Manifest):
        super().__init__(
            f"the model {manifest.facts.name} is not the one that its results were kept for, though its files have the "
            "same sizes and times",
            "check again with --no-cache",
        )
        self.manifest = manifest


@dataclass
class Deferred:
    """Says of itself what a manifest says, and opens the engine when it is to run something.

    Its methods raise :class:`Stale` where what is opened then is not, to the last bit of its weights, what the manifest
    says: readings that were looked up by the manifest may be another model's.
    """

    manifest: Manifest
    open: Callable[[], Engine]
    _engine: Engine | None = field(default=None, init=False)
    _model: KnownModel = field(init=False)

    def __post_init__(self) -> None:
        asked, facts = self.manifest.asked, self.manifest.facts
        tokenizer = KeptTokenizer(self.manifest.tokenizer, lambda: self.opened().model.tokenizer)
        self._model = facts.model(tokenizer, asked.processing, asked.revision)

    def opened(self) -> Engine:
        """The engine itself. Raises as ``open_model`` does, and :class:`Stale`."""
        if self._engine is None:
            engine = self.open()
            if Facts.of(engine) != self.manifest.facts:
                raise Stale(self.manifest)
            self._engine = engine
        return self._engine

    @property
    def model(self) -> Model | KnownModel:
        """The model, as soon as it is open; until then what is known of it."""
        return self._model if self._engine is None else self._engine.model

    @property
    def name(self) -> str:
        return self.manifest.facts.engine

    @property
    def note(self) -> str:
        return self.manifest.facts.note if self._engine is None else self._engine.note

    @property
    def settings(self) -> tuple[str, ...]:
        return self.manifest.facts.settings

    @property
    def dtype(self) -> str:
        return self.manifest.facts.dtype

    @property
    def device(self) -> str:
        return self.manifest.facts.device

    def run(
        self,
        data: Data,
        stream: Sequence[Prompt],
        start: int,
        stop: int,
        experiments: Iterable[Experiment],
        references: References = NO_REFERENCES,
        keep: Keep = keep_nothing,
    ) -> dict[Experiment, Array | Failure]:
        """As the engine that it opens."""
        return self.opened().run(data, stream, start, stop, experiments, references, keep)

    def in_dtype(self, dtype: str) -> Engine | None:
        """As the engine that it opens."""
        return self.opened().in_dtype(dtype)

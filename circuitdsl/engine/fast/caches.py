"""Runs that many worlds of a batch share: the clean prompts, their counterfactuals, and what ablation puts in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from circuitdsl.engine import hooks
from circuitdsl.engine.batch import Batch, counterfactual_tokens
from circuitdsl.engine.fast.architecture import Network
from circuitdsl.engine.fast.edits import Edit
from circuitdsl.engine.fast.held import Held, Wanted, hold, joined
from circuitdsl.engine.fast.live import Stack
from circuitdsl.engine.fast.region import take, whole
from circuitdsl.engine.fast.shelf import CLEAN, Passed, Runs
from circuitdsl.engine.fast.worlds import Values
from circuitdsl.engine.hooks import Activations
from circuitdsl.engine.sources import Sources
from circuitdsl.language.environment import Geometry
from circuitdsl.measures.experiments import FromCounterfactual, Mean, Resample, Source
from circuitdsl.tasks.prompts import Prompt

Kept = dict[str, Held]

Tick = Callable[[float], None]
"""Told of work done, in prompts through a whole forward pass."""


def run_whole(network: Network, tokens: Tensor, wanted: Wanted, edits: Sequence[Edit] = ()) -> tuple[Tensor, Kept]:
    """A run of all tokens, with some edits: the last residual stream [prompts, tokens, d_model], and what was wanted.

    Nothing else is kept for longer than the run needs it.
    """
    prompts, length = tokens.shape
    kept: dict[str, Held] = {}

    def keep(name: str, values: Tensor, rows: Sequence[int]) -> None:
        kept[name] = hold(values[:, rows[0]], wanted[name])

    stack = Stack(network, tokens, whole(prompts, length, tokens.device), {}, 0, [edits])
    return stack.watched(dict.fromkeys(wanted, keep))[:, 0], kept


@dataclass(frozen=True)
class Caches:
    """What the worlds of one batch share. Nothing is run before it is asked for, nor twice.

    ``wanted`` says what any of the worlds will read of each of the ``runs``, which hold that as far as they are there.
    """

    network: Network
    geometry: Geometry
    batch: Batch
    sources: Sources
    wanted: Mapping[str, Wanted]
    runs: Runs
    tick: Tick
    known: dict[Source, Values] = field(default_factory=dict)

    @property
    def clean(self) -> Passed:
        """The run of the prompts themselves."""
        if CLEAN not in self.runs:
            self.runs[CLEAN] = self._passed(CLEAN, self.batch.tokens)
        return self.runs[CLEAN]

    def counterfactual(self, name: str) -> Passed:
        """The run of the prompts' counterfactuals. Raises CannotMeasure."""
        if name not in self.runs:
            self.runs[name] = self._passed(name, counterfactual_tokens(self.batch, name))
        return self.runs[name]

    def values(self, source: Source) -> Values:
        """What a source puts in, by hook point. Raises CannotMeasure."""
        if isinstance(source, FromCounterfactual):
            return self.counterfactual(source.counterfactual).kept
        if source not in self.known:
            values = self.sources.values(source, self.batch)
            by_token = isinstance(source, Resample) or (isinstance(source, Mean) and source.by_template)
            self.known[source] = {name: hold(each, None) for name, each in values.items()} if by_token else values
        return self.known[source]

    def changed(self, edits: Sequence[Edit]) -> bool:
        """Whether any edit changes the clean run, or there is nowhere to edit."""
        return any(edit.changes(self.clean.kept[edit.name]) for edit in edits) or not any(
            bool(edit.mask.any()) for edit in edits
        )

    def _passed(self, name: str, tokens: Tensor) -> Passed:
        wanted = self.wanted.get(name, {})
        x, kept = run_whole(self.network, tokens, wanted)
        self.tick(len(tokens))
        return Passed(wanted, kept, take(x, self.batch.ends[:, None])[:, 0])


def reusing(runs: Runs, wanted: Mapping[str, Wanted]) -> tuple[dict[str, Wanted], Runs]:
    """What to keep of each run so that earlier worlds could be run again too, and the runs that hold all of that."""
    widened = {name: joined(runs[name].wanted, each) if name in runs else each for name, each in wanted.items()}
    return widened, {name: run for name, run in runs.items() if run.holds(wanted.get(name, {}))}


def sources_of(
    network: Network,
    geometry: Geometry,
    stream: Sequence[Prompt],
    tokens: int,
    means: dict[Mean, dict[str, Activations]],
    tick: Tick,
) -> Sources:
    """Means and resampled activations over a stream, by our own forward passes."""
    embeddings = hooks.EMBEDDINGS if network.positions is not None else hooks.EMBEDDINGS[:1]
    wanted: Wanted = dict.fromkeys((*embeddings, *hooks.heads_and_mlps(geometry)))

    def outputs(rows: Tensor) -> Activations:
        rows = rows.to(network.embedding.device)
        tick(len(rows))
        return {name: held.whole for name, held in run_whole(network, rows, wanted)[1].items()}

    return Sources(stream, outputs, tokens, means)

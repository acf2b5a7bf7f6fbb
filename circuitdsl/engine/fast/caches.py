"""Runs that many worlds of a batch share: the clean prompts, their counterfactuals, and what ablation puts in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor

from circuitdsl.engine import hooks
from circuitdsl.engine.batch import Batch, counterfactual_tokens
from circuitdsl.engine.fast.architecture import Network
from circuitdsl.engine.fast.edits import Edit
from circuitdsl.engine.fast.live import Stack
from circuitdsl.engine.fast.region import take, whole
from circuitdsl.engine.hooks import Activations
from circuitdsl.engine.sources import Sources
from circuitdsl.language.environment import Geometry
from circuitdsl.measures.experiments import FromCounterfactual, Mean, Source
from circuitdsl.tasks.prompts import Prompt

Tick = Callable[[float], None]
"""Told of work done, in prompts through a whole forward pass."""


@dataclass(frozen=True)
class Passed:
    """A finished run of a batch: activations [prompts, tokens, ...], and what the last layer leaves at END."""

    kept: Activations
    end: Tensor  # [prompts, d_model]


def run_whole(network: Network, tokens: Tensor, names: frozenset[str]) -> tuple[Tensor, dict[str, Tensor]]:
    """A run of all tokens: the last residual stream [prompts, tokens, d_model], and what passed the named points."""
    prompts, length = tokens.shape
    x, kept = Stack(network, tokens, whole(prompts, length, tokens.device), {}, 0, [()]).run(names)
    return x[:, 0], {name: seen.of(0) for name, seen in kept.items()}


@dataclass(frozen=True)
class Caches:
    """What the worlds of one batch share. Nothing is run before it is asked for, nor twice.

    ``clean_names`` and ``source_names`` say which activations any of the worlds will read.
    """

    network: Network
    geometry: Geometry
    batch: Batch
    sources: Sources
    clean_names: frozenset[str]
    source_names: Mapping[Source, frozenset[str]]
    tick: Tick
    known: dict[Source, Activations] = field(default_factory=dict)
    corrupted: dict[str, Passed] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)

    @cached_property
    def clean(self) -> Passed:
        return self._passed(self.batch.tokens, self.clean_names)

    def counterfactual(self, name: str) -> Passed:
        """The run of the prompts' counterfactuals. Raises CannotMeasure."""
        if name not in self.corrupted:
            names = self.source_names.get(FromCounterfactual(name), frozenset())
            self.corrupted[name] = self._passed(counterfactual_tokens(self.batch, name), names)
        return self.corrupted[name]

    def values(self, source: Source) -> Activations:
        """What a source puts in, by hook point. Raises CannotMeasure."""
        if isinstance(source, FromCounterfactual):
            return self.counterfactual(source.counterfactual).kept
        if source not in self.known:
            self.known[source] = self.sources.values(source, self.batch)
        return self.known[source]

    def changed(self, edits: Sequence[Edit]) -> bool:
        """Whether any edit changes the clean run, or there is nowhere to edit."""
        return any(edit.changes(self.clean.kept[edit.name], self._largest(edit.name)) for edit in edits) or not any(
            bool(edit.mask.any()) for edit in edits
        )

    def _largest(self, name: str) -> float:
        if name not in self.sizes:
            self.sizes[name] = float(self.clean.kept[name].abs().max())
        return self.sizes[name]

    def _passed(self, tokens: Tensor, names: frozenset[str]) -> Passed:
        x, kept = run_whole(self.network, tokens, names)
        self.tick(len(tokens))
        return Passed(kept, take(x, self.batch.ends[:, None])[:, 0])


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
    names = frozenset((*embeddings, *hooks.heads_and_mlps(geometry)))

    def outputs(rows: Tensor) -> Activations:
        rows = rows.to(network.embedding.device)
        tick(len(rows))
        return run_whole(network, rows, names)[1]

    return Sources(stream, outputs, tokens, means)

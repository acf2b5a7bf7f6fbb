"""Runs that many worlds of a batch share: of the prompts, of their counterfactuals, and for what ablation puts in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

import torch
from torch import Tensor

from circuitdsl.components import Geometry
from circuitdsl.engine import hook_names
from circuitdsl.engine.batch import Batch, counterfactual_tokens
from circuitdsl.engine.fast.architecture import Network
from circuitdsl.engine.fast.cached import Cached, Required, cache, joined, one_below_another
from circuitdsl.engine.fast.edits import Edit
from circuitdsl.engine.fast.full_pass import FullPass
from circuitdsl.engine.fast.region import placed, take, whole
from circuitdsl.engine.fast.run_cache import CLEAN_RUN, FinishedRun, Runs
from circuitdsl.engine.fast.threads import in_order
from circuitdsl.engine.fast.worlds import Values
from circuitdsl.engine.references import References
from circuitdsl.engine.sources import Result, Sources
from circuitdsl.measures.experiments import FromCounterfactual, Mean, Resample, Source, Zero

PIECE = 512
"""Tokens of the prompts of a mean that a thread takes at once: so few that none is left without, and so many that
products are as fast as with more."""

PARTS, PART = 4, 128
"""A run that worlds share is made in so many parts at most, by prompts, of so many tokens at least: of fewer, products
are slower."""

Tick = Callable[[float], None]
"""Told of work done, in prompts through a whole forward pass."""


def run_whole(
    network: Network, tokens: Tensor, required: Required, edits: Sequence[Edit] = ()
) -> tuple[Tensor, dict[str, Cached]]:
    """A run of all tokens [prompts, tokens], with some edits: the last residual stream [prompts, tokens, d_model], and
    the required activations.

    Nothing else outlives the run.
    """
    activations: dict[str, Cached] = {}

    def record(name: str, values: Tensor, rows: Sequence[int]) -> None:
        activations[name] = cache(values[:, rows[0]], required[name])

    return pass_of(network, tokens, edits).watched(dict.fromkeys(required, record))[:, 0], activations


def run_in_parts(
    network: Network, tokens: Tensor, required: Required, threads: int
) -> tuple[Tensor, dict[str, Cached]]:
    """The same, some of the prompts on each thread: as many parts whatever the number of threads is, on which no figure
    must depend on any processor."""
    parts = min(PARTS, len(tokens), max(1, tokens.numel() // PART)) if network.embedding.device.type == "cpu" else 1

    def run(part: tuple[Tensor, Required]) -> tuple[Tensor, dict[str, Cached]]:
        return run_whole(network, *part)

    masks = {name: [None] * parts if mask is None else mask.tensor_split(parts) for name, mask in required.items()}
    rows = tokens.tensor_split(parts)
    some = [(each, {name: split[at] for name, split in masks.items()}) for at, each in enumerate(rows)]
    ends, activations = zip(*in_order(run, some, threads), strict=True)
    found = {name: one_below_another([each.pop(name) for each in activations]) for name in required}
    return torch.cat(ends), found


def pass_of(network: Network, tokens: Tensor, edits: Sequence[Edit] = ()) -> FullPass:
    """A pass over all tokens [prompts, tokens] from the first layer on, in one world."""
    prompts, length = tokens.shape
    return FullPass(network, tokens, whole(prompts, length, tokens.device), {}, [0], [edits])


@dataclass(frozen=True)
class Caches:
    """What the worlds of one batch share. Nothing is run before it is asked for, nor twice.

    ``required`` says what the worlds require of each of the ``runs``; a run that is there has all of that. Runs are
    made on so many ``threads``.
    """

    network: Network
    geometry: Geometry
    batch: Batch
    sources: Sources
    required: Mapping[str, Required]
    runs: Runs
    tick: Tick
    threads: int
    known: dict[Source, Values] = field(default_factory=dict)

    @property
    def clean(self) -> FinishedRun:
        """The run of the prompts themselves."""
        if CLEAN_RUN not in self.runs:
            self.runs[CLEAN_RUN] = self._finished(CLEAN_RUN, self.batch.tokens)
        return self.runs[CLEAN_RUN]

    def counterfactual(self, name: str) -> FinishedRun:
        """The run of the prompts' counterfactuals. Raises CannotMeasure."""
        if name not in self.runs:
            self.runs[name] = self._finished(name, counterfactual_tokens(self.batch, name))
        return self.runs[name]

    def values(self, source: Source) -> Values:
        """What a source puts in, by hook point. Raises CannotMeasure."""
        match source:
            case FromCounterfactual(counterfactual=name):
                return self.counterfactual(name).activations
            case Zero() | Mean() | Resample():
                if source not in self.known:
                    self.known[source] = self._made(source)
                return self.known[source]
            case _:
                assert_never(source)

    def _made(self, source: Zero | Mean | Resample) -> Values:
        values = self.sources.values(source, self.batch)
        return values if isinstance(source, Zero) else {name: cache(each, None) for name, each in values.items()}

    def _finished(self, name: str, tokens: Tensor) -> FinishedRun:
        required = self.required.get(name, {})
        x, activations = run_in_parts(self.network, tokens, required, self.threads)
        self.tick(len(tokens))
        return FinishedRun(required, activations, take(x, placed(self.batch.ends[:, None], x.device))[:, 0])


def reusing(runs: Runs, required: Mapping[str, Required]) -> tuple[dict[str, Required], Runs]:
    """What is to be cached of each run, so that earlier worlds could be run again too; and the runs that have already
    what these worlds require."""
    widened = {name: joined(runs[name].required, each) if name in runs else each for name, each in required.items()}
    return widened, {name: run for name, run in runs.items() if run.has(required.get(name, {}))}


def sources_of(
    network: Network,
    geometry: Geometry,
    tokens: int,
    references: References,
    further: frozenset[str],
    tick: Tick,
    threads: int,
) -> Sources:
    """Means and resampled activations, by our own forward passes, so many at once: of embeddings, heads and MLPs, and
    what passes ``further`` hook points."""
    embeddings = hook_names.EMBEDDINGS if network.positions is not None else hook_names.EMBEDDINGS[:1]
    names = (*embeddings, *hook_names.heads_and_mlps(geometry), *sorted(further))

    def outputs(rows: Tensor, take: Callable[[Tensor], Result]) -> dict[str, Result]:
        rows = rows.to(network.embedding.device)
        tick(len(rows))
        found: dict[str, Result] = {}

        def record(name: str, values: Tensor, row: Sequence[int]) -> None:
            found[name] = take(values[:, row[0]])

        pass_of(network, rows).watched(dict.fromkeys(names, record))
        return found

    each = partial(in_order, threads=threads)
    piece = PIECE if network.embedding.device.type == "cpu" else tokens
    return Sources(outputs, tokens, "fast", references, further, each, piece)

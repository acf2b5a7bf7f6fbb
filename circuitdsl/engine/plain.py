"""The plain engine: one hooked full forward pass for every experiment. Slow, obviously correct, the oracle.

Whatever it does is done through TransformerLens's hook points on the model that it is given; no hook outlives a pass
(``run_with_hooks`` takes its own hooks away even when a pass raises).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from circuitdsl.engine import hooks
from circuitdsl.engine.batch import Batch, batch_of, counterfactual_tokens, in_batches
from circuitdsl.engine.hooks import EVERYWHERE, Activations, Hook, Write, made_a_difference, put, would_change
from circuitdsl.engine.interventions import attend, scaled
from circuitdsl.engine.readings import needed, read
from circuitdsl.engine.sources import Sources
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Corrupted,
    Data,
    Experiment,
    FromCounterfactual,
    Intervened,
    Isolated,
    Mean,
    Patched,
    Source,
    World,
)
from circuitdsl.measures.measurement import Array, CannotMeasure
from circuitdsl.models import Model
from circuitdsl.plan.drive import Failure
from circuitdsl.tasks.prompts import Prompt

TOKENS_A_PASS = 4096  # prompts of a pass times their padded length; bounds the memory of caches


@dataclass
class PlainEngine:
    """Runs experiments on one model.

    ``tick`` is told of every forward pass with its number of prompts; ``means`` keeps the means that ablation uses.
    """

    model: Model
    tick: Callable[[int], None] = lambda prompts: None
    tokens: int = TOKENS_A_PASS
    means: dict[Data, dict[Mean, dict[str, Activations]]] = field(default_factory=dict)
    note: str = ""  # why this engine and not the fast one

    name = "plain"

    @property
    def settings(self) -> tuple[str, ...]:
        """What its figures depend on besides the model and the experiment."""
        return (self.name, str(next(self.model.bridge.parameters()).dtype), self._device.type)

    @property
    def dtype(self) -> str:
        """The precision in which it runs: the model's."""
        return self.model.dtype

    @property
    def device(self) -> str:
        """Where it runs: the model's device."""
        return str(self._device)

    def run(
        self, data: Data, stream: Sequence[Prompt], start: int, stop: int, experiments: Iterable[Experiment]
    ) -> dict[Experiment, Array | Failure]:
        """The readings of prompts ``start`` to ``stop`` of a stream, one array [stop - start] an experiment.

        ``stream`` must hold the reference prompts of every mean too. An experiment that cannot be run gives a Failure.
        """
        sources = Sources(stream, self._outputs, self.tokens, self.means.setdefault(data, {}))
        asked = {world: _Asked(tuple(some)) for world, some in _by_world(experiments).items()}
        for group in in_batches(stream[start:stop], self.tokens):
            caches = _Caches(batch_of(group, self._device), sources)
            for world, each in asked.items():
                self._world(world, each, caches)
        return {experiment: result for world, each in asked.items() for experiment, result in each.results(world)}

    # --- one world -------------------------------------------------------------------------------

    def _world(self, world: World, asked: _Asked, caches: _Caches) -> None:
        """Run a world on a batch and file what was asked of it, unless it has failed before."""
        if asked.failure:
            return
        try:
            ran = self._run_world(world, caches, asked.names)
        except CannotMeasure as reason:
            asked.failure = str(reason)
            return
        asked.changed |= ran.changed
        for experiment in asked.experiments:
            try:
                reading = read(experiment.reading, ran.logits, ran.kept, caches.batch, self.model.bridge)
                asked.pieces[experiment].append(reading)
            except CannotMeasure as reason:
                asked.failures[experiment] = str(reason)

    def _run_world(self, world: World, caches: _Caches, names: frozenset[str]) -> _Ran:
        batch = caches.batch
        match world:
            case Clean():
                return self._forward(batch, batch.tokens, (), names)
            case Corrupted(counterfactual=name):
                return self._forward(batch, counterfactual_tokens(batch, name), (), names)
            case Ablated(nodes=nodes, source=source):
                where = hooks.masks(nodes, batch, self.model.geometry)
                return self._replace(batch, where, caches.values(source), names)
            case Isolated(source=source):
                return self._replace(batch, self._outside(world, batch), caches.values(source), names)
            case Patched():
                return self._path_patch(world, caches, names)
            case Intervened():
                return self._intervene(world, caches, names)

    def _replace(self, batch: Batch, where: Mapping[str, Tensor], values: Activations, names: frozenset[str]) -> _Ran:
        """A run with the outputs marked in ``where`` replaced, and everything after them recomputed."""
        writes = hooks.replacing(where, values)
        ran = self._forward(batch, batch.tokens, writes, names)
        return replace(ran, changed=made_a_difference(writes))

    def _outside(self, world: Isolated, batch: Batch) -> dict[str, Tensor]:
        """Where the outputs of everything outside the kept nodes stand."""
        geometry = self.model.geometry
        kept = hooks.masks(world.kept, batch, geometry)
        names = hooks.heads_and_mlps(geometry) if world.mlps else tuple(map(hooks.z, range(geometry.n_layers)))
        everything = {
            name: batch.real[..., None, None] if name.endswith("hook_z") else batch.real[..., None] for name in names
        }
        return {name: mask & ~kept[name] if name in kept else mask for name, mask in everything.items()}

    # --- path patching ---------------------------------------------------------------------------

    def _path_patch(self, world: Patched, caches: _Caches, names: frozenset[str]) -> _Ran:
        """First the senders' change travels to the receivers' inputs, then those inputs alone enter a run without it.

        That run is the clean one, or the one under an intervention, whose writes come first in every pass.
        """
        batch, geometry = caches.batch, self.model.geometry
        senders = hooks.masks(world.senders, batch, geometry)
        frozen = self._frozen(world.strict)
        clean = self._clean(caches, (*frozen, *(name for name in senders if world.under and name not in frozen)))
        corrupted = caches.values(FromCounterfactual(world.counterfactual))
        sent = hooks.replacing(senders, corrupted)
        receivers = hooks.receiver_masks(world.receivers, batch, geometry)
        under = () if world.under is None else self._writes(world.under, caches)
        base = clean if world.under is None else self._under(world.under, caches, frozen)
        # Senders are written after the freeze, so that the guard compares them with the run that is patched.
        freeze = [put(name, EVERYWHERE, base[name]) for name in frozen]
        on_the_way = self._forward(batch, batch.tokens, [*under, *freeze, *sent], names | frozenset(receivers))
        # Under an intervention they are compared with the clean run all the same: that they already give what they
        # give on the counterfactual may be what it does. So may a path carry nothing: only the senders are guarded.
        changed = (
            made_a_difference(sent) if world.under is None else would_change(hooks.replacing(senders, corrupted), clean)
        )
        if not receivers:
            return replace(on_the_way, changed=changed)
        arrivals = [put(name, mask, on_the_way.kept[name]) for name, mask in receivers.items()]
        return replace(self._forward(batch, batch.tokens, [*under, *arrivals], names), changed=changed)

    def _frozen(self, strict: bool) -> tuple[str, ...]:
        """What keeps its clean value on the way: the heads; in strict mode the MLPs and the norms' scales too."""
        geometry = self.model.geometry
        heads = tuple(map(hooks.z, range(geometry.n_layers)))
        if not strict:
            return heads
        scales = (name for name in hooks.norms(geometry) if name in self.model.bridge.hook_dict)
        return (*heads, *hooks.mlps(geometry), *scales)

    # --- interventions ---------------------------------------------------------------------------

    def _intervene(self, world: Intervened, caches: _Caches, names: frozenset[str]) -> _Ran:
        writes = self._writes(world, caches)
        ran = self._forward(caches.batch, caches.batch.tokens, writes, names)
        return replace(ran, changed=made_a_difference(writes))

    def _writes(self, world: Intervened, caches: _Caches) -> list[Write]:
        """What an intervention's actions write, in their order. Raises CannotMeasure."""
        batch = caches.batch
        writes: list[Write] = []
        for action, source in zip(world.actions, world.sources, strict=True):
            where = hooks.masks(action.nodes, batch, self.model.geometry)
            if action.kind == "attend":
                writes += attend(action, batch, self.model.geometry)
            elif action.kind == "scale":
                writes += [scaled(name, mask, action.factor) for name, mask in where.items()]
            elif action.kind == "freeze":
                clean = self._clean(caches, tuple(where))
                writes += hooks.replacing(where, clean)
            elif source is not None:
                values = caches.values(source)
                writes += hooks.replacing(where, values)
        return writes

    # --- forward passes --------------------------------------------------------------------------

    def _forward(self, batch: Batch, tokens: Tensor, writes: Sequence[Write], names: frozenset[str]) -> _Ran:
        """One pass with these writes, keeping the named activations as they leave the writes."""
        hooks.check_there({*names, *(write.name for write in writes)}, self.model.bridge.hook_dict)
        kept: dict[str, Tensor] = {}
        made: list[tuple[str, Hook]] = [(write.name, write) for write in writes]
        logits = self._pass(tokens, [*made, *hooks.capture(names, kept)])
        hooks.check_fired(writes)
        return _Ran(logits[torch.arange(len(batch)), batch.ends], kept)

    def _clean(self, caches: _Caches, names: tuple[str, ...]) -> Activations:
        """What the named hook points carry in the clean run."""
        if names not in caches.clean:
            caches.clean[names] = self._forward(caches.batch, caches.batch.tokens, (), frozenset(names)).kept
        return caches.clean[names]

    def _under(self, world: Intervened, caches: _Caches, names: tuple[str, ...]) -> Activations:
        """What the named hook points carry under an intervention."""
        if (world, names) not in caches.under:
            writes = self._writes(world, caches)
            caches.under[world, names] = self._forward(caches.batch, caches.batch.tokens, writes, frozenset(names)).kept
        return caches.under[world, names]

    def _outputs(self, tokens: Tensor) -> Activations:
        """The outputs of the embeddings, all heads and all MLPs on some tokens."""
        kept: dict[str, Tensor] = {}
        embeddings = (name for name in hooks.EMBEDDINGS if name in self.model.bridge.hook_dict)
        names = (*embeddings, *hooks.heads_and_mlps(self.model.geometry))
        self._pass(tokens.to(self._device), hooks.capture(names, kept))
        return kept

    def _pass(self, tokens: Tensor, hooked: list[tuple[str, Hook]]) -> Tensor:
        with torch.inference_mode():
            logits = self.model.bridge.run_with_hooks(tokens, fwd_hooks=list(hooked), return_type="logits")
        self.tick(len(tokens))
        return logits

    @property
    def _device(self) -> torch.device:
        return next(self.model.bridge.parameters()).device


@dataclass(frozen=True)
class _Ran:
    """What a run leaves: logits at END [prompts, vocabulary], activations, and whether its patch changed anything."""

    logits: Tensor
    kept: Activations
    changed: bool = True


@dataclass
class _Caches:
    """What the experiments on one batch share, made at first use and dropped with the batch."""

    batch: Batch
    sources: Sources
    clean: dict[tuple[str, ...], Activations] = field(default_factory=dict)
    under: dict[tuple[Intervened, tuple[str, ...]], Activations] = field(default_factory=dict)
    replaced: dict[Source, Activations] = field(default_factory=dict)

    def values(self, source: Source) -> Activations:
        """Where replaced activations come from; see ``Sources.values``."""
        if source not in self.replaced:
            self.replaced[source] = self.sources.values(source, self.batch)
        return self.replaced[source]


@dataclass
class _Asked:
    """The experiments of one world, and what the batches so far gave. ``failure`` is of the world as a whole."""

    experiments: tuple[Experiment, ...]
    pieces: dict[Experiment, list[Array]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[Experiment, str] = field(default_factory=dict)
    failure: str = ""
    changed: bool = False

    @property
    def names(self) -> frozenset[str]:
        return needed(experiment.reading for experiment in self.experiments)

    def results(self, world: World) -> Iterator[tuple[Experiment, Array | Failure]]:
        failure = self.failure or ("" if self.changed else nothing_changed(world))
        for experiment in self.experiments:
            reason = failure or self.failures.get(experiment, "")
            yield experiment, Failure(reason) if reason else np.concatenate(self.pieces[experiment])


def _by_world(experiments: Iterable[Experiment]) -> dict[World, list[Experiment]]:
    groups: dict[World, list[Experiment]] = {}
    for experiment in experiments:
        groups.setdefault(experiment.world, []).append(experiment)
    return groups


def nothing_changed(world: World) -> str:
    """The guard's message."""
    if isinstance(world, Patched):
        names = ", ".join(sorted(map(str, world.senders)))
        return (
            f"the patch changed nothing: {names} gives the same output on every prompt and on its counterfactual "
            f"{world.counterfactual}; choose another counterfactual with `against`"
        )
    if isinstance(world, Ablated):
        return f"the patch changed nothing: {', '.join(sorted(map(str, world.nodes)))} already gives the ablated output"
    return "the patch changed nothing on any prompt"
